#include "core/trunk/session_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <system_error>
#include <vector>

#include "core/base/session_name.hpp"
#include "core/nn/safetensors.hpp"
#include "core/trunk/sessions.hpp"

namespace cambium::trunk {
namespace {

constexpr const char *kKindKey = "cambium.kind", *kKind = "session";
constexpr const char *kFormatKey = "format", *kFormat = "1";
constexpr const char *kChecksumKey = "checksum", *kTensor = "memory";
constexpr std::uint64_t kMostHeader = std::uint64_t{1} << 20;  // [B] many times what a record takes

Error error(Code code, const std::filesystem::path& file, const std::string& what) {
  return {code, fmt::format("'{}': {}", file.string(), what)};
}

std::string checksum(const nn::Metadata& record, std::span<const std::byte> memory) {
  base::Sha256 hash;
  for (const auto& [key, value] : record) hash.update(fmt::format("{}={}\n", key, value));
  hash.update(memory);
  return base::to_hex(hash.finish());
}

// All that is written of a session but its bytes. A file is sound if it says exactly this.
nn::Metadata metadata_of(const SessionRecord& record, std::span<const std::byte> memory) {
  nn::Metadata all{{kKindKey, kKind},
                   {kFormatKey, kFormat},
                   {"name", record.name},
                   {"trunk_id", base::to_hex(record.trunk)},
                   {"architecture", record.architecture},
                   {"owner", std::to_string(record.owner)},
                   {"robot_id", std::to_string(record.robot_id)},
                   {"episode", std::to_string(record.episode)},
                   {"steps", std::to_string(record.steps)},
                   {"time_ns", std::to_string(record.time_ns)},
                   {"bytes", std::to_string(record.bytes)}};
  all.emplace(kChecksumKey, checksum(all, memory));
  return all;
}

Result<std::string> text_of(const nn::SafetensorsFile& file, const char* key) {
  auto text = file.meta(key);
  if (!text) return Error{Code::bad_data, text.error().message};
  return text;
}

template <class Number>
Result<void> read_number(const nn::SafetensorsFile& file, const char* key, Number& value) {
  const auto text = text_of(file, key);
  if (!text) return text.error();
  const char *first = text->data(), *last = first + text->size();
  const auto [end, problem] = std::from_chars(first, last, value);
  if (problem != std::errc() || end != last)
    return error(Code::bad_data, file.path(),
                 fmt::format("metadata '{}' is '{}', expected a whole number", key, *text));
  return {};
}

Result<SessionRecord> record_of(const nn::SafetensorsFile& file) {
  const auto kind = file.metadata().find(kKindKey);
  if (kind == file.metadata().end() || kind->second != kKind)
    return error(
        Code::bad_data, file.path(),
        fmt::format("is not a session: metadata '{}' is {}, expected '{}'", kKindKey,
                    kind == file.metadata().end() ? "missing" : "'" + kind->second + "'", kKind));
  const auto format = text_of(file, kFormatKey);
  if (!format) return format.error();
  if (*format != kFormat)
    return error(
        Code::incompatible, file.path(),
        fmt::format("is a session of format '{}', this version reads '{}'", *format, kFormat));
  SessionRecord record;
  const auto name = text_of(file, "name"), trunk = text_of(file, "trunk_id"),
             architecture = text_of(file, "architecture");
  for (const auto* text : {&name, &trunk, &architecture})
    if (!*text) return text->error();
  record.name = *name;
  record.trunk = base::from_hex(*trunk);
  record.architecture = *architecture;
  for (const auto& read :
       {read_number(file, "owner", record.owner), read_number(file, "robot_id", record.robot_id),
        read_number(file, "episode", record.episode), read_number(file, "steps", record.steps),
        read_number(file, "time_ns", record.time_ns), read_number(file, "bytes", record.bytes)})
    if (!read) return read.error();
  return record;
}

Result<std::span<const std::byte>> memory_of(const nn::SafetensorsFile& file) {
  const auto* tensor = file.find(kTensor);
  if (tensor == nullptr || file.tensors().size() != 1 || tensor->dtype != nn::DType::u8 ||
      tensor->shape.size() != 1)
    return error(Code::bad_data, file.path(),
                 fmt::format("is damaged: expected one tensor '{}' of U8 and one dimension, and "
                             "nothing else",
                             kTensor));
  return tensor->bytes;
}

// What the record and the bytes give, against what the file says.
Result<void> check_sound(const nn::SafetensorsFile& file, const SessionRecord& record,
                         std::span<const std::byte> memory) {
  const auto expected = metadata_of(record, memory);
  for (const auto& [key, value] : file.metadata()) {
    const auto same = expected.find(key);
    if (same == expected.end())
      return error(Code::bad_data, file.path(),
                   fmt::format("is damaged: metadata '{}' is unknown", key));
    if (same->second != value)
      return error(Code::bad_data, file.path(),
                   fmt::format("is damaged: metadata '{}' is '{}', by its contents it should be "
                               "'{}'",
                               key, value, same->second));
  }
  if (file.metadata().size() != expected.size())
    return error(Code::bad_data, file.path(), "is damaged: it has no checksum");
  if (record.bytes != memory.size())
    return error(Code::bad_data, file.path(),
                 fmt::format("is damaged: it says {} bytes of memory and holds {}", record.bytes,
                             memory.size()));
  if (!base::is_session_name(record.name))
    return error(Code::bad_data, file.path(),
                 fmt::format("'{}' is no name of a session", record.name));
  return {};
}

Result<void> check_fit(const std::filesystem::path& file, const SessionRecord& record,
                       const SessionFit& fit) {
  const auto differs = [&](const std::string& his, const std::string& ours) {
    return error(Code::incompatible, file,
                 fmt::format("session '{}' is {}, this trunk {}", record.name, his, ours));
  };
  if (record.architecture != fit.architecture)
    return differs("of architecture '" + record.architecture + "'",
                   "is of '" + fit.architecture + "'");
  if (record.trunk != fit.trunk)
    return differs("of trunk " + base::to_hex(record.trunk), "is " + base::to_hex(fit.trunk));
  if (record.bytes != fit.bytes)
    return differs(fmt::format("{} bytes", record.bytes), fmt::format("keeps {}", fit.bytes));
  return {};
}

}  // namespace

Result<void> write_session(const std::filesystem::path& file, const SessionRecord& record,
                           std::span<const std::byte> memory) {
  if (!base::is_session_name(record.name))
    return error(Code::bad_argument, file,
                 fmt::format("'{}' is no name of a session", record.name));
  if (record.bytes != memory.size())
    return error(
        Code::bad_argument, file,
        fmt::format("{} bytes to be written, the record says {}", memory.size(), record.bytes));
  const nn::TensorToWrite tensor{kTensor, nn::DType::u8, {memory.size()}, memory.data()};
  return nn::write_safetensors(file, {&tensor, 1}, metadata_of(record, memory));
}

Result<SessionRecord> read_session(const std::filesystem::path& file, const SessionFit& fit,
                                   std::span<std::byte> memory) {
  std::error_code unreadable;
  const std::uintmax_t size = std::filesystem::file_size(file, unreadable);
  // What is too large anyway is asked what it is, not read.
  const bool too_large = !unreadable && size > fit.bytes + kMostHeader;
  const auto opened = too_large ? nn::SafetensorsFile::open_part(file, "no tensor of it")
                                : nn::SafetensorsFile::open(file);
  if (!opened) return opened.error();
  auto record = record_of(*opened);
  if (!record) return record;
  if (too_large) {
    if (auto fits = check_fit(file, *record, fit); !fits) return fits.error();
    return error(Code::bad_data, file,
                 fmt::format("is damaged: {} bytes, for {} of memory", size, fit.bytes));
  }
  const auto bytes = memory_of(*opened);
  if (!bytes) return bytes.error();
  if (auto sound = check_sound(*opened, *record, *bytes); !sound) return sound.error();
  if (auto fits = check_fit(file, *record, fit); !fits) return fits.error();
  if (memory.size() != bytes->size())
    return error(Code::bad_argument, file,
                 fmt::format("{} bytes for a memory of {}", memory.size(), bytes->size()));
  std::ranges::copy(*bytes, memory.begin());
  return record;
}

bool claims_to_be_session(const std::filesystem::path& file) {
  const auto opened = nn::SafetensorsFile::open_part(file, "no tensor of it");
  if (!opened) return false;
  const auto kind = opened->meta(kKindKey);
  return kind && *kind == kKind;
}

}  // namespace cambium::trunk
