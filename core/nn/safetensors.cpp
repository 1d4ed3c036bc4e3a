#include "core/nn/safetensors.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <concepts>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "core/base/descriptor.hpp"
#include "core/base/mapped_file.hpp"
#include "core/base/nearest.hpp"
#include "core/nn/half.hpp"
#include "core/nn/json_depth.hpp"

namespace cambium::nn {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are read in place");

using Json = nlohmann::json;

constexpr std::uint64_t kMaxHeader = 100'000'000;  // [B] as the format's own reader allows
constexpr std::size_t kMaxRank = std::extent_v<decltype(TensorView::shape)>;

struct DTypeInfo {
  DType dtype;
  const char* name;
  std::size_t size;
};
constexpr DTypeInfo kDTypes[] = {{DType::f64, "F64", 8}, {DType::f32, "F32", 4},
                                 {DType::f16, "F16", 2}, {DType::bf16, "BF16", 2},
                                 {DType::i64, "I64", 8}, {DType::i32, "I32", 4},
                                 {DType::i16, "I16", 2}, {DType::i8, "I8", 1},
                                 {DType::u8, "U8", 1},   {DType::boolean, "BOOL", 1}};

std::optional<DType> parse_dtype(const std::string& name) {
  for (const auto& info : kDTypes)
    if (name == info.name) return info.dtype;
  return std::nullopt;
}

std::string dtype_names() {
  std::string names;
  for (const auto& info : kDTypes) names += (names.empty() ? "" : ", ") + std::string(info.name);
  return names;
}

Error bad_data(const std::filesystem::path& file, std::string what) {
  return {Code::bad_data, fmt::format("'{}': {}", file.string(), std::move(what))};
}

Error failed(const std::filesystem::path& file, const char* what, int error) {
  const Code code = error == ENOENT ? Code::not_found : Code::failed;
  return {code, fmt::format("'{}': cannot {}: {}", file.string(), what, std::strerror(error))};
}

Error changed(const std::filesystem::path& file) {
  return {Code::failed,
          fmt::format("'{}': somebody may have written to it while it was read; try again",
                      file.string())};
}

struct Entry {
  StoredTensor tensor;
  std::uint64_t begin = 0, end = 0;  // [B] in the data section
};

// One entry of the header; what it says is believed only where it agrees with itself.
Result<Entry> parse_entry(const std::filesystem::path& file, const std::string& name,
                          const Json& value) {
  const auto bad = [&](std::string what) {
    return bad_data(file, fmt::format("tensor '{}': {}", name, std::move(what)));
  };
  if (!value.is_object()) return bad("is described by something that is not a JSON object");
  for (const auto& [key, unused] : value.items())
    if (key != "dtype" && key != "shape" && key != "data_offsets")
      return bad(fmt::format("unknown field '{}'{}", key,
                             base::did_you_mean(key, {"dtype", "shape", "data_offsets"})));
  for (const char* key : {"dtype", "shape", "data_offsets"})
    if (!value.contains(key)) return bad(fmt::format("field '{}' is missing", key));

  Entry entry;
  entry.tensor.name = name;
  if (!value["dtype"].is_string()) return bad("dtype is not text");
  const auto dtype = parse_dtype(value["dtype"].get<std::string>());
  if (!dtype)
    return bad(fmt::format("dtype '{}' is not supported (valid: {})",
                           value["dtype"].get<std::string>(), dtype_names()));
  entry.tensor.dtype = *dtype;

  const Json& shape = value["shape"];
  if (!shape.is_array()) return bad("shape is not a list");
  if (shape.size() > kMaxRank)
    return bad(fmt::format("has {} dimensions, at most {} are supported", shape.size(), kMaxRank));
  std::uint64_t bytes = size_of(*dtype);
  for (const Json& extent : shape) {
    if (!extent.is_number_unsigned()) return bad("shape holds something that is not a size");
    entry.tensor.shape.push_back(extent.get<std::uint64_t>());
  }
  const bool empty = std::ranges::find(entry.tensor.shape, 0U) != entry.tensor.shape.end();
  for (const std::uint64_t extent : entry.tensor.shape) {
    if (!empty && bytes > std::numeric_limits<std::uint64_t>::max() / extent)
      return bad(fmt::format("shape {} overflows 64 bits", to_string(entry.tensor.shape)));
    bytes *= extent;
  }

  const Json& offsets = value["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
      !offsets[1].is_number_unsigned())
    return bad("data_offsets is not a pair of sizes");
  entry.begin = offsets[0].get<std::uint64_t>();
  entry.end = offsets[1].get<std::uint64_t>();
  if (entry.end < entry.begin)
    return bad(fmt::format("data ends at byte {}, before it begins at {}", entry.end, entry.begin));
  if (entry.end - entry.begin != bytes)
    return bad(fmt::format("{} {} takes {} bytes, data_offsets give {}", to_string(*dtype),
                           to_string(entry.tensor.shape), bytes, entry.end - entry.begin));
  return entry;
}

// nlohmann keeps the last of equal keys in silence; here two tensors of one name are an error.
Result<Json> parse_header(const std::filesystem::path& file, const char* begin, const char* end) {
  std::set<std::string> names;
  std::string duplicate;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::key && depth == 1 &&
        !names.insert(parsed.get<std::string>()).second)
      duplicate = parsed.get<std::string>();
    return true;
  };
  if (json_depth({begin, end}) > kMaxJsonDepth)
    return bad_data(file, fmt::format("header is nested deeper than {} levels", kMaxJsonDepth));
  Json header;
  try {
    header = Json::parse(begin, end, watch);
  } catch (const Json::exception& error) {
    return bad_data(file, fmt::format("header is not valid JSON: {}", error.what()));
  }
  if (!header.is_object()) return bad_data(file, "header is not a JSON object");
  if (!duplicate.empty()) return bad_data(file, fmt::format("two tensors named '{}'", duplicate));
  return header;
}

