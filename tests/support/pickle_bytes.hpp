// tests/support/pickle_bytes.hpp: pickles of protocol 4, put together opcode by opcode: what
// LeRobot's clients send, and what nobody should.
#pragma once

#include <bit>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cambium::test {

/// Opcodes that leave one value each; concatenated by their callers.
namespace pickled {

inline std::string little(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> 8 * i & 0xffU);
  return out;
}
inline std::string text(std::string_view value) {
  return "X" + little(value.size(), 4) + std::string(value);
}
inline std::string bytes(std::string_view value) {
  return "B" + little(value.size(), 4) + std::string(value);
}
inline std::string whole(std::int64_t value) {
  return "\x8a\x08" + little(static_cast<std::uint64_t>(value), 8);
}
inline std::string real(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  std::string out = "G";
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(bits >> shift & 0xffU);
  return out;
}
inline std::string truth(bool value) {
  return value ? "\x88" : "\x89";
}
inline std::string tuple(std::initializer_list<std::string> items) {
  std::string out = "(";
  for (const auto& item : items) out += item;
  return out + "t";
}
inline std::string list(const std::vector<std::string>& items) {
  std::string out = "](";
  for (const auto& item : items) out += item;
  return out + "e";
}
using Entries = std::vector<std::pair<std::string, std::string>>;  ///< names, and opcodes
inline std::string dict(const Entries& entries) {
  std::string out = "}(";
  for (const auto& [key, value] : entries) out += text(key) + value;
  return out + "u";
}
inline std::string name(std::string_view module, std::string_view name) {
  return text(module) + text(name) + "\x93";
}
inline std::string object(std::string_view module, std::string_view of, const Entries& fields) {
  return name(module, of) + ")\x81" + dict(fields) + "b";
}
inline std::string dtype(std::string_view of, std::string_view order) {
  const std::string none = "N";
  return name("numpy", "dtype") + tuple({text(of), truth(false), truth(true)}) + "R" +
         tuple({whole(3), text(order), none, none, none, whole(-1), whole(-1), whole(0)}) + "b";
}
inline std::string shape(std::initializer_list<std::int64_t> lengths) {
  std::string out = "(";
  for (const auto length : lengths) out += whole(length);
  return out + "t";
}
/// As numpy writes it for protocol 4.
inline std::string array(const std::string& type, std::initializer_list<std::int64_t> lengths,
                         std::string_view data, bool fortran = false) {
  return name("numpy._core.multiarray", "_reconstruct") +
         tuple({name("numpy", "ndarray"), shape({0}), bytes("b")}) + "R" +
         tuple({whole(1), shape(lengths), type, truth(fortran), bytes(data)}) + "b";
}
/// And for protocol 5.
inline std::string buffer_array(const std::string& type,
                                std::initializer_list<std::int64_t> lengths, std::string_view data,
                                std::string_view order) {
  return name("numpy._core.numeric", "_frombuffer") +
         tuple({bytes(data), type, shape(lengths), text(order)}) + "R";
}
inline std::string whole_message(const std::string& value) {
  return "\x80\x04" + value + ".";
}

}  // namespace pickled

inline std::span<const std::byte> as_message(const std::string& pickle) {
  return std::as_bytes(std::span(pickle));
}

inline constexpr std::string_view kLerobotModule = "lerobot.async_inference.helpers";

struct LerobotFrame {
  double timestamp = 1788220800.125;
  std::int64_t timestep = 0;
  bool must_go = true;
  pickled::Entries readings;  ///< names, and opcodes
  std::string_view module = kLerobotModule;
};

inline std::string lerobot_observation(const LerobotFrame& frame) {
  using namespace pickled;
  return whole_message(object(frame.module, "TimedObservation",
                              {{"timestamp", real(frame.timestamp)},
                               {"timestep", whole(frame.timestep)},
                               {"observation", dict(frame.readings)},
                               {"must_go", truth(frame.must_go)}}));
}

/// lerobot_features of a robot with these numbers and cameras of (rows, columns).
struct LerobotRobot {
  std::vector<std::string> numbers;
  std::vector<std::pair<std::string, std::pair<int, int>>> cameras;
  std::string type = "act", path = "user/my_act_policy";
  std::int64_t rows = 10;
  pickled::Entries renamed;
  std::string_view module = kLerobotModule;
};

inline std::string lerobot_setup(const LerobotRobot& robot) {
  using namespace pickled;
  std::vector<std::string> names;
  for (const auto& number : robot.numbers) names.push_back(text(number));
  Entries features = {
      {"observation.state", dict({{"dtype", text("float32")},
                                  {"shape", shape({static_cast<std::int64_t>(names.size())})},
                                  {"names", list(names)}})}};
  for (const auto& [camera, size] : robot.cameras)
    features.emplace_back("observation.images." + camera,
                          dict({{"dtype", text("image")},
                                {"shape", shape({size.first, size.second, 3})},
                                {"names", list({text("height"), text("width"), text("channels")})},
                                {"info", dict({{"is_depth_map", truth(false)}})}}));
  return whole_message(object(robot.module, "RemotePolicyConfig",
                              {{"policy_type", text(robot.type)},
                               {"pretrained_name_or_path", text(robot.path)},
                               {"lerobot_features", dict(features)},
                               {"actions_per_chunk", whole(robot.rows)},
                               {"device", text("cpu")},
                               {"rename_map", dict(robot.renamed)}}));
}

}  // namespace cambium::test
