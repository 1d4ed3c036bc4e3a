// core/adapters/json/conversation.hpp: one JSON client, whatever its messages travel by.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/adapters/json/request.hpp"
#include "core/gateway/gateway.hpp"
#include "core/gateway/session.hpp"

namespace cambium::adapters {

/// Threads    One user at a time; answer() blocks as Session::infer() does.
class Conversation {
 public:
  /// client: shown to people, "json 127.0.0.1:5123".
  Conversation(gateway::Gateway& gateway, std::string client);
  ~Conversation();

  /// The answer to one message, without a line end; never throws. [any]
  std::string answer(std::string_view message) noexcept;
  /// The answer to what was no message. [any]
  std::string refuse(Code code, const std::string& sentence);
  /// Whether it drives a robot. [any]
  bool seated() const noexcept { return session_ != nullptr; }
  /// Gives the seat back; the next observation takes one again. [any]
  void rest() noexcept;

 private:
  std::string answer_or_throw(std::string_view message);
  std::string refuse(const std::string& id, const Refusal& why);
  bool may_speak(const Request& request, Refusal& why);
  std::string infer(const Request& request);
  std::string describe(const Request& request);

  gateway::Gateway& gateway_;
  const std::string client_;
  bool known_ = false;  // has shown the token
  std::unique_ptr<gateway::Session> session_;
  gateway::Observation observation_;
  gateway::Answer answer_;
};

}  // namespace cambium::adapters
