#include "tests/parity/parity_case.hpp"

#include <cmath>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "tests/parity/rounding.hpp"

namespace cambium::parity {
namespace {

template <class T>
T value_or_throw(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

double tolerance_of(const Case& one, const std::string& tensor) {
  const auto all = nlohmann::json::parse(one.text("tol_rel_to_max"));
  if (!all.contains(tensor)) {
    throw std::runtime_error("metadata 'tol_rel_to_max' has no '" + tensor + "'");
  }
  const auto& value = all[tensor];
  return value.is_string() ? std::stod(value.get<std::string>()) : value.get<double>();
}

}  // namespace

Case::Case(std::string name, nn::SafetensorsFile data, nn::SafetensorsFile weights)
    : name_(std::move(name)), data_(std::move(data)), weights_(std::move(weights)) {}

Result<Case> Case::open(const std::filesystem::path& folder) {
  auto data = nn::SafetensorsFile::open(folder / "case.safetensors");
  if (!data) return std::move(data).error();
  auto weights = nn::SafetensorsFile::open(folder / "weights.safetensors");
  if (!weights) return std::move(weights).error();
  return Case(folder.filename().string(), std::move(*data), std::move(*weights));
}

Numbers Case::numbers(const std::string& tensor) const {
  return value_or_throw(data_.read_f32(tensor));
}

Numbers Case::weight(const std::string& tensor) const {
  return value_or_throw(weights_.read_f32(tensor));
}

std::vector<std::int64_t> Case::integers(const std::string& tensor) const {
  return value_or_throw(data_.read_i64(tensor));
}

const Shape& Case::shape(const std::string& tensor) const {
  const auto* found = data_.find(tensor);
  if (found == nullptr) throw std::runtime_error("tensor '" + tensor + "' is missing");
  return found->shape;
}

std::string Case::text(const std::string& key) const {
  return value_or_throw(data_.meta(key));
}

std::uint32_t Case::count(const std::string& key) const {
  const std::string value = text(key);
  const auto number = nlohmann::json::parse(value, nullptr, false);
  if (!number.is_number_unsigned() || number.get<std::uint64_t>() > 1'000'000) {
    throw std::runtime_error("metadata '" + key + "' is '" + value + "', expected a whole number");
  }
  return number.get<std::uint32_t>();
}

void ParameterList::set(std::string key, std::string value) {
  values_[std::move(key)] = std::move(value);
}

void ParameterList::copy(const Case& from, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const auto found = from.data().metadata().find(key);
    if (found != from.data().metadata().end()) set(key, found->second);
  }
}

std::vector<Parameter> ParameterList::view() const {
  std::vector<Parameter> parameters;
  for (const auto& [key, value] : values_) parameters.push_back({key.c_str(), value.c_str()});
  return parameters;
}

std::vector<Comparison> compare(const Case& expected, const Outputs& outputs,
                                double rms_tolerance) {
  std::vector<Comparison> found;
  for (const auto& tensor : expected.data().tensors()) {
    if (!tensor.name.starts_with("out.")) continue;
    const std::string name = tensor.name.substr(4);
    const bool exact = expected.has("ref64." + name);
    const auto reference =
        value_or_throw(expected.data().read_f64(exact ? "ref64." + name : tensor.name));
    Comparison one;
    one.tensor = tensor.name;
    one.tolerance = tolerance_of(expected, tensor.name) * (exact ? 1 : 2);
    const auto output = outputs.find(name);
    if (output == outputs.end()) throw std::runtime_error("no output '" + name + "' was computed");
    if (output->second.size() != reference.size()) {
      throw std::runtime_error("output '" + name + "' has " +
                               std::to_string(output->second.size()) + " numbers, expected " +
                               std::to_string(reference.size()));
    }
    double largest = 0, error = 0, size = 0;
    bool finite = true;
    for (std::size_t i = 0; i < reference.size(); ++i) {
      const double difference = std::abs(output->second[i] - reference[i]);
      finite = finite && std::isfinite(difference);
      one.max_abs = std::max(one.max_abs, difference);
      largest = std::max(largest, std::abs(reference[i]));
      error += difference * difference;
      size += reference[i] * reference[i];
    }
    one.max_rel = largest > 0 ? one.max_abs / largest : one.max_abs;
    one.rms_rel = std::sqrt(size > 0 ? error / size : error);
    one.rms_tolerance = rms_tolerance * scatter_of(reference.size());
    one.pass = finite && (rms_tolerance > 0 ? one.rms_rel <= one.rms_tolerance
                                            : one.max_rel <= one.tolerance);
    found.push_back(std::move(one));
  }
  if (found.empty()) throw std::runtime_error("the case has no tensor 'out.…' to compare with");
  return found;
}

}  // namespace cambium::parity
