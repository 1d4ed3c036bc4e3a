#include "core/adapters/openpi/dialogue.hpp"

#include <utility>

#include "core/adapters/openpi/reply.hpp"
#include "core/config/config.hpp"

namespace cambium::openpi {
namespace {

double milliseconds(base::Nanoseconds time) {
  return static_cast<double>(time) / base::kMillisecond;
}

}  // namespace

Dialogue::Dialogue(gateway::Gateway& gateway, std::string client)
    : gateway_(gateway), client_(std::move(client)) {}

Result<std::unique_ptr<Dialogue>> Dialogue::open(gateway::Gateway& gateway, std::string robot,
                                                 std::string client) {
  if (!robot.empty() && !config::is_name(robot))
    return Error{Code::not_found,
                 "what follows ?robot= is no robot's name (letters, digits, '_' and '-')"};
  std::unique_ptr<Dialogue> dialogue(new Dialogue(gateway, std::move(client)));
  auto session = gateway::Session::open(gateway, robot, dialogue->client_);
  if (!session) return session.error();
  dialogue->session_ = std::move(*session);
  dialogue->robot_ = dialogue->session_->robot().robot;
  return dialogue;
}

Frame Dialogue::metadata() {
  const RobotInfo& robot = session_->robot();
  const std::uint32_t rows = gateway_.config().rows ? gateway_.config().rows : robot.horizon;
  writer_.clear();
  write_metadata(writer_, robot, session_->mapping(), rows);
  answered_ = base::monotonic_ns();
  return {false, writer_.bytes()};
}

Frame Dialogue::answer(std::span<const std::byte> message) {
  const base::Nanoseconds came = base::monotonic_ns();
  if (!session_) {
    auto session = gateway::Session::open(gateway_, robot_, client_);
    if (!session) return error(session.error().message);
    session_ = std::move(*session);
  }
  if (auto read = reader_.read(message); !read) {
    gateway_.refuse(client_, read.error().message);
    return error(read.error().message);
  }
  if (auto inferred = session_->infer(reader_.observation(), answer_); !inferred)
    return error(inferred.error().message);
  const base::Nanoseconds now = base::monotonic_ns();
  Timing timing{.infer_ms = milliseconds(now - came), .prev_total_ms = {}};
  if (round_ != 0) timing.prev_total_ms = milliseconds(round_);
  writer_.clear();
  write_reply(writer_, answer_, reader_.dialect(), timing);
  round_ = now - answered_;
  answered_ = now;
  return {false, writer_.bytes()};
}

Frame Dialogue::error(std::string sentence) {
  error_ = std::move(sentence);
  return {true, std::as_bytes(std::span(error_))};
}

}  // namespace cambium::openpi
