// core/runtime/memory_intake.hpp: which controller's memory each robot reads; the io thread's part
// of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "cambium/result.hpp"
#include "core/runtime/memory_desk.hpp"

namespace cambium::runtime {

class Robot;
class Worker;

/// Offers go to the desk; what it has opened goes to the robot as a message, what the robot reads
/// no more comes back and is closed by the desk.
///
/// Threads    [io]; the desk has one of its own.
class MemoryIntake {
 public:
  static constexpr std::size_t kMaxRobots = 64;

  /// io: woken when there is something for work(). [setup]
  explicit MemoryIntake(base::Waker& io) : desk_(io) {}

  /// A robot that was added or removed (null). [io]
  void set_robot(std::uint32_t robot_id, Robot* robot, Worker* worker) noexcept;

  /// What a controller offers; the answer follows from work(), with its sequence. most: [bytes].
  /// [io]
  Result<void> offer(std::uint32_t robot_id, std::uint64_t sequence, const MemoryOffer& offer,
                     std::uint64_t most);
  /// The controller left, or begins anew: the robot reads its memory no more. [io]
  void release(std::uint32_t robot_id) noexcept;
  /// Number of the memory that the robot reads; 0: none. [io, rt]
  std::uint64_t memory_of(std::uint32_t robot_id) const noexcept {
    return entries_[robot_id].number;
  }

  /// code ok: the robot reads there. [io]
  using Answer = std::function<void(std::uint32_t robot_id, std::uint64_t sequence, Code code,
                                    const std::string& why)>;
  /// Hands over what desk and robots have to say. [io]
  void work(const Answer& answer);

 private:
  struct Entry {
    Robot* robot = nullptr;
    Worker* worker = nullptr;
    std::uint64_t number = 0;   // what the robot reads
    std::uint64_t offered = 0;  // what the desk is opening
    std::uint64_t sequence = 0;
    bool release_due = false;
  };

  bool give(Entry& entry, std::unique_ptr<FrameMemory>& memory) noexcept;
  void settle(MemoryDesk::Report& report, const Answer& answer);

  std::array<Entry, kMaxRobots> entries_;  // by robot id
  std::uint64_t last_number_ = 0;
  std::unique_ptr<FrameMemory> homeless_;  // opened for a robot or controller that has gone
  MemoryDesk desk_;
};

}  // namespace cambium::runtime
