#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <tuple>

#include "core/nn/safetensors.hpp"

namespace cambium::nn {
namespace {

Error failed(const std::filesystem::path& file, const char* what, int error) {
  return {Code::failed,
          fmt::format("'{}': cannot {}: {}", file.string(), what, std::strerror(error))};
}

struct FileDescriptor {
  int value = -1;
  ~FileDescriptor() {
    if (value >= 0) ::close(value);
  }
};

Result<void> write_all(int fd, const std::filesystem::path& file, const void* data,
                       std::size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = ::write(fd, at, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      return failed(file, "write", errno);
    }
    at += written;
    size -= static_cast<std::size_t>(written);
  }
  return {};
}

// A rename is on the disk when its folder is.
Result<void> sync_folder(const std::filesystem::path& file) {
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  const FileDescriptor fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  // EINVAL: a file system that has nothing to synchronise there.
  if (fd.value < 0 || (::fsync(fd.value) != 0 && errno != EINVAL))
    return failed(file, "synchronise the folder of", errno);
  return {};
}

std::uint64_t byte_count(const TensorToWrite& tensor) {
  std::uint64_t bytes = size_of(tensor.dtype);
  for (const std::uint64_t extent : tensor.shape) bytes *= extent;
  return bytes;
}

}  // namespace

TensorToWrite to_write(std::string name, std::vector<std::uint64_t> shape,
                       std::span<const float> values) {
  return {std::move(name), DType::f32, std::move(shape), values.data()};
}

Result<void> write_safetensors(const std::filesystem::path& file,
                               std::span<const TensorToWrite> tensors, const Metadata& metadata,
                               const WriteProgress& tell) {
  // Largest elements first keeps every tensor aligned without padding, which the format forbids.
  std::vector<const TensorToWrite*> order;
  for (const auto& tensor : tensors) order.push_back(&tensor);
  std::ranges::sort(order, [](const TensorToWrite* a, const TensorToWrite* b) {
    return std::tuple(size_of(b->dtype), std::string_view(a->name)) <
           std::tuple(size_of(a->dtype), std::string_view(b->name));
  });

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t at = 0;
  for (const TensorToWrite* tensor : order) {
    const std::uint64_t bytes = byte_count(*tensor);
    const auto bad = [&](const char* what) {
      return Error{Code::bad_argument, fmt::format("'{}': tensor '{}' to be written {}",
                                                   file.string(), tensor->name, what)};
    };
    if (header.contains(tensor->name)) return bad("has a name that is taken");
    if (tensor->shape.size() > std::extent_v<decltype(TensorView::shape)>)
      return bad("has more than 5 dimensions");
    if (bytes > 0 && tensor->data == nullptr) return bad("has no data");
    header[tensor->name] = {{"dtype", to_string(tensor->dtype)},
                            {"shape", tensor->shape},
                            {"data_offsets", {at, at + bytes}}};
    at += bytes;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception& error) {
    return Error{Code::bad_argument, fmt::format("'{}': a name or metadata value is not UTF-8: {}",
                                                 file.string(), error.what())};
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');

  std::filesystem::path temporary = file;
  temporary.replace_filename(fmt::format(".{}.{}.tmp", file.filename().string(), ::getpid()));
  const auto write_temporary = [&]() -> Result<void> {
    const FileDescriptor fd{
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666)};
    if (fd.value < 0) return failed(file, "create", errno);
    const std::uint64_t header_size = text.size();
    if (auto done = write_all(fd.value, file, &header_size, sizeof(header_size)); !done)
      return done;
    if (auto done = write_all(fd.value, file, text.data(), text.size()); !done) return done;
    constexpr std::uint64_t kStep = std::uint64_t{4} << 20;
    std::uint64_t written = 0;
    for (const TensorToWrite* tensor : order) {
      const auto bytes = byte_count(*tensor);
      for (std::uint64_t at_byte = 0; at_byte < bytes; at_byte += kStep) {
        const auto step = std::min(kStep, bytes - at_byte);
        const char* from = static_cast<const char*>(tensor->data) + at_byte;
        if (auto done = write_all(fd.value, file, from, step); !done) return done;
        written += step;
        if (tell && !tell(written, at))
          return Error{Code::failed, fmt::format("'{}': not written: interrupted", file.string())};
      }
    }
    if (::fsync(fd.value) != 0) return failed(file, "write", errno);
    return {};
  };
  auto done = write_temporary();
  if (done && ::rename(temporary.c_str(), file.c_str()) != 0)
    done = failed(file, "rename into place", errno);
  if (!done) {
    ::unlink(temporary.c_str());
    return done;
  }
  return sync_folder(file);
}

}  // namespace cambium::nn
