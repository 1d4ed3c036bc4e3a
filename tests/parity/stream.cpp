#include "tests/parity/stream.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "tests/support/robot_memory.hpp"

namespace cambium::parity {

Stream read_stream(const Case& one, const std::string& tensor) {
  const Shape& shape = one.shape(tensor);
  if (shape.size() != 3) throw std::runtime_error(tensor + " is not (batch, tokens, width)");
  return {one.numbers(tensor), static_cast<std::uint32_t>(shape[0]),
          static_cast<std::uint32_t>(shape[1]), static_cast<std::uint32_t>(shape[2])};
}

Numbers feed(trunk::TrunkModel& model, const Stream& stream, std::uint32_t at_once) {
  const std::vector<test::RobotMemory> memories(stream.batch, test::RobotMemory(model));
  Numbers out(stream.tokens.size());
  for (std::uint32_t at = 0; at < stream.length; at += at_once) {
    const std::uint32_t some = std::min(at_once, stream.length - at);
    const std::size_t size = std::size_t{some} * stream.width;
    const auto of = [&](std::uint32_t robot) {
      return (std::size_t{robot} * stream.length + at) * stream.width;
    };
    Numbers rows;
    std::vector<trunk::Segment> segments;
    for (std::uint32_t b = 0; b < stream.batch; ++b) {
      segments.push_back({b * some, some, memories[b].bytes()});
      rows.insert(rows.end(), stream.tokens.begin() + static_cast<std::ptrdiff_t>(of(b)),
                  stream.tokens.begin() + static_cast<std::ptrdiff_t>(of(b) + size));
    }
    const Status done = model.forward(segments, rows.data());
    if (!done.ok()) throw std::runtime_error(std::string("forward: ") + to_string(done.code()));
    for (std::uint32_t b = 0; b < stream.batch; ++b)
      std::copy_n(rows.data() + b * size, size, out.data() + of(b));
  }
  return out;
}

const Numbers& farthest(const Case& one, const std::string& name, std::span<const Numbers> ways) {
  const bool exact = one.has("ref64." + name);
  const auto reference = one.data().read_f64((exact ? "ref64." : "out.") + name);
  if (!reference) throw std::runtime_error(reference.error().message);
  const auto distance = [&](const Numbers& numbers) {
    double most = 0;
    for (std::size_t i = 0; i < std::min(numbers.size(), reference->size()); ++i) {
      const double error = std::abs(numbers[i] - (*reference)[i]);
      if (!(error <= most)) most = std::isnan(error) ? HUGE_VAL : error;
    }
    return most;
  };
  return *std::max_element(ways.begin(), ways.end(), [&](const Numbers& a, const Numbers& b) {
    return distance(a) < distance(b);
  });
}

}  // namespace cambium::parity
