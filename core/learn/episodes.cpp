#include "core/learn/episodes.hpp"

#include <algorithm>

#include "core/learn/embodiment_scale.hpp"

namespace cambium::learn {

Episodes::Episodes(const plugin::Embodiment& body, std::span<const std::uint32_t> sensors,
                   std::uint32_t horizon)
    : body_(body), sensors_(sensors.begin(), sensors.end()), horizon_(horizon) {
  row_size_ = body_.dof();
  for (const auto sensor : sensors_) row_size_ += body_.sensors[sensor].size();
}

void Episodes::add(std::span<const float> row, bool begins) {
  if (begins) close();
  rows_.insert(rows_.end(), row.begin(), row.end());
  ++open_rows_;
}

void Episodes::close() {
  if (open_rows_ == 0) return;
  const std::uint64_t first = rows_.size() / row_size_ - open_rows_;
  if (open_rows_ >= horizon_) {
    first_rows_.push_back(first);
  } else {
    rows_.resize(first * row_size_);
    ++too_short_;
  }
  open_rows_ = 0;
}

Demonstrations Episodes::finish(std::uint64_t most) const {
  Demonstrations d;
  d.embodiment = body_.name;
  d.action_kind = body_.action;
  d.control_hz = body_.control_hz;
  d.horizon = horizon_;
  d.dof = static_cast<std::uint32_t>(body_.dof());
  d.scale = scale_of(body_);
  for (const auto sensor : sensors_)
    d.sensors.push_back({body_.sensors[sensor].name, body_.sensors[sensor].shape, {}});

  const std::uint64_t episodes = std::min<std::uint64_t>(most, whole());
  for (std::uint64_t e = 0; e < episodes; ++e) {
    const std::uint64_t first = first_rows_[e];
    const std::uint64_t end = e + 1 < whole() ? first_rows_[e + 1] : rows();
    for (std::uint64_t r = first; r < end; ++r) {
      const float* at = rows_.data() + r * row_size_;
      for (auto& sensor : d.sensors) {
        sensor.values.insert(sensor.values.end(), at, at + sensor.size());
        at += sensor.size();
      }
      for (std::uint64_t h = 0; h < horizon_; ++h) {
        const std::uint64_t then = std::min(r + h, end - 1);
        const float* label = rows_.data() + (then + 1) * row_size_ - d.dof;
        d.actions.insert(d.actions.end(), label, label + d.dof);
      }
    }
    d.episode_start.push_back(d.episode_start.back() + static_cast<std::int64_t>(end - first));
  }
  return d;
}

}  // namespace cambium::learn
