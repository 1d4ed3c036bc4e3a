// core/runtime/memory_desk.hpp: opens, watches and lets go of controllers' memory, so that neither
// the io thread nor a robot ever waits for it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cambium/status.hpp"
#include "core/base/spsc_ring.hpp"
#include "core/base/waker.hpp"
#include "core/runtime/frame_memory.hpp"

namespace cambium::runtime {

class MemoryDesk {
 public:
  /// What the desk has to say of one robot's memory.
  struct Report {
    enum class Kind : std::uint8_t { opened, refused, abandoned };
    Kind kind = Kind::refused;
    std::uint32_t robot_id = 0;
    std::uint64_t number = 0;
    std::unique_ptr<FrameMemory> memory;  ///< opened
    Code code = Code::ok;                 ///< refused
    std::string why;
  };

  /// io: woken for each report; borrowed. [setup]
  explicit MemoryDesk(base::Waker& io) : io_(io), thread_([this] { run(); }) {}
  ~MemoryDesk();
  MemoryDesk(const MemoryDesk&) = delete;
  MemoryDesk& operator=(const MemoryDesk&) = delete;

  /// A report about `number` will follow. False: the desk is far behind. [io]
  bool open(std::uint32_t robot_id, std::uint64_t number, const MemoryOffer& offer,
            std::uint64_t most);
  /// Takes memory that nobody reads any more. False: the desk is far behind, `memory` is as it was.
  /// [io]
  bool close(std::unique_ptr<FrameMemory>& memory);
  /// The next report, or null; pop_report() when it was read. [io]
  Report* report() noexcept { return reports_.front(); }
  void pop_report() noexcept { reports_.pop(); }

 private:
  struct Job {
    std::uint32_t robot_id = 0;
    std::uint64_t number = 0, most = 0;
    MemoryOffer offer;
    std::unique_ptr<FrameMemory> spent;  // else it is an offer
  };
  // What the io thread or a robot has.
  struct Watched {
    std::uint32_t robot_id = 0;
    std::uint64_t number = 0;
    base::MemoryHolder holder;
  };

  void run();
  void serve(Job& job);
  void look_for_abandoned();

  base::Waker& io_;
  base::Waker waker_;
  base::SpscRing<Job> jobs_{256};
  base::SpscRing<Report> reports_{256};
  std::vector<Watched> watched_;
  std::atomic<bool> stop_{false};
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace cambium::runtime
