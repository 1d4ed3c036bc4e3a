// core/app/live_graft.hpp: grafts a robot that runs: what its controller demonstrates is recorded,
// learned beside it, tried in shadow and swapped in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/app/host_line.hpp"
#include "core/app/record.hpp"
#include "core/learn/training.hpp"

namespace cambium::app {

/// What the training yields to.
enum class Priority : std::uint8_t {
  idle,  ///< to everything: it has only what nothing else wants of a core
  low,   ///< to what is not as nice
};

struct LiveGraftJob {
  RecordJob record;
  std::filesystem::path stock;
  std::filesystem::path output;          ///< the bundle
  std::filesystem::path demonstrations;  ///< where they are kept; empty: nowhere
  learn::Recipe recipe;
  Priority priority = Priority::idle;
  std::uint32_t shadow = 100;              ///< [ticks]
  std::optional<double> shadow_bound;      ///< else as the robot's configuration says
  std::optional<std::uint32_t> probation;  ///< [ticks] the same
  bool force = false;                      ///< write over files that are there
};

/// Ticks that a robot of the host missed.
struct MissedTicks {
  std::string robot;
  std::uint64_t before = 0, after = 0, ticks = 0;  ///< ticks: that passed meanwhile
};

struct LiveGraftReport {
  Code code = Code::ok;
  std::string reason;  ///< why the robot is as it was; empty: the new policy drives it
  bool interrupted = false;
  std::string embodiment;
  RecordProgress recorded;
  std::uint64_t too_short = 0;
  learn::TrainingReport training;
  nlohmann::json swap = nlohmann::json::object();  ///< the host's report; empty: it was not asked
  std::string swap_text;
  bool taken_back = false;  ///< interrupted while it was swapped in
  double record_s = 0, train_s = 0, swap_s = 0;
  std::string trunk_id_before, trunk_id_after;
  std::vector<MissedTicks> robots;
  std::vector<std::filesystem::path> files;
  std::vector<std::string> notes;
};

/// How it is told what goes on; each may be called for long.
struct LiveGraftView {
  std::function<void(const std::string&)> say;  ///< a stage begins
  std::function<void(const RecordProgress&)> recording;
  std::function<void(const learn::Progress&)> training;  ///< from the thread that trains
  std::function<bool()> stop;                            ///< it is to end, and leave no trace
};

/// An error: it did not come as far as a report. Whatever happens, the recording has ended, no file
/// is half written, and unless `code` is ok the robot is driven as before. [setup]
Result<LiveGraftReport> live_graft(const HostLine& host, const LiveGraftJob& job,
                                   const LiveGraftView& view);

}  // namespace cambium::app
