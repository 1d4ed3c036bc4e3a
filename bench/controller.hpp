// bench/controller.hpp: a controller that keeps its period, moves a simulated arm, and remembers
// what it saw.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bench/simulated_arm.hpp"
#include "core/base/clock.hpp"

namespace cambium::bench {

/// What the measurement is doing; stamped on what controllers see.
enum class Phase : std::uint8_t {
  starting,  ///< nothing counts yet
  settling,  ///< between two turns
  quiet,     ///< nothing but ticks
  busy,      ///< with swaps, or faults
};

/// What a controller saw. Times are of base::monotonic_ns().
struct Seen {
  std::uint64_t ticks = 0;             ///< observations sent to a body that was there
  std::uint64_t unanswered = 0;        ///< of these, without an action within the control period
  std::uint64_t quiet_unanswered = 0;  ///< of these, in Phase::quiet
  std::uint64_t policy_ticks = 0;      ///< of these, driven by the policy
  std::uint64_t refused = 0;           ///< observations for a body that had just been swapped
  std::uint64_t generations = 0;       ///< changes of generation, with and without one of the body
  std::uint64_t seams = 0;             ///< of these, those whose jump could be measured
  double seam_steps_max = 0;           ///< largest jump at one within a body, in limiter steps
  double first_steps_max = 0;          ///< the same for the first action of another body, from rest
  std::uint64_t out_of_limit = 0;
  std::string first_fault;               ///< of these, in a sentence
  std::vector<float> quiet_us, busy_us;  ///< round trips of act() in those phases
  bool realtime = false;

  /// A time in which the policy did not drive; `end` 0: it lasts.
  struct Outage {
    base::Nanoseconds begin = 0, end = 0;
  };
  std::vector<Outage> outages;               ///< since the policy drove first
  std::vector<base::Nanoseconds> missed_at;  ///< of the first `unanswered`, kMissedKept at most
};

/// Things a controller does that it should not, each for one tick or so.
enum class Misdeed : std::uint8_t {
  none,
  not_finite,  ///< an observation with NaN
  stall,       ///< half a second of silence
};

/// Owns the thread that is the controller.
class Controller {
 public:
  static constexpr std::size_t kMissedKept = 10'000;

  /// seconds: for how long memory is made ready. out_since: its robot has not been driven since
  /// then; 0: not yet at all. `phase` is borrowed. [setup]
  Controller(std::string endpoint, std::string robot, const std::atomic<Phase>& phase,
             double seconds, base::Nanoseconds out_since = 0);
  ~Controller() { stop(); }
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  /// Ends it, as if it had been killed: no word to the host. [setup]
  void stop();
  /// Done at the next tick; one at a time. [any]
  void misbehave(Misdeed misdeed) { misdeed_.store(misdeed, std::memory_order_relaxed); }
  /// The last tick that the policy drove; 0: none yet. [any]
  base::Nanoseconds last_driven() const { return last_driven_.load(std::memory_order_relaxed); }
  /// After stop(). [setup]
  Seen& seen() { return seen_; }

 private:
  void run();
  void tick(Client& client);
  void note(Drive drive, base::Nanoseconds now);

  const std::string endpoint_, robot_;
  const std::atomic<Phase>& phase_;
  const bool took_over_;  // a robot that another one drove
  std::atomic<bool> stop_{false};
  std::atomic<Misdeed> misdeed_{Misdeed::none};
  std::atomic<base::Nanoseconds> last_driven_{0};
  // The thread's own until it has ended.
  SimulatedArm arm_;
  Seen seen_;
  std::uint64_t generation_ = 0;
  base::Nanoseconds last_sent_ = 0;
  double time_ = 0;  // of the goal's motion [s]
  std::thread thread_;
};

}  // namespace cambium::bench
