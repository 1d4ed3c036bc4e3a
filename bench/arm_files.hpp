// bench/arm_files.hpp: what the bench's arms have learned: nothing, but at the price of the real
// thing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "cambium/result.hpp"
#include "core/nn/stock.hpp"

namespace cambium::bench {

/// An embodiment of libbench_arm.so.
struct ArmBody {
  std::uint32_t dof = 7;
  int control_hz = 200;

  std::string name() const {
    return "bench_arm" + std::to_string(dof) + "_" + std::to_string(control_hz);
  }
  bool operator==(const ArmBody&) const = default;
};

/// A bundle for `stock` with random weights of this seed: proprio stem, shared stems where the
/// stock has them, mlp head. Its actions stay below kArmSpeed, so that two bundles differ by many
/// limiter steps, and keep all limits. [setup]
Result<void> write_arm_bundle(const std::filesystem::path& file, const nn::Stock& stock,
                              const ArmBody& body, std::uint64_t seed);

/// [rad/s]
inline constexpr float kArmSpeed = 0.45F;

/// Copies a library of the bench with other bytes: the digits of its mark become `number`. The file
/// is replaced whole, as a linker should do it. [setup]
Result<void> write_rebuilt(const std::filesystem::path& library, const std::filesystem::path& file,
                           std::uint64_t number);

}  // namespace cambium::bench
