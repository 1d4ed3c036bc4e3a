// core/adapters/json/request.hpp: one message of a JSON client, read and checked
// (docs/json-schema/request.schema.json).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/status.hpp"
#include "core/formats/array.hpp"

namespace cambium::adapters {

struct Request {
  enum class Kind : std::uint8_t { observation, describe, ping };

  /// One array of an observation.
  struct Reading {
    std::string key;                ///< nested ones joined by '/'
    formats::ArrayView array;       ///< borrows one of the two below
    std::vector<float> numbers;     ///< of nested lists
    std::vector<std::byte> packed;  ///< of base64
  };

  Kind kind = Kind::observation;
  std::string id;  ///< as JSON, for the answer; empty: none was given
  std::string robot, token, task;
  bool episode_start = false;
  std::vector<Reading> readings;
};

/// What is wrong with a message: `message` holds none of its bytes, so it may be logged.
struct Refusal {
  Code code = Code::bad_data;
  std::string message;
  std::string key;  ///< of the message or the observation, where one is to blame
};

/// False: `why` says it, and `to.id` is the client's if it came before the mistake. Numbers go
/// straight into their arrays, so that a message takes no more than a few times its own size.
/// [any]
bool read_request(std::string_view text, Request& to, Refusal& why);

}  // namespace cambium::adapters
