// core/config/listener_config.hpp: [[listener]] as immutable structs: where clients of other
// protocols connect, and how their names, units and pictures become ours.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace cambium::config {

enum class Protocol : std::uint8_t {
  openpi,   ///< msgpack over a WebSocket
  groot,    ///< msgpack over ZeroMQ
  lerobot,  ///< pickles over gRPC
  json,     ///< one JSON object a line, or a ZeroMQ message
};

/// What a foreign number means, seen from a joint.
enum class Unit : std::uint8_t {
  si,              ///< rad or m, per second for velocities: as the embodiment itself
  degrees,         ///< of revolute joints
  millimetres,     ///< of prismatic joints
  range_0_1,       ///< of the joint's position limits: 0 is position_min, 1 is position_max
  range_0_100,     ///< the same in percent (LeRobot's RANGE_0_100)
  range_m100_100,  ///< -100 is position_min, 100 is position_max (LeRobot's RANGE_M100_100)
};

enum class PixelLayout : std::uint8_t {
  seen,  ///< as the array's shape says: the axis of 1 or 3; refused where both would do
  hwc,   ///< rows, columns, colours
  chw,   ///< colours, rows, columns
};
enum class Colours : std::uint8_t { rgb, bgr };
/// What is done with a picture of another size than the sensor's.
enum class Fit : std::uint8_t {
  exact,    ///< it is refused
  stretch,  ///< scaled, each axis by its own factor
  pad,      ///< scaled by one factor, black at the edges
};
/// What the sensor's numbers are, of pixels from 0 to 255.
enum class PixelRange : std::uint8_t {
  unit,       ///< 0 to 1
  symmetric,  ///< -1 to 1
  bytes,      ///< 0 to 255
};

/// [[listener.sensor]]: where the numbers of one of the embodiment's sensors come from.
struct SensorMapping {
  std::string sensor;               ///< ours
  std::vector<std::string> keys;    ///< theirs, one after the other; empty: the sensor's name
  std::vector<std::uint32_t> take;  ///< numbers out of these, in our order; empty: all
  Unit unit = Unit::si;             ///< of a sensor in joints' frame
  std::vector<Unit> units;          ///< of each number, instead of `unit`
  bool numbers = false;             ///< any of the three above was given
  bool picture = false;             ///< any of the four below was given
  PixelLayout layout = PixelLayout::seen;
  Colours colours = Colours::rgb;
  Fit fit = Fit::exact;
  PixelRange range = PixelRange::unit;
  std::uint32_t line = 0;  ///< of the file, for messages
};

/// [[listener.action]]: one array of a reply.
struct ActionMapping {
  std::string key;                  ///< theirs
  std::vector<std::string> joints;  ///< ours, in their order; empty: all
  Unit unit = Unit::si;
  std::vector<Unit> units;  ///< of each joint, instead of `unit`
  std::uint32_t line = 0;   ///< of the file, for messages
};

/// One [[listener]] of a host.
struct ListenerConfig {
  Protocol protocol = Protocol::json;
  std::string endpoint;              ///< "tcp://ADDRESS:PORT" or "ipc://PATH"
  std::vector<std::string> robots;   ///< slots that its clients may drive; who names none, drives
                                     ///< the first that is free
  std::filesystem::path token_file;  ///< absolute; its first line is what clients must show; empty:
                                     ///< loopback only
  std::chrono::milliseconds answer_within{500};  ///< then a hold chunk is the answer
  std::chrono::milliseconds silent_after{
      10'000};                            ///< a client unheard for so long gives up its seat
  std::uint32_t max_message_kb = 16'384;  ///< of one client's message
  std::uint32_t max_clients = 16;         ///< connected at once
  std::uint32_t rows = 0;                 ///< of a chunk that are sent; 0: the policy's horizon
  bool zeromq = false;                    ///< json: messages of ZeroMQ instead of lines
  bool modality_text = false;  ///< groot: modality configs as N1.5 reads them, JSON in a text
  std::map<std::string, std::string> policies;  ///< lerobot: "TYPE PATH" that a client asks for ->
                                                ///< robot; empty: `robots` whatever it asks for
  std::vector<SensorMapping> sensors;
  std::vector<ActionMapping>
      actions;             ///< empty: one array of all joints, named as the protocol does
  std::uint32_t line = 0;  ///< of the file, for messages
  std::string file;        ///< as the user named it, for messages
};

/// The words of a file for the enumerations above, in their order. [any]
const std::vector<std::string>& protocol_names();
const std::vector<std::string>& unit_names();

}  // namespace cambium::config
