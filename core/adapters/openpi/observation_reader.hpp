// core/adapters/openpi/observation_reader.hpp: a message of an openpi client as an observation.
#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"
#include "core/formats/msgpack.hpp"
#include "core/gateway/observation.hpp"

namespace cambium::openpi {

/// Nested maps become keys joined by '/', whatever slashes the keys have themselves; the text
/// `prompt` becomes the task; numbers and lists of numbers become arrays. Other texts, bytes and
/// nils are passed over: no sensor is made of them.
///
/// Threads    One user at a time.
/// Memory     The tree of one message, which formats::Limits bounds.
class ObservationReader {
 public:
  /// bad_data: a sentence for the client. The observation borrows `bytes` and the reader until its
  /// next call. [any]
  Result<void> read(std::span<const std::byte> bytes);

  const gateway::Observation& observation() const noexcept { return observation_; }
  /// In which the message wrote its arrays; openpi if it had none. Replies are written in it.
  formats::ArrayDialect dialect() const noexcept { return dialect_; }

 private:
  Result<void> enter(const std::string& key, const formats::Value& value);
  Result<void> enter_map(const std::string& prefix, const formats::Map& map);
  Result<void> enter_list(const std::string& key, const formats::List& list);

  formats::MsgpackMessage message_;
  gateway::Observation observation_;
  formats::ArrayDialect dialect_ = formats::ArrayDialect::openpi;
  std::deque<std::vector<double>> numbers_;  // what was no array; their places stay
};

}  // namespace cambium::openpi
