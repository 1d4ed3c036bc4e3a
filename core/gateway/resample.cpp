#include "core/gateway/resample.hpp"

#include <algorithm>
#include <cmath>

namespace cambium::gateway {

Resample::Resample(std::uint32_t from, std::uint32_t to) : from_(from) {
  const double scale = static_cast<double>(from) / to;
  begin_.push_back(0);
  for (std::uint32_t pixel = 0; pixel < to; ++pixel) {
    if (from > to) {
      const double begin = pixel * scale, end = std::min<double>(begin + scale, from);
      const auto first = static_cast<std::uint32_t>(begin);
      first_.push_back(first);
      for (std::uint32_t i = first; i < from && i < end; ++i) {
        const double covered = std::min<double>(end, i + 1) - std::max<double>(begin, i);
        weights_.push_back(static_cast<float>(covered / (end - begin)));
      }
    } else {
      const double at = std::clamp((pixel + 0.5) * scale - 0.5, 0.0, static_cast<double>(from - 1));
      const auto first = std::min(static_cast<std::uint32_t>(at), from - 1);
      const double beyond = at - first;
      first_.push_back(first);
      weights_.push_back(static_cast<float>(1 - beyond));
      if (beyond > 0) weights_.push_back(static_cast<float>(beyond));
    }
    begin_.push_back(static_cast<std::uint32_t>(weights_.size()));
  }
}

}  // namespace cambium::gateway
