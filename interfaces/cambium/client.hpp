// cambium/client.hpp: drive a robot through a Cambium host. The one header of the client library;
// hides the wire.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"
#include "cambium/robot.hpp"

namespace cambium {

/// One joint as the host described it. Units as in JointSpec.
struct JointInfo {
  std::string name;
  JointKind kind = JointKind::revolute;
  double position_min = 0, position_max = 0, velocity_max = 0, acceleration_max = 0, home = 0;
};

struct SensorInfo {
  std::string name, unit, frame;
  std::vector<std::uint32_t> shape;
};

/// What the host said about the robot when it accepted us.
struct RobotInfo {
  std::string robot, embodiment;
  std::uint64_t generation = 0;
  std::vector<JointInfo> joints;
  std::vector<SensorInfo> sensors;  ///< an observation has one reading for each, in this order
  ActionKind action = ActionKind::joint_velocity;
  double control_hz = 0;
  std::uint32_t horizon = 0;
  bool shared_memory = false;  ///< large readings do not travel as bytes
};

/// Who drives: the policy, a rung of the fallback ladder, or the controller's own demonstrator.
enum class Drive : std::uint8_t {
  policy = 0,
  waiting = 1,
  hold = 2,
  damped_stop = 3,
  safe_pose = 4,
  finish_chunk = 5,   ///< the policy is in trouble: what is left of its last chunk, then hold
  demonstration = 6,  ///< what demonstrate() was given, as the gate let it through
};

constexpr const char* to_string(Drive drive) noexcept {
  switch (drive) {
    case Drive::policy:
      return "policy";
    case Drive::waiting:
      return "waiting";
    case Drive::hold:
      return "hold";
    case Drive::damped_stop:
      return "damped stop";
    case Drive::safe_pose:
      return "safe pose";
    case Drive::finish_chunk:
      return "finish chunk";
    case Drive::demonstration:
      return "demonstration";
  }
  return "unknown";
}

/// The host's answer to one observation. Borrowed: `values` lives until the next call on the
/// client.
struct ActionReply {
  std::span<const float> values;  ///< (dof), unit of RobotInfo::action; has passed the safety gate
  Drive drive = Drive::waiting;
  Code reason = Code::ok;  ///< why the policy does not drive
  std::uint64_t generation = 0;
  std::uint64_t limited = 0;  ///< bit j: the gate changed joint j
};

/// The host's answer to infer(). Borrowed like ActionReply.
struct ChunkReply {
  std::span<const float> values;  ///< (horizon, dof) row-major, gated
  std::uint32_t horizon = 0, dof = 0;
  std::uint64_t generation = 0;
  float trunk_compute_us = 0;
  Drive drive = Drive::policy;  ///< another: rows that keep the robot where it is, see hold_chunks
  Code reason = Code::ok;       ///< why the policy does not drive
};

/// Something a controller's user wants to know, in a sentence.
struct ClientEvent {
  enum class Kind : std::uint8_t {
    connected,           ///< the host accepted us; robot() is fresh
    disconnected,        ///< no answer any more; reconnecting by itself
    refused,             ///< the host said no; `text` says why; trying again by itself
    drive_changed,       ///< policy, waiting, hold, damped stop, safe pose
    generation_changed,  ///< a swap, same body
    body_changed,        ///< the slot now holds another embodiment: this controller no longer fits
  };
  Kind kind = Kind::connected;
  std::string text;
};

struct ClientOptions {
  std::string endpoint;    ///< of the host's controllers, "ipc:///run/cambium/control"
  std::string robot;       ///< slot to drive
  std::string embodiment;  ///< body this controller was written for; empty: take what is there
  std::string name;        ///< shown to people; empty: program and pid
  std::function<void(const ClientEvent&)>
      on_event;  ///< called from inside the client's calls, on their thread
  /// [bytes] Larger readings go through shared memory if the host is on this machine.
  std::size_t share_from = kShareFrom;

  /// infer() answers what the policy or the trunk refuses with rows that bring the robot to rest
  /// where it is and hold it there, gated as all are, instead of with an error.
  bool hold_chunks = false;

  /// Own secret key, as `cambium keys new` made it; over tcp the connection is encrypted then, and
  /// the host must have it on its list. Empty: none, and only hosts on this machine are called.
  std::filesystem::path key_file;
  /// Public key of the host; whoever answers without its secret half is not spoken to. Empty: the
  /// host has the same key as this controller.
  std::filesystem::path host_key_file;

  static constexpr std::size_t kShareFrom = 8192;  ///< below, bytes are as fast
  static constexpr std::size_t kNeverShare = SIZE_MAX;
};

/// A controller's end of the socket.
///
/// Threads    One client, one thread. Nothing runs in the background but ZeroMQ's own I/O.
/// Failure    A host that is away, restarts or refuses is an event and an empty answer, never an
/// exception: the
///            controller keeps its robot still and calls again; the client reconnects by itself.
class Client {
 public:
  /// Checks the options, reads the keys and opens the socket; does not wait for the host.
  static Result<Client> open(ClientOptions options);
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  /// Waits until the host has accepted us. unavailable (nobody answers) or the host's refusal, with
  /// its sentence.
  Result<RobotInfo> wait(std::chrono::milliseconds timeout);
  /// Null until the host has accepted us, and after the body changed.
  const RobotInfo* robot() const noexcept;

  /// Begins an observation; `time` is now. Readings are copied as they are set, large ones to
  /// where the host reads them (RobotInfo::shared_memory).
  /// index, values   as RobotInfo::sensors; bad_argument if index or size do not fit.
  Status set(std::size_t sensor, std::span<const float> values) noexcept;
  /// The same by name; not_found for a name that the robot does not have.
  Status set(std::string_view sensor, std::span<const float> values) noexcept;
  /// The next observation starts a new episode: the host forgets window and chunk, and takes the
  /// robot's velocity from what it measures; a trunk that remembers begins anew. The first one does
  /// so by itself; when the connection is made again, window and chunk are forgotten, but what the
  /// trunk remembers goes on.
  void start_episode() noexcept;

  /// A person or an expert commands this tick: the next act() sends it along, and what is answered
  /// is this action, once it has passed the safety gate, instead of the policy's. Copied.
  /// action  (dof)           unit of RobotInfo::action
  /// label   (dof) or empty  what a policy is to learn of this tick, if that is not what is
  ///                         commanded: an expert whose commands are disturbed on purpose
  /// bad_argument if a size does not fit; unavailable while not connected.
  Status demonstrate(std::span<const float> action, std::span<const float> label = {}) noexcept;

  /// Sends what was set and waits for the gated action. timeout: no answer in time (a late one will
  /// be dropped, never mistaken for the next); unavailable: not connected; stale: the body changed.
  Status act(ActionReply& reply, std::chrono::microseconds timeout) noexcept;
  /// Sends what was set and waits for a fresh chunk (lockstep); bad_argument after demonstrate().
  Status infer(ChunkReply& reply, std::chrono::microseconds timeout) noexcept;

 private:
  class Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cambium
