// tests/parity/parity_case.hpp: one folder of reference numbers, and what is compared with them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/frame.hpp"
#include "cambium/result.hpp"
#include "core/nn/safetensors.hpp"

namespace cambium::parity {

using Numbers = std::vector<float>;
using Shape = std::vector<std::uint64_t>;
using Outputs = std::map<std::string, Numbers>;  ///< by the name behind "out."

/// A case as it lies on disk: case.safetensors and weights.safetensors. Accessors throw
/// std::runtime_error with a sentence: a broken case is reported, not worked around.
class Case {
 public:
  static Result<Case> open(const std::filesystem::path& folder);

  const std::string& name() const noexcept { return name_; }
  const nn::SafetensorsFile& weights() const noexcept { return weights_; }
  const nn::SafetensorsFile& data() const noexcept { return data_; }

  bool has(const std::string& tensor) const noexcept { return data_.find(tensor) != nullptr; }
  bool has_weight(const std::string& tensor) const noexcept {
    return weights_.find(tensor) != nullptr;
  }
  Numbers numbers(const std::string& tensor) const;
  Numbers weight(const std::string& tensor) const;
  std::vector<std::int64_t> integers(const std::string& tensor) const;
  const Shape& shape(const std::string& tensor) const;

  std::string text(const std::string& key) const;
  std::uint32_t count(const std::string& key) const;

 private:
  Case(std::string name, nn::SafetensorsFile data, nn::SafetensorsFile weights);
  std::string name_;
  nn::SafetensorsFile data_, weights_;
};

/// Hyper-parameters as a stem or head takes them; owns their text.
class ParameterList {
 public:
  void set(std::string key, std::string value);
  /// Copies those of `keys` that the case's metadata has.
  void copy(const Case& from, std::initializer_list<const char*> keys);
  std::vector<Parameter> view() const;

 private:
  std::map<std::string, std::string> values_;
};

/// One tensor compared.
struct Comparison {
  std::string tensor;  ///< "out.action"
  double max_abs = 0, max_rel = 0, tolerance = 0;
  double rms_rel = 0;  ///< rms of the error over rms of the reference
  double rms_tolerance =
      0;  ///< of rms_rel, where the trunk was rounded; else 0, and max_rel counts
  bool pass = false;
};

/// Every out.* of the case against ref64.* (or out.* itself at twice the tolerance).
/// rms_tolerance   0: the case's own tolerances judge; else this does, times scatter_of() each
///                 tensor's numbers, and they are only told
std::vector<Comparison> compare(const Case& expected, const Outputs& outputs,
                                double rms_tolerance = 0);

}  // namespace cambium::parity
