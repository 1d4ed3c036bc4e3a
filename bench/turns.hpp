// bench/turns.hpp: kinds of work that take turns, so that what the machine does meanwhile happens
// to all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace cambium::bench {

struct Contender {
  /// Does its work once unmeasured, which brings back the caches that the others have used, and
  /// then once for each number, which becomes the time it took [ms].
  std::function<void(std::span<double> ms)> run;
  std::size_t times = 1;           ///< of its work in a turn of take_rounds()
  std::vector<double> ms = {};     ///< of all turns
  std::vector<double> turns = {};  ///< median of each
};

/// At least three rounds, each a turn for everybody; about seven if `seconds` suffice. [setup]
void take_turns(std::span<Contender> contenders, double seconds);

/// So many rounds, for work of which there is only so much: a robot that remembers has a past that
/// grows. [setup]
void take_rounds(std::span<Contender> contenders, std::uint32_t rounds);

/// One contender's time over another's, round by round.
struct Ratio {
  double median = 0, min = 0, max = 0;
};
Ratio ratio(const Contender& over, const Contender& under);

}  // namespace cambium::bench
