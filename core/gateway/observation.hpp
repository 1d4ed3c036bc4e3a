// core/gateway/observation.hpp: one observation of a foreign client, by its own keys.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/formats/array.hpp"

namespace cambium::gateway {

/// Borrowed from the client's message for the time of a call.
struct Observation {
  struct Entry {
    std::string key;  ///< as the listener's mapping names it: nested keys joined by '/' (openpi,
                      ///< json) or '.' (groot, lerobot)
    formats::ArrayView array;
  };
  std::vector<Entry> entries;
  std::string_view task;       ///< what the robot is told to do; another than before: a new episode
  bool episode_start = false;  ///< the client said so
};

}  // namespace cambium::gateway
