// core/learn/excerpt.hpp: part of what was recorded.
#pragma once

#include <cstdint>

#include "core/learn/demonstrations.hpp"

namespace cambium::learn {

/// The first `episodes` of them; all, if there are fewer. [setup]
Demonstrations first_episodes(const Demonstrations& all, std::uint64_t episodes);

/// Of each episode its first tick and every `every`-th after it. [setup]
Demonstrations every_tick(const Demonstrations& all, std::uint32_t every);

}  // namespace cambium::learn
