#include "core/nn/safetensors_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/nearest.hpp"
#include "core/nn/json_depth.hpp"

namespace cambium::nn {

using Json = nlohmann::json;

Fields::Fields(const SafetensorsFile& file)
    : fields_(file.metadata()),
      where_(fmt::format("'{}': metadata", file.path().string())),
      values_are_text_(true) {
  if (fields_.is_null()) fields_ = Json::object();
  asked_.emplace_back("format");  // writers of other frameworks leave it: "pt"
}

Fields::Fields(const Json& object, std::string where) : fields_(object), where_(std::move(where)) {
  if (fields_.is_object()) return;
  ok_ = false;
  error_ = {Code::bad_data,
            fmt::format("{} is {}, expected a JSON object", where_, fields_.dump())};
  fields_ = Json::object();
}

bool Fields::has(std::string_view key) {
  asked_.emplace_back(key);
  return fields_.contains(key);
}

void Fields::fail(std::string_view key, const std::string& what) {
  if (!ok_) return;
  ok_ = false;
  error_ = {Code::bad_data, fmt::format("{} '{}' {}", where_, key, what)};
}

void Fields::adopt(const Result<void>& nested) {
  if (!ok_ || nested) return;
  ok_ = false;
  error_ = nested.error();
}

// The value, its text parsed where the file holds text; null after an error.
const Json* Fields::find(std::string_view key, const char* expected) {
  if (!ok_) return nullptr;
  if (!has(key)) {
    std::vector<std::string> keys;
    for (const auto& [name, unused] : fields_.items())
      if (std::ranges::find(asked_, name) == asked_.end()) keys.push_back(name);
    const std::string best = base::nearest(key, keys);
    fail(key, fmt::format("is missing, expected {}{}", expected,
                          best.empty() ? "" : " (is '" + best + "' meant to be it?)"));
    return nullptr;
  }
  if (!values_are_text_) return &fields_[std::string(key)];
  const auto& text = fields_[std::string(key)].get_ref<const std::string&>();
  if (json_depth(text) > kMaxJsonDepth) {
    fail(key, fmt::format("is nested deeper than {} levels", kMaxJsonDepth));
    return nullptr;
  }
  parsed_ = Json::parse(text, nullptr, false);
  if (parsed_.is_discarded()) {
    fail(key, fmt::format("is '{}', expected {} as JSON", text, expected));
    return nullptr;
  }
  return &parsed_;
}

void Fields::text(std::string_view key, std::string& out) {
  const bool parse = std::exchange(values_are_text_, false);  // text is not JSON in a file
  const Json* value = find(key, "text");
  values_are_text_ = parse;
  if (value == nullptr) return;
  if (!value->is_string() || value->get_ref<const std::string&>().empty())
    return fail(key, fmt::format("is {}, expected text", value->dump()));
  out = value->get<std::string>();
}

void Fields::one_of(std::string_view key, const std::vector<std::string>& names,
                    std::size_t& index) {
  std::string value;
  text(key, value);
  if (!ok_) return;
  const auto found = std::ranges::find(names, value);
  if (found == names.end())
    return fail(key, fmt::format("is '{}'{}", value, base::did_you_mean(value, names)));
  index = static_cast<std::size_t>(found - names.begin());
}

void Fields::count(std::string_view key, std::uint32_t& out, std::uint32_t min, std::uint32_t max) {
  const auto expected = fmt::format("a whole number from {} to {}", min, max);
  const Json* value = find(key, expected.c_str());
  if (value == nullptr) return;
  if (!value->is_number_unsigned() || value->get<std::uint64_t>() < min ||
      value->get<std::uint64_t>() > max)
    return fail(key, fmt::format("is {}, expected {}", value->dump(), expected));
  out = value->get<std::uint32_t>();
}

void Fields::number(std::string_view key, double& out) {
  const Json* value = find(key, "a number");
  if (value == nullptr) return;
  if (!value->is_number() || !std::isfinite(value->get<double>()))
    return fail(key, fmt::format("is {}, expected a number", value->dump()));
  out = value->get<double>();
}

void Fields::boolean(std::string_view key, bool& out) {
  const Json* value = find(key, "true or false");
  if (value == nullptr) return;
  if (!value->is_boolean())
    return fail(key, fmt::format("is {}, expected true or false", value->dump()));
  out = value->get<bool>();
}

void Fields::counts(std::string_view key, std::vector<std::uint32_t>& out, std::uint32_t max_rank,
                    std::uint32_t min_rank) {
  // 2^24 numbers fill the largest message that a host can be told to take.
  constexpr std::uint64_t kMaxProduct = 1U << 24;
  const auto expected =
      fmt::format("a list of {} to {} sizes, {} numbers at most", min_rank, max_rank, kMaxProduct);
  const Json* value = find(key, expected.c_str());
  if (value == nullptr) return;
  const auto is_size = [](const Json& v) {
    return v.is_number_unsigned() && v.get<std::uint64_t>() >= 1 && v.get<std::uint64_t>() <= 65536;
  };
  if (!value->is_array() || value->size() < min_rank || value->size() > max_rank ||
      !std::ranges::all_of(*value, is_size))
    return fail(key, fmt::format("is {}, expected {}", value->dump(), expected));
  std::uint64_t product = 1;
  for (const Json& extent : *value)
    product = std::min(product * extent.get<std::uint64_t>(), kMaxProduct + 1);
  if (product > kMaxProduct)
    return fail(key, fmt::format("is {}, expected {}", value->dump(), expected));
  out = value->get<std::vector<std::uint32_t>>();
}

void Fields::numbers(std::string_view key, std::vector<double>& out) {
  const Json* value = find(key, "a list of numbers");
  if (value == nullptr) return;
  const auto is_number = [](const Json& v) {
    return v.is_number() && std::isfinite(v.get<double>());
  };
  if (!value->is_array() || !std::ranges::all_of(*value, is_number))
    return fail(key, fmt::format("is {}, expected a list of numbers", value->dump()));
  out = value->get<std::vector<double>>();
}

void Fields::texts(std::string_view key, std::vector<std::string>& out) {
  const Json* value = find(key, "a list of texts");
  if (value == nullptr) return;
  if (!value->is_array() ||
      !std::ranges::all_of(*value, [](const Json& v) { return v.is_string(); }))
    return fail(key, fmt::format("is {}, expected a list of texts", value->dump()));
  out = value->get<std::vector<std::string>>();
}

void Fields::text_map(std::string_view key, std::map<std::string, std::string>& out) {
  const Json* value = find(key, "an object of texts");
  if (value == nullptr) return;
  if (!value->is_object() ||
      !std::ranges::all_of(*value, [](const Json& v) { return v.is_string(); }))
    return fail(key, fmt::format("is {}, expected an object of texts", value->dump()));
  out = value->get<std::map<std::string, std::string>>();
}

Json Fields::object(std::string_view key) {
  const Json* value = find(key, "an object");
  return value == nullptr ? Json::object() : *value;
}

Json Fields::list(std::string_view key) {
  const Json* value = find(key, "a list");
  if (value == nullptr) return Json::array();
  if (!value->is_array()) {
    fail(key, fmt::format("is {}, expected a list", value->dump()));
    return Json::array();
  }
  return *value;
}

Result<void> Fields::finish() {
  if (!ok_) return error_;
  for (const auto& [name, value] : fields_.items()) {
    if (std::ranges::find(asked_, name) != asked_.end()) continue;
    return Error{Code::bad_data, fmt::format("{} '{}' (value {}) is not known{}", where_, name,
                                             value.dump(), base::did_you_mean(name, asked_))};
  }
  return {};
}

}  // namespace cambium::nn
