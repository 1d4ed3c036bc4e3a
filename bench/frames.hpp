// bench/frames.hpp: a camera frame from controller to host and the action back, through shared
// memory against as bytes.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cambium/result.hpp"

namespace cambium::bench {

struct FramesOptions {
  std::filesystem::path program;  ///< the `cambium` program: the host is a process of its own
  std::filesystem::path plugin;   ///< libbench_camera.so
  int rounds = 10;       ///< each measures all sizes both ways, so that noise hits all alike
  int exchanges = 50;    ///< of each size and way in a round
  double period_ms = 5;  ///< paced as a controller is; 0: back to back
};

/// One size of a frame. Times are from the frame in the controller's hand to its action, all
/// copies included.
struct FrameRow {
  std::string frame;  ///< "480x640x3"
  double kb = 0;
  double memory_us_p50 = 0, memory_us_p99 = 0;
  double bytes_us_p50 = 0, bytes_us_p99 = 0;
  /// Bytes over memory, at the medians: of all rounds, and the least and the most of one round.
  double ratio_p50 = 0, ratio_min = 0, ratio_max = 0;
};

/// Runs it all; progress(done, total) after each round. [setup]
Result<std::vector<FrameRow>> run_frames(const FramesOptions& options,
                                         const std::function<void(int, int)>& progress);

nlohmann::json json_of(const std::vector<FrameRow>& rows);
std::string text_of(const std::vector<FrameRow>& rows);

}  // namespace cambium::bench
