#include "core/learn/excerpt.hpp"

#include <algorithm>

namespace cambium::learn {
namespace {

// `all` without its rows.
Demonstrations empty_like(const Demonstrations& all) {
  Demonstrations part;
  part.embodiment = all.embodiment;
  part.action_kind = all.action_kind;
  part.control_hz = all.control_hz;
  part.horizon = all.horizon;
  part.dof = all.dof;
  part.scale = all.scale;
  for (const RecordedSensor& sensor : all.sensors)
    part.sensors.push_back({sensor.name, sensor.shape, {}, sensor.low, sensor.high});
  return part;
}

void append(const std::vector<float>& from, std::int64_t row, std::size_t size,
            std::vector<float>& to) {
  const auto begin = from.begin() + row * static_cast<std::int64_t>(size);
  to.insert(to.end(), begin, begin + static_cast<std::int64_t>(size));
}

Demonstrations excerpt(const Demonstrations& all, std::uint64_t episodes, std::uint32_t every) {
  Demonstrations part = empty_like(all);
  for (std::uint64_t e = 0; e < std::min(episodes, all.episodes()); ++e) {
    std::int64_t rows = 0;
    for (std::int64_t row = all.episode_start[e]; row < all.episode_start[e + 1]; row += every) {
      for (std::size_t i = 0; i < all.sensors.size(); ++i)
        append(all.sensors[i].values, row, all.sensors[i].size(), part.sensors[i].values);
      append(all.actions, row, std::size_t{all.horizon} * all.dof, part.actions);
      ++rows;
    }
    part.episode_start.push_back(part.episode_start.back() + rows);
  }
  return part;
}

}  // namespace

Demonstrations first_episodes(const Demonstrations& all, std::uint64_t episodes) {
  return excerpt(all, episodes, 1);
}

Demonstrations every_tick(const Demonstrations& all, std::uint32_t every) {
  return excerpt(all, all.episodes(), every);
}

}  // namespace cambium::learn