Result<Metadata> parse_metadata(const std::filesystem::path& file, const Json& value) {
  if (!value.is_object()) return bad_data(file, "__metadata__ is not a JSON object");
  Metadata metadata;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string())
      return bad_data(file, fmt::format("metadata '{}' is {}, expected text", key, text.dump()));
    metadata[key] = text.get<std::string>();
  }
  return metadata;
}

// In order of position every tensor must begin where the one before it ended.
Result<void> check_ranges(const std::filesystem::path& file, std::vector<Entry>& entries,
                          std::uint64_t size) {
  std::ranges::sort(entries, [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  std::uint64_t at = 0;
  for (const Entry& entry : entries) {
    const auto bad = [&](std::string what) {
      return bad_data(file, fmt::format("tensor '{}': {}", entry.tensor.name, std::move(what)));
    };
    if (entry.end > size)
      return bad(
          fmt::format("data ends at byte {}, the file holds {} (truncated?)", entry.end, size));
    if (entry.begin < at)
      return bad(fmt::format("data begins at byte {}, inside another tensor that ends at {}",
                             entry.begin, at));
    if (entry.begin > at)
      return bad(
          fmt::format("data begins at byte {}, leaving a hole after byte {}", entry.begin, at));
    if (entry.begin % size_of(entry.tensor.dtype) != 0)
      return bad(fmt::format("data begins at byte {}, not a multiple of {} as {} needs",
                             entry.begin, size_of(entry.tensor.dtype),
                             to_string(entry.tensor.dtype)));
    at = entry.end;
  }
  if (at != size)
    return bad_data(file,
                    fmt::format("tensors end at byte {} of the data, the file holds {}", at, size));
  return {};
}

template <class From, class To, class Convert>
void convert_all(const StoredTensor& tensor, std::vector<To>& out, Convert convert) {
  const auto* from = reinterpret_cast<const From*>(tensor.bytes.data());
  std::transform(from, from + out.size(), out.begin(), convert);
}

template <class To>
Result<std::vector<To>> read_as(const std::filesystem::path& file, const StoredTensor& tensor) {
  std::vector<To> out(tensor.size());
  const auto cast = [](auto value) { return static_cast<To>(value); };
  switch (tensor.dtype) {
    case DType::i64:
      convert_all<std::int64_t>(tensor, out, cast);
      return out;
    case DType::i32:
      convert_all<std::int32_t>(tensor, out, cast);
      return out;
    case DType::i16:
      convert_all<std::int16_t>(tensor, out, cast);
      return out;
    case DType::i8:
      convert_all<std::int8_t>(tensor, out, cast);
      return out;
    case DType::u8:
    case DType::boolean:
      convert_all<std::uint8_t>(tensor, out, cast);
      return out;
    default:
      break;
  }
  if constexpr (std::floating_point<To>) {
    switch (tensor.dtype) {
      case DType::f64:
        convert_all<double>(tensor, out, cast);
        return out;
      case DType::f32:
        convert_all<float>(tensor, out, cast);
        return out;
      case DType::f16:
        convert_all<std::uint16_t>(tensor, out, half_to_float);
        return out;
      case DType::bf16:
        convert_all<std::uint16_t>(tensor, out, bfloat_to_float);
        return out;
      default:
        break;
    }
  }
  return Error{Code::incompatible,
               fmt::format("'{}': tensor '{}' is {}, expected integers", file.string(), tensor.name,
                           to_string(tensor.dtype))};
}

Error no_such_tensor(const SafetensorsFile& file, std::string_view name) {
  std::vector<std::string> names;
  for (const auto& tensor : file.tensors()) names.push_back(tensor.name);
  const std::string best = base::nearest(name, names);
  return {Code::not_found, fmt::format("'{}': no tensor '{}'{}", file.path().string(), name,
                                       best.empty() ? "" : " (did you mean '" + best + "'?)")};
}

template <class To>
Result<std::vector<To>> read_named(const SafetensorsFile& file, std::string_view name) {
  const StoredTensor* tensor = file.find(name);
  if (tensor == nullptr) return no_such_tensor(file, name);
  return read_as<To>(file.path(), *tensor);
}

std::uint64_t element_count(std::span<const std::uint64_t> shape) {
  std::uint64_t n = 1;
  for (const std::uint64_t extent : shape) n *= extent;
  return n;
}

}  // namespace

std::size_t size_of(DType dtype) noexcept {
  for (const auto& info : kDTypes)
    if (dtype == info.dtype) return info.size;
  return 1;
}

const char* to_string(DType dtype) noexcept {
  for (const auto& info : kDTypes)
    if (dtype == info.dtype) return info.name;
  return "unknown";
}

std::string to_string(std::span<const std::uint64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::uint64_t StoredTensor::size() const noexcept {
  return element_count(shape);
}

namespace {

// A file that is read piece by piece, each piece where the header says that it lies.
class Reader {
 public:
  /// With a check, all bytes are taken in hand at once, so that nothing is read but what it saw.
  static Result<Reader> open(const std::filesystem::path& file, const base::FileCheck& check) {
    Reader reader;
    reader.file_ = file;
    if (check) {
      auto whole = base::MappedFile::open(file);
      if (!whole) return whole.error();
      if (auto fine = check(file, whole->bytes()); !fine) return fine.error();
      reader.size_ = whole->bytes().size();
      reader.whole_.emplace(std::move(*whole));
      return reader;
    }
    // Non-blocking: a pipe in place of the file would wait for a writer.
    reader.descriptor_ = base::Descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!reader.descriptor_) return failed(file, "open", errno);
    struct stat info = {};
    if (::fstat(reader.descriptor_.get(), &info) != 0) return failed(file, "stat", errno);
    if (!S_ISREG(info.st_mode)) return bad_data(file, "is not a regular file");
    reader.size_ = static_cast<std::uint64_t>(info.st_size);
    return reader;
  }
  std::uint64_t size() const noexcept { return size_; }

  /// Fills `to` with what lies at byte `from`.
  Result<void> read(std::uint64_t from, std::span<std::byte> to) const {
    if (whole_) {  // all that is asked for was held against size() before
      std::ranges::copy(whole_->bytes().subspan(from, to.size()), to.begin());
      return {};
    }
    for (std::size_t done = 0; done < to.size();) {
      const auto got = ::pread(descriptor_.get(), to.data() + done, to.size() - done,
                               static_cast<off_t>(from + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return failed(file_, "read", errno);
      if (got == 0)
        return bad_data(
            file_, fmt::format("shrank from {} to {} bytes while it was read", size_, from + done));
      done += static_cast<std::size_t>(got);
    }
    return {};
  }

  /// Nothing was written to it since the check, ask after the last read.
  Result<void> unchanged() const {
    if (!whole_ || whole_->unchanged()) return {};
    return changed(file_);
  }
  /// What the check saw; none without a check. The reader is of no use afterwards.
  std::optional<base::MappedFile> take() && { return std::move(whole_); }

 private:
  std::filesystem::path file_;
  base::Descriptor descriptor_;
  std::optional<base::MappedFile> whole_;
  std::uint64_t size_ = 0;
};

Result<std::string> read_header(const std::filesystem::path& file, const Reader& reader) {
  const std::uint64_t size = reader.size();
  if (size < 8)
    return bad_data(file, fmt::format("holds {} bytes, a header length alone takes 8", size));
  std::uint64_t header_size = 0;
  if (auto done = reader.read(0, std::as_writable_bytes(std::span(&header_size, 1))); !done)
    return done.error();
  if (header_size > std::min(size - 8, kMaxHeader))
    return bad_data(
        file, fmt::format("header says {} bytes, the file holds {} after its length{}", header_size,
                          size - 8, size - 8 > kMaxHeader ? " (at most 100 MB are read)" : ""));
  if (header_size % 8 != 0)
    return bad_data(file,
                    fmt::format("header takes {} bytes, not a multiple of 8: tensors would be "
                                "misaligned",
                                header_size));
  std::string text(header_size, '\0');
  if (auto done = reader.read(8, std::as_writable_bytes(std::span(text))); !done)
    return done.error();
  return text;
}

struct Header {
  std::string text;
  Metadata metadata;
  std::vector<Entry> entries;  // in order of position

  std::uint64_t data_at() const { return 8 + text.size(); }
};

// All that is checked of a file.
Result<Header> checked_header(const std::filesystem::path& file, const Reader& reader) {
  auto text = read_header(file, reader);
  if (!text) return text.error();
  auto parsed = parse_header(file, text->data(), text->data() + text->size());
  if (!parsed) return parsed.error();
  Header header{std::move(*text), {}, {}};
  for (const auto& [name, value] : parsed->items()) {
    if (name == "__metadata__") {
      auto metadata = parse_metadata(file, value);
      if (!metadata) return metadata.error();
      header.metadata = std::move(*metadata);
      continue;
    }
    auto entry = parse_entry(file, name, value);
    if (!entry) return entry.error();
    header.entries.push_back(std::move(*entry));
  }
  if (auto checked = check_ranges(file, header.entries, reader.size() - header.data_at()); !checked)
    return checked.error();
  return header;
}

}  // namespace

// As a rule read, not mapped: a file that somebody overwrites in place would take its pages from
// under a running robot (SIGBUS).
class SafetensorsFile::Contents {
 public:
  explicit Contents(std::uint64_t size)
      : bytes_(std::make_unique_for_overwrite<std::byte[]>(size)) {}
  explicit Contents(base::MappedFile file) : file_(std::move(file)) {}

  std::byte* at(std::uint64_t offset) { return bytes_.get() + offset; }
  const base::MappedFile* file() const { return file_ ? &*file_ : nullptr; }

 private:
  std::unique_ptr<std::byte[]> bytes_;  // operator new aligns it for every dtype
  std::optional<base::MappedFile> file_;
};

void SafetensorsFile::hold(std::shared_ptr<const Contents> contents, Metadata metadata,
                           std::vector<StoredTensor> tensors) {
  std::ranges::sort(tensors, {}, &StoredTensor::name);
  contents_ = std::move(contents);
  metadata_ = std::move(metadata);
  tensors_ = std::make_shared<const std::vector<StoredTensor>>(std::move(tensors));
}

Result<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& file,
                                              const base::FileCheck& check) {
  return open_part(file, "", check);
}

Result<SafetensorsFile> SafetensorsFile::open_part(const std::filesystem::path& file,
                                                   std::string_view prefix,
                                                   const base::FileCheck& check) {
  const auto reader = Reader::open(file, check);
  if (!reader) return reader.error();
  auto header = checked_header(file, *reader);
  if (!header) return header.error();
  std::erase_if(header->entries,
                [&](const Entry& entry) { return !entry.tensor.name.starts_with(prefix); });
  constexpr std::uint64_t kStep = 8;  // where the largest dtype may lie
  const auto room = [](const Entry& entry) {
    return (entry.end - entry.begin + kStep - 1) / kStep * kStep;
  };
  std::uint64_t all = 0;
  for (const Entry& entry : header->entries) all += room(entry);
  auto contents = std::make_shared<Contents>(all);
  std::vector<StoredTensor> tensors;
  std::uint64_t at = 0;
  for (Entry& entry : header->entries) {
    const std::span<std::byte> bytes(contents->at(at), entry.end - entry.begin);
    if (auto done = reader->read(header->data_at() + entry.begin, bytes); !done)
      return done.error();
    entry.tensor.bytes = bytes;
    tensors.push_back(std::move(entry.tensor));
    at += room(entry);
  }
  if (auto same = reader->unchanged(); !same) return same.error();
  SafetensorsFile result;
  result.path_ = file;
  result.hold(std::move(contents), std::move(header->metadata), std::move(tensors));
  return result;
}

Result<SafetensorsFile> SafetensorsFile::open_mapped(const std::filesystem::path& file,
                                                     const base::FileCheck& check) {
  auto reader = Reader::open(file, check);
  if (!reader) return reader.error();
  auto header = checked_header(file, *reader);
  if (!header) return header.error();
  auto whole = std::move(*reader).take();
  if (!whole) {
    auto opened = base::MappedFile::open(file);
    if (!opened) return opened.error();
    whole.emplace(std::move(*opened));
  }
  const auto bytes = whole->bytes();
  // The path was opened twice: what was checked must be what is used.
  if (bytes.size() != reader->size() ||
      std::memcmp(bytes.data() + 8, header->text.data(), header->text.size()) != 0)
    return Error{Code::failed,
                 fmt::format("'{}': was replaced while it was opened; try again", file.string())};
  std::vector<StoredTensor> tensors;
  for (Entry& entry : header->entries) {
    entry.tensor.bytes = bytes.subspan(header->data_at() + entry.begin, entry.end - entry.begin);
    tensors.push_back(std::move(entry.tensor));
  }
  SafetensorsFile result;
  result.path_ = file;
  result.hold(std::make_shared<Contents>(std::move(*whole)), std::move(header->metadata),
              std::move(tensors));
  return result;
}

bool SafetensorsFile::mapped() const noexcept {
  return contents_ != nullptr && contents_->file() != nullptr && contents_->file()->mapped();
}

Result<void> SafetensorsFile::unchanged() const {
  if (!mapped() || contents_->file()->unchanged()) return {};
  return changed(path_);
}

Result<std::string> SafetensorsFile::meta(std::string_view key) const {
  const auto found = metadata_.find(std::string(key));
  if (found != metadata_.end()) return found->second;
  std::vector<std::string> keys;
  for (const auto& [name, unused] : metadata_) keys.push_back(name);
  return Error{Code::not_found, fmt::format("'{}': no metadata '{}'{}", path_.string(), key,
                                            base::did_you_mean(key, keys))};
}

const StoredTensor* SafetensorsFile::find(std::string_view name) const noexcept {
  const auto found = std::ranges::lower_bound(*tensors_, name, {}, &StoredTensor::name);
  return found != tensors_->end() && found->name == name ? &*found : nullptr;
}

Result<std::vector<float>> SafetensorsFile::read_f32(std::string_view name) const {
  return read_named<float>(*this, name);
}
Result<std::vector<double>> SafetensorsFile::read_f64(std::string_view name) const {
  return read_named<double>(*this, name);
}
Result<std::vector<std::int64_t>> SafetensorsFile::read_i64(std::string_view name) const {
  return read_named<std::int64_t>(*this, name);
}

std::vector<TensorView> SafetensorsFile::views(std::string_view prefix) const {
  std::vector<TensorView> views;
  for (const StoredTensor& tensor : *tensors_) {
    if (tensor.dtype != DType::f32 || !tensor.name.starts_with(prefix)) continue;
    TensorView view;
    view.name = tensor.name.c_str() + prefix.size();
    view.data = reinterpret_cast<const float*>(tensor.bytes.data());
    view.rank = static_cast<std::uint32_t>(tensor.shape.size());
    std::ranges::copy(tensor.shape, view.shape);
    views.push_back(view);
  }
  return views;
}

std::vector<StoredTensor> SafetensorsFile::stored_views(std::string_view prefix) const {
  std::vector<StoredTensor> views;
  for (const StoredTensor& tensor : *tensors_) {
    if (!tensor.name.starts_with(prefix)) continue;
    views.push_back(tensor);
    views.back().name.erase(0, prefix.size());
  }
  return views;
}

}  // namespace cambium::nn
