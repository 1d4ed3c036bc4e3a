// bench/swap_stream.hpp: asks for one robot's swaps, one after the other, as fast as they complete.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bench/rig.hpp"

namespace cambium::bench {

/// What came of the swaps that were asked for.
struct SwapTally {
  std::map<std::string, int> by_kind;   ///< done, by the host's word for what was swapped
  std::map<std::string, int> failures;  ///< what should have been done, by reason
  int done = 0, failed = 0;
  int refusals = 0;              ///< asked for something that must be refused, and was
  int shadowed = 0, proved = 0;  ///< of those done, after a shadow, with a probation
  std::vector<double> commit_us, prepare_ms, total_ms;

  void add(const SwapTally& other);
};

/// Whether streams may ask: one for all of them.
class StreamGate {
 public:
  void open();
  /// Returns when no stream waits for an answer any more. [setup]
  void close();
  /// Closes it for good.
  void end();

  /// False: it has ended. [stream]
  bool enter();
  void leave();

 private:
  std::mutex mutex_;  // guards the three below
  std::condition_variable changed_;
  bool open_ = false, ended_ = false;
  int inside_ = 0;
};

/// Owns the thread that asks.
class SwapStream {
 public:
  /// Rig and gate are borrowed; end the gate before the stream goes. [setup]
  SwapStream(const Rig& rig, const RigRobot& robot, StreamGate& gate, std::uint64_t seed);
  ~SwapStream() { join(); }
  SwapStream(const SwapStream&) = delete;
  SwapStream& operator=(const SwapStream&) = delete;

  void join() {
    if (thread_.joinable()) thread_.join();
  }
  /// After join(). [setup]
  const SwapTally& tally() const { return tally_; }

 private:
  enum class Kind : std::uint8_t {
    weights,
    shadowed_weights,
    head,
    stems,
    plugin,
    reload,
    there_and_back,         // another body, and back by another swap
    there_and_rolled_back,  // another body, and back by rollback
    rollback,
    unsound_bundle,
    bundle_of_another_body,
    head_that_is_not_there,
  };

  void run();
  void step(Kind kind);
  runtime::AdminCall call();
  runtime::AdminCall weights();
  /// True if it was done.
  bool swap(const runtime::AdminCall& call);
  void must_be_refused(const runtime::AdminCall& call);
  Result<void> rebuild(const std::filesystem::path& file);

  const Rig& rig_;
  const RigRobot& robot_;
  StreamGate& gate_;
  std::mt19937_64 random_;
  std::uint64_t seed_, rebuilt_ = 0;
  ArmBody body_;
  int variant_ = 0;
  SwapTally tally_;
  std::thread thread_;
};

}  // namespace cambium::bench
