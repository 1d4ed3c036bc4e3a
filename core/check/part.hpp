// core/check/part.hpp: a stem or a head, tried alike: numbers in, numbers out.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "cambium/head.hpp"
#include "cambium/state.hpp"
#include "cambium/stem.hpp"
#include "core/plugin/plugin_library.hpp"

namespace cambium::check {

/// Input of one call: a window of `steps` observations, or (a head's) features.
struct Sample {
  std::vector<float> values;
  std::uint32_t steps = 1;
};

/// How one stem or head is made and set up. Borrows library, weights and parameters.
struct PartSpec {
  std::string title;  ///< "head 'mlp'"
  const plugin::PluginLibrary* library = nullptr;
  std::string name;
  bool is_head = false;
  std::vector<Parameter> parameters;
  std::vector<TensorView> weights;
  StemSpec stem;  ///< without parameters and weights
  HeadSpec head;

  const char* call() const noexcept { return is_head ? "decode()" : "encode()"; }
  std::uint32_t longest() const noexcept { return is_head ? 1 : stem.horizon; }
  std::uint64_t step_size() const noexcept;    ///< numbers in one step of the input
  std::uint64_t output_size() const noexcept;  ///< numbers in the output
  Sample sample(std::mt19937& random, std::uint32_t steps) const;  ///< evenly from -1 to 1
  Sample sample(std::mt19937& random) const { return sample(random, longest()); }
  Sample filled(float value) const;
};

struct StemPart {
  std::string title;
  const plugin::PluginLibrary* library = nullptr;
  std::string name;
  std::vector<std::uint32_t> shape;
  std::uint32_t horizon = 1, tokens = 1, width = 0;
  std::vector<Parameter> parameters;
  std::vector<TensorView> weights;
};
PartSpec stem_part(StemPart part);

/// One living stem or head. What goes wrong ends the check. Deactivates itself.
class Part {
 public:
  /// Made, not active.
  explicit Part(const PartSpec& spec);
  ~Part() { deactivate(); }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  const PartSpec& spec() const noexcept { return spec_; }
  State* state() const noexcept { return state_; }  ///< null if it remembers nothing

  Status activate(std::span<const TensorView> weights, std::span<const Parameter> parameters,
                  Message& why) noexcept;
  void activate();  ///< as the bundle says; a refusal ends the check
  void deactivate() noexcept;
  /// Nothing but the call.
  Status run(const Sample& in, std::span<float> out) noexcept;
  /// The output; a status that is not ok ends the check.
  std::vector<float> run(const Sample& in);

 private:
  PartSpec spec_;
  plugin::StemHandle stem_;
  plugin::HeadHandle head_;
  State* state_ = nullptr;
  bool active_ = false;
};

/// One of every stem and head that the library exports, made and destroyed, never activated. What
/// cannot be made ends the check.
void make_all(const plugin::PluginLibrary& library);

/// Index of the first number whose bits differ, or -1.
std::int64_t first_difference(std::span<const float> a, std::span<const float> b) noexcept;

}  // namespace cambium::check
