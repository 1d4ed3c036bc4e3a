// tests/support/lerobot_reply.hpp: the actions in a reply of ours, as LeRobot's client finds them.
#pragma once

#include <bit>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace cambium::test {

struct LerobotAction {
  double timestamp = 0;
  std::int64_t timestep = 0;
  std::vector<double> values;
};

/// Only what write_reply() writes: names and keys are in their places, so floats and whole numbers
/// tell all. Throws at anything else.
inline std::vector<LerobotAction> read_reply(const std::string& reply,
                                             std::string* module = nullptr) {
  std::vector<LerobotAction> actions;
  std::size_t at = 2;
  const auto skip_line = [&] {
    const auto end = reply.find('\n', at);
    const auto line = reply.substr(at, end - at);
    at = end + 1;
    return line;
  };
  bool in_values = false;
  while (at < reply.size()) {
    const auto opcode = static_cast<unsigned char>(reply[at++]);
    switch (opcode) {
      case 'c': {
        const auto from = skip_line();
        if (skip_line() == "TimedAction" && module) *module = from;
        break;
      }
      case 'q':
      case 'h':
        ++at;
        break;
      case 'X':
        at += 4 + static_cast<unsigned char>(reply[at]);
        break;
      case ')':
        actions.emplace_back();
        break;
      case ']':
        in_values = !actions.empty();
        break;
      case 'G': {
        std::uint64_t bits = 0;
        for (int i = 0; i < 8; ++i) bits = bits << 8 | static_cast<unsigned char>(reply[at++]);
        const auto value = std::bit_cast<double>(bits);
        if (in_values)
          actions.back().values.push_back(value);
        else
          actions.back().timestamp = value;
        break;
      }
      case 'J': {
        std::uint32_t bits = 0;
        for (int i = 0; i < 4; ++i)
          bits |= std::uint32_t{static_cast<unsigned char>(reply[at++])} << 8 * i;
        actions.back().timestep = static_cast<std::int32_t>(bits);
        break;
      }
      case 'b':
        in_values = false;
        break;
      case '(':
      case '}':
      case 'e':
      case 'u':
      case 'R':
      case 0x81:
      case 0x85:
      case '.':
        break;
      default:
        throw std::runtime_error("opcode " + std::to_string(opcode) + " in a reply");
    }
  }
  return actions;
}

}  // namespace cambium::test
