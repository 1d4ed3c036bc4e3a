#include "core/nn/parameters.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/base/nearest.hpp"

namespace cambium::nn {
namespace {

constexpr std::uint32_t kWidestLayer = 65536;

nlohmann::json parse(const char* text) {
  return nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
}

bool is_count(const nlohmann::json& value, std::uint32_t least, std::uint32_t most) {
  return value.is_number_unsigned() && value.get<std::uint64_t>() >= least &&
         value.get<std::uint64_t>() <= most;
}

std::string between(std::uint32_t least, std::uint32_t most) {
  return std::to_string(least) + " to " + std::to_string(most);
}

}  // namespace

ParameterReader::ParameterReader(std::string owner, std::span<const Parameter> parameters)
    : owner_(std::move(owner)), parameters_(parameters) {}

const char* ParameterReader::text(std::string_view key) {
  known_.emplace_back(key);
  for (const auto& parameter : parameters_) {
    if (parameter.key != nullptr && parameter.value != nullptr && key == parameter.key) {
      return parameter.value;
    }
  }
  return nullptr;
}

void ParameterReader::complain(std::string_view key, std::string_view value,
                               const std::string& expected) {
  if (!problem_.empty()) return;
  problem_ = owner_ + ": parameter '" + std::string(key) + "' is '" + std::string(value) +
             "', expected " + expected;
}

std::uint32_t ParameterReader::count(std::string_view key, std::uint32_t fallback,
                                     std::uint32_t least, std::uint32_t most) {
  const char* value = text(key);
  if (value == nullptr) return fallback;
  const auto json = parse(value);
  if (is_count(json, least, most)) return json.get<std::uint32_t>();
  complain(key, value, "a whole number, " + between(least, most));
  return fallback;
}

double ParameterReader::number(std::string_view key, double fallback, double least, double most) {
  const char* value = text(key);
  if (value == nullptr) return fallback;
  const auto json = parse(value);
  if (json.is_number() && json.get<double>() >= least && json.get<double>() <= most)
    return json.get<double>();
  complain(key, value,
           "a number, " + nlohmann::json(least).dump() + " to " + nlohmann::json(most).dump());
  return fallback;
}

bool ParameterReader::boolean(std::string_view key, bool fallback) {
  const char* value = text(key);
  if (value == nullptr) return fallback;
  const auto json = parse(value);
  if (json.is_boolean()) return json.get<bool>();
  complain(key, value, "true or false");
  return fallback;
}

std::vector<std::uint32_t> ParameterReader::widths(std::string_view key,
                                                   std::vector<std::uint32_t> fallback) {
  const char* value = text(key);
  if (value == nullptr) return fallback;
  const auto json = parse(value);
  const auto is_width = [](const auto& item) { return is_count(item, 1, kWidestLayer); };
  if (json.is_array() && json.size() <= 64 && std::all_of(json.begin(), json.end(), is_width)) {
    return json.get<std::vector<std::uint32_t>>();
  }
  complain(key, value, "a list of at most 64 widths, each " + between(1, kWidestLayer));
  return fallback;
}

ChainSpec ParameterReader::chain(std::string_view key) {
  const char* value = text(key);
  if (value != nullptr) {
    auto read = ChainSpec::from_text(value);
    if (read) return std::move(*read);
    constexpr std::size_t kShown = 40;  // a chain is long, and the sentence has an end to come to
    complain(key, std::string_view(value).substr(0, kShown),
             "a chain of joints: " + read.error().message);
  } else if (problem_.empty()) {
    problem_ = owner_ + ": parameter '" + std::string(key) + "' is missing";
  }
  return {};
}

std::string ParameterReader::word(std::string_view key, std::string fallback,
                                  std::vector<std::string> valid) {
  const char* value = text(key);
  if (value == nullptr) return fallback;
  std::string found = value;
  if (found.size() >= 2 && found.front() == '"' && found.back() == '"') {
    found = found.substr(1, found.size() - 2);
  }
  if (std::find(valid.begin(), valid.end(), found) != valid.end()) return found;
  if (problem_.empty()) {
    problem_ = owner_ + ": parameter '" + std::string(key) + "' is '" + found + "'" +
               base::did_you_mean(found, valid);
  }
  return fallback;
}

Result<void> ParameterReader::finish() {
  for (std::size_t i = 0; i < parameters_.size() && problem_.empty(); ++i) {
    const auto& parameter = parameters_[i];
    if (parameter.key == nullptr || parameter.value == nullptr) {
      problem_ = owner_ + ": parameter " + std::to_string(i) + " has no key or no value";
      break;
    }
    const std::string key = parameter.key;
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
      problem_ = owner_ + ": unknown parameter '" + key + "'" + base::did_you_mean(key, known_);
    }
  }
  if (problem_.empty()) return {};
  return Error{Code::incompatible, problem_};
}

}  // namespace cambium::nn
