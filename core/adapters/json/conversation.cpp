#include "core/adapters/json/conversation.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/adapters/json/reply.hpp"
#include "core/base/nearest.hpp"

namespace cambium::adapters {

Conversation::Conversation(gateway::Gateway& gateway, std::string client)
    : gateway_(gateway), client_(std::move(client)) {}
Conversation::~Conversation() = default;

void Conversation::rest() noexcept {
  session_.reset();
}

std::string Conversation::answer(std::string_view message) noexcept {
  try {
    return answer_or_throw(message);
  } catch (const std::exception&) {  // memory
    return R"({"error":{"code":"failed","message":"the host could not read this message"}})";
  }
}

std::string Conversation::refuse(Code code, const std::string& sentence) {
  return refuse("", {.code = code, .message = sentence, .key = {}});
}

std::string Conversation::refuse(const std::string& id, const Refusal& why) {
  gateway_.refuse(client_, why.message);
  return write_refusal(id, why);
}

std::string Conversation::answer_or_throw(std::string_view message) {
  Request request;
  Refusal why;
  if (!read_request(message, request, why) || !may_speak(request, why))
    return refuse(request.id, why);
  switch (request.kind) {
    case Request::Kind::ping:
      return write_status(request.id, session_ ? session_->robot().robot : "", gateway_.config());
    case Request::Kind::describe:
      return describe(request);
    case Request::Kind::observation:
      break;
  }
  return infer(request);
}

bool Conversation::may_speak(const Request& request, Refusal& why) {
  if (!gateway_.wants_token() || (known_ && request.token.empty())) return true;
  known_ = gateway_.token_fits(request.token);
  if (known_) return true;
  why = {.code = Code::bad_argument,
         .message = request.token.empty() ? "this endpoint wants a token in the first message"
                                          : "the token is wrong",
         .key = "token"};
  return false;
}

std::string Conversation::describe(const Request& request) {
  const std::string& robot = !request.robot.empty() ? request.robot
                             : session_             ? session_->robot().robot
                                                    : gateway_.config().robots.front();
  const auto& robots = gateway_.config().robots;
  if (std::find(robots.begin(), robots.end(), robot) == robots.end())
    return refuse(request.id, {.code = Code::not_found,
                               .message = "no such robot at this endpoint" +
                                          base::did_you_mean(robot.substr(0, 64), robots),
                               .key = "robot"});
  const auto info = gateway_.door().describe(robot);
  if (!info) return refuse(request.id, {info.error().code, info.error().message, ""});
  const auto mapping = gateway::Mapping::make(
      gateway_.config(), *info, gateway::Gateway::default_action(config::Protocol::json));
  if (!mapping) return refuse(request.id, {mapping.error().code, mapping.error().message, ""});
  return write_description(request.id, *info, *mapping, gateway_.config());
}

std::string Conversation::infer(const Request& request) {
  if (session_ && !request.robot.empty() && request.robot != session_->robot().robot) rest();
  if (!session_) {
    auto opened = gateway::Session::open(gateway_, request.robot, client_);
    if (!opened) return refuse(request.id, {opened.error().code, opened.error().message, ""});
    session_ = std::move(*opened);
  }
  observation_.entries.clear();
  for (const auto& reading : request.readings)
    observation_.entries.push_back({reading.key, reading.array});
  observation_.task = request.task;
  observation_.episode_start = request.episode_start;
  const auto done = session_->infer(observation_, answer_);
  if (done) return write_answer(request.id, answer_, session_->robot().control_hz);
  // The session has counted it, and logged it once.
  return write_refusal(request.id, {done.error().code, done.error().message, ""});
}

}  // namespace cambium::adapters
