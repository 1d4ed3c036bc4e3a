// core/nn/safetensors_fields.hpp: typed reading of metadata, where an unknown, missing or misshapen
// field is an error that names file, field, value and the nearest valid name.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"
#include "core/nn/safetensors.hpp"

namespace cambium::nn {

/// Reads the fields of one JSON object, each once; the first error sticks and later calls do
/// nothing. finish() returns it, or complains about fields that nobody asked for. [setup]
class Fields {
 public:
  /// The metadata of a file; numbers and lists are JSON text there.
  explicit Fields(const SafetensorsFile& file);
  /// An object inside of metadata; `where` is "'file': layout[0]".
  Fields(const nlohmann::json& object, std::string where);

  bool has(std::string_view key);
  void text(std::string_view key, std::string& out);
  void one_of(std::string_view key, const std::vector<std::string>& names, std::size_t& index);
  void count(std::string_view key, std::uint32_t& out, std::uint32_t min, std::uint32_t max);
  void number(std::string_view key, double& out);  ///< finite
  void boolean(std::string_view key, bool& out);
  void counts(std::string_view key, std::vector<std::uint32_t>& out, std::uint32_t max_rank,
              std::uint32_t min_rank = 1);
  void numbers(std::string_view key, std::vector<double>& out);
  void texts(std::string_view key, std::vector<std::string>& out);
  void text_map(std::string_view key, std::map<std::string, std::string>& out);
  nlohmann::json object(std::string_view key);
  nlohmann::json list(std::string_view key);  ///< array of objects

  /// Records an error of the caller's about `key`.
  void fail(std::string_view key, const std::string& what);
  /// Of a nested reader.
  void adopt(const Result<void>& nested);
  void ignore(std::string_view key) { has(key); }
  bool ok() const { return ok_; }
  const std::string& where() const { return where_; }
  Result<void> finish();

 private:
  const nlohmann::json* find(std::string_view key, const char* expected);

  nlohmann::json fields_;
  std::string where_;
  bool values_are_text_ = false;
  std::vector<std::string> asked_;
  nlohmann::json parsed_;
  Error error_;
  bool ok_ = true;
};

}  // namespace cambium::nn
