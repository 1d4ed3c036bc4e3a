// core/gateway/mapping.hpp: a listener's names, order, units and pictures, held against an
// embodiment.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cambium/client.hpp"
#include "cambium/result.hpp"
#include "core/config/listener_config.hpp"
#include "core/gateway/observation.hpp"

namespace cambium::gateway {

/// One array of a reply: (rows, joints.size()) of the client's numbers.
struct ActionPart {
  std::string key;
  std::vector<std::uint32_t> joints;  ///< ours, by index
};

/// One array that is expected in an observation, for descriptions of ourselves.
struct ExpectedReading {
  std::string key;
  bool picture = false;
  std::vector<std::uint32_t> shape;  ///< as the sensor; of a picture (rows, columns, colours)
};

/// Immutable but for scratch memory; one user at a time.
class Mapping {
 public:
  /// `default_action` names the array of all joints if the listener has no [[listener.action]].
  /// incompatible: one sentence with the listener's line, the key, the embodiment, what was
  /// expected and the nearest name. Every sensor needs a source, every joint exactly one place in
  /// the reply. [setup]
  static Result<Mapping> make(const config::ListenerConfig& listener, const RobotInfo& robot,
                              const std::string& default_action);
  Mapping(Mapping&&) noexcept;
  Mapping& operator=(Mapping&&) noexcept;
  ~Mapping();

  /// Writes the numbers of each sensor to `to(sensor)`, in SI units. bad_data, not_finite: which
  /// key, what it was, what was expected; missing keys are named with the nearest that is there.
  /// Keys that no sensor needs are ignored. [any]
  template <class To>
  Result<void> read(const Observation& observation, To to) {
    for (std::size_t sensor = 0; sensor < sensors(); ++sensor)
      if (auto done = read_one(observation, sensor, to(sensor)); !done) return done;
    return {};
  }
  std::size_t sensors() const noexcept;

  const std::vector<ActionPart>& parts() const noexcept;
  const std::vector<ExpectedReading>& expected() const noexcept;
  /// Actions (rows, dof) of ours as the client's numbers of one part, (rows, joints). [any]
  void write(std::size_t part, std::span<const float> actions, std::uint32_t rows,
             std::vector<float>& to) const;
  /// Keeps the robot where it was measured: joint positions, or velocities of 0, (rows, dof).
  /// `position` is the sensor joint_position, empty if the embodiment has none: then home. [any]
  void hold(std::span<const float> position, std::uint32_t rows, std::span<float> actions) const;

 private:
  struct Impl;
  explicit Mapping(std::unique_ptr<Impl> impl);
  Result<void> read_one(const Observation& observation, std::size_t sensor, std::span<float> to);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cambium::gateway
