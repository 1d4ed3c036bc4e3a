// bench/saboteur.hpp: does one fault after the other to a rig, and keeps book.
#pragma once

#include <atomic>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bench/controller.hpp"
#include "bench/fault_book.hpp"
#include "bench/garbage.hpp"
#include "bench/rig.hpp"

namespace cambium::bench {

/// Owns the controllers, because it kills them.
class Saboteur {
 public:
  /// The rig is borrowed. [setup]
  Saboteur(const Rig& rig, std::uint64_t seed, double seconds);
  ~Saboteur() { end(); }
  Saboteur(const Saboteur&) = delete;
  Saboteur& operator=(const Saboteur&) = delete;

  /// One fault of a random kind that is possible just now. [setup]
  void strike();
  /// Asks the host what it has missed. [setup]
  void look();
  /// Every robot was driven by its policy after its last fault. [setup]
  bool all_driven() const;
  /// Waits for swaps under way and ends the controllers; the books are closed. [setup]
  void end();

  struct Victim {
    const RigRobot& robot;
    std::unique_ptr<Controller> controller;
    RobotBook book;
    base::Nanoseconds last_fault = 0;
    std::uint64_t host_missed = 0;
    // A swap under way has a thread of its own; what it did is read when that has ended.
    std::thread swap;
    std::atomic<bool> swapping{false};
    base::Nanoseconds asked = 0;
    std::string swap_end;
    double prepare_ms = 0;
  };
  /// After end(): what controllers saw in all.
  struct Totals {
    std::uint64_t ticks = 0, policy_ticks = 0, out_of_limit = 0;
    std::string first_fault;
    bool realtime = true;
  };
  std::list<Victim>& victims() { return victims_; }
  const Totals& totals() const { return totals_; }
  const std::map<std::string, int>& faults() const { return faults_; }
  const std::map<std::string, int>& swap_ends() const { return swap_ends_; }

 private:
  Victim& anyone();
  void hit(Victim& victim);
  bool kill_trunk();
  bool kill_controller();
  bool misbehave(Misdeed misdeed);
  bool kill_policy();
  bool bad_head();
  bool bad_file();
  void swap(Victim& victim, runtime::AdminCall call);
  void finish_swap(Victim& victim);
  void end_controller(Victim& victim);
  std::string any_endpoint();

  const Rig& rig_;
  const double seconds_;
  std::mt19937_64 random_;
  Garbage garbage_;
  std::atomic<Phase> phase_{Phase::starting};
  std::list<Victim> victims_;
  base::Nanoseconds last_look_ = 0;
  std::map<std::string, int> faults_, swap_ends_;
  Totals totals_;
};

}  // namespace cambium::bench
