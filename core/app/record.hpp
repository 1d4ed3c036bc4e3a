// core/app/record.hpp: takes what a robot's controller demonstrates from a running host.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/app/host_line.hpp"
#include "core/learn/episodes.hpp"

namespace cambium::app {

struct RecordJob {
  std::string robot;
  std::uint32_t episodes = 50;       ///< 0: until it is interrupted
  std::uint64_t max_rows = 1000000;  ///< it ends there, whatever came together
  double patience = 30;              ///< [s] without a demonstrated tick
  std::uint32_t horizon = 8;         ///< actions in a label
};

struct RecordProgress {
  std::uint64_t episodes = 0;  ///< whole ones
  std::uint64_t rows = 0;      ///< of these
  std::uint64_t dropped = 0;   ///< rows that nobody took in time; each ended an episode
  std::uint64_t refused = 0;   ///< demonstrated ticks that the gate did not let move the robot
};

struct Recorded {
  learn::Demonstrations demonstrations;  ///< empty if it was interrupted before an episode was over
  RecordProgress progress;
  std::uint64_t too_short = 0;        ///< episodes that were left out
  std::vector<std::string> left_out;  ///< sensors
  double seconds = 0;
  bool interrupted = false;
};

/// Asks the host to record `job.robot`, takes the rows until there are enough episodes, and ends
/// the recording, whatever happens. suits: whether this body is worth recording, asked before the
/// first row. watch: called ten times a second; false interrupts. timeout after so much patience.
/// [setup]
Result<Recorded> record(const HostLine& host, const RecordJob& job,
                        const std::function<Result<void>(const plugin::Embodiment&)>& suits,
                        const std::function<bool(const RecordProgress&)>& watch);

/// On a terminal one line that redraws itself; elsewhere a line every tenth of the way.
class RecordLine {
 public:
  /// episodes: that are asked for, 0: any number. [setup]
  RecordLine(std::uint32_t episodes, bool terminal) : episodes_(episodes), terminal_(terminal) {}
  ~RecordLine();  // ends the line
  RecordLine(const RecordLine&) = delete;
  RecordLine& operator=(const RecordLine&) = delete;

  void show(const RecordProgress& progress);

 private:
  const std::uint32_t episodes_;
  const bool terminal_;
  bool drawn_ = false;
  std::uint64_t last_tenth_ = 0;
};

}  // namespace cambium::app
