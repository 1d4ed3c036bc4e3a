// core/runtime/inference.hpp: one generation's way from an observation to a chunk: stems, trunk,
// head, one after the other, none of them waited for.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/base/clock.hpp"
#include "core/runtime/frames.hpp"
#include "core/runtime/policy.hpp"

namespace cambium::runtime {

/// At most one request is under way. It goes encoding -> trunk -> decoding -> chunk; encoding and
/// decoding take no time of their own with a policy on this thread.
///
/// Threads    [loop]
/// Real time  Allocates nothing after construction.
class Inference {
 public:
  /// What the robot has to do now.
  enum class Step : std::uint8_t {
    wait,    ///< nothing
    send,    ///< the frame holds tokens for the trunk: publish it
    chunk,   ///< chunk() is new
    failed,  ///< failure() says why; the request is over
  };

  struct Request {
    std::uint64_t id = 0;            ///< unique for a host
    std::uint64_t tick = 0;          ///< of the observation
    std::uint64_t sequence = 0;      ///< of the observation, as its controller counts
    bool lockstep = false;           ///< the controller waits for the chunk
    base::Nanoseconds patience = 0;  ///< in lockstep: see ObservationFrame
    base::Nanoseconds sent = 0;      ///< when it began
    base::Nanoseconds readable = 0;  ///< when its observation came
    MemoryStamp memory;
  };

  struct Failure {
    Code code = Code::ok;
    bool own = false;       ///< of stems or head; else the trunk's
    const char* what = "";  ///< static text: "a stem failed"
  };

  /// policy null: nothing was learned yet. [setup]
  explicit Inference(std::unique_ptr<Policy> policy);

  /// Null: the robot holds.
  Policy* policy() const noexcept { return policy_.get(); }

  bool under_way() const noexcept { return stage_ != Stage::idle; }
  /// Of the request under way, or of the last one.
  const Request& request() const noexcept { return request_; }

  /// Begins with the stems; `out` is filled on `send`. A request under way is given up. [loop, rt]
  Step begin(const Request& request, const ObservationWindow& window, OutFrame& out) noexcept;
  /// Looks after stems or head that run elsewhere. [loop, rt]
  Step poll(OutFrame& out) noexcept;
  /// The trunk's answer; the caller has seen that it belongs to request(). [loop, rt]
  Step on_features(const FeaturesFrame& features) noexcept;
  /// Stems or head run elsewhere and have not answered yet.
  bool elsewhere() const noexcept { return stage_ == Stage::encoding || stage_ == Stage::decoding; }
  /// The request has taken too long: it is given up, as a failure of whoever had it. [loop, rt]
  Step expire() noexcept;
  /// Nobody wants the chunk any more. [loop, rt]
  void cancel() noexcept;

  /// (horizon, dof), unit of the action; valid after `chunk` until the next request's.
  std::span<const float> chunk() const noexcept { return chunk_; }
  /// The tick of its observation; 0: there is none yet.
  std::uint64_t chunk_tick() const noexcept { return chunk_tick_; }
  /// The trunk's time for the chunk. [us]
  float compute_us() const noexcept { return compute_us_; }
  /// What stems and head took for the last request, as seen from the robot's thread.
  base::Nanoseconds took() const noexcept { return took_; }
  const Failure& failure() const noexcept { return failure_; }

 private:
  enum class Stage : std::uint8_t { idle, encoding, trunk, decoding };

  Step encoded(const Outcome& outcome, OutFrame& out) noexcept;
  Step decoded(const Outcome& outcome) noexcept;
  Step fail(Code code, bool own, const char* what) noexcept;

  std::unique_ptr<Policy> policy_;
  Stage stage_ = Stage::idle;
  Request request_;
  std::vector<float> chunk_;  // (horizon, dof)
  std::uint64_t chunk_tick_ = 0;
  float compute_us_ = 0;
  base::Nanoseconds took_ = 0;
  Failure failure_;
};

}  // namespace cambium::runtime
