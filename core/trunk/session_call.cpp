#include "core/trunk/session_call.hpp"

#include <algorithm>

#include "cambium/version.hpp"
#include "core/transport/verify.hpp"
#include "wire/notice_generated.h"
#include "wire/session_generated.h"

namespace cambium::trunk {
namespace {

constexpr base::Nanoseconds kTryAgain = 5 * base::kMillisecond;  // nobody is connected yet
constexpr base::Nanoseconds kConnect = 2 * base::kSecond;
constexpr std::size_t kMostBytes = std::size_t{4} << 20;  // 4096 sessions, and then some
constexpr std::uint64_t kRequest = 1;

std::string text_of(const flatbuffers::String* text) {
  return text == nullptr ? "" : text->str();
}

SessionInfo info_of(const wire::SessionEntry& entry) {
  SessionInfo info{.name = text_of(entry.name()),
                   .architecture = text_of(entry.architecture()),
                   .bytes = entry.bytes(),
                   .steps = entry.steps(),
                   .episode = entry.episode(),
                   .unsaved_steps = entry.unsaved_steps(),
                   .idle_ms = entry.idle_ms(),
                   .robot_id = entry.robot_id(),
                   .client = text_of(entry.client())};
  if (entry.trunk() != nullptr && entry.trunk()->size() == info.trunk.size())
    std::copy(entry.trunk()->begin(), entry.trunk()->end(), info.trunk.begin());
  return info;
}

Result<SessionAnswer> answer_of(const wire::SessionReply& reply) {
  const auto code = static_cast<Code>(reply.code());
  if (code != Code::ok) return Error{code, text_of(reply.text())};
  SessionAnswer answer{.text = text_of(reply.text()),
                       .sessions = {},
                       .session_bytes = reply.session_bytes(),
                       .budget_bytes = reply.budget_bytes()};
  if (const auto* entries = reply.sessions())
    for (const auto* entry : *entries) answer.sessions.push_back(info_of(*entry));
  return answer;
}

}  // namespace

Result<SessionAnswer> call_sessions(transport::Context& context, const std::string& endpoint,
                                    const SessionCall& call, base::Nanoseconds timeout) {
  auto socket = transport::Socket::connect(context, transport::SocketKind::dealer, endpoint,
                                           {.max_message_bytes = kMostBytes});
  if (!socket) return socket.error();
  flatbuffers::FlatBufferBuilder builder;
  const auto name = builder.CreateString(call.name), file = builder.CreateString(call.file);
  const auto request = wire::CreateSessionRequest(
      builder, kWireProtocol, kRequest, static_cast<wire::SessionVerb>(call.verb), name, file);
  wire::FinishSessionBuffer(builder, wire::CreateSession(builder, request));
  transport::Poller poller;
  poller.add(*socket);
  const base::Nanoseconds began = base::monotonic_ns();
  bool sent = false;
  for (;;) {
    transport::Peer nobody;
    std::span<const std::byte> bytes;
    while (socket->receive(nobody, bytes).ok()) {
      if (const auto* message = transport::verify<wire::Session>(bytes, wire::SessionIdentifier());
          message != nullptr && message->reply() != nullptr &&
          message->reply()->request() == kRequest)
        return answer_of(*message->reply());
      // A trunk of before there were sessions says that it does not understand.
      if (const auto* notice = transport::verify<wire::Notice>(bytes, wire::NoticeIdentifier()))
        return Error{static_cast<Code>(notice->code()), text_of(notice->text())};
    }
    if (!sent) sent = socket->send(transport::bytes_of(builder)).ok();
    if (*socket->trouble() != '\0')
      return Error{Code::unavailable,
                   "the trunk at '" + endpoint + "' refuses: " + socket->trouble()};
    const base::Nanoseconds passed = base::monotonic_ns() - began;
    if (passed > (sent ? timeout : std::min(timeout, kConnect)))
      return Error{Code::unavailable,
                   "the trunk at '" + endpoint +
                       (sent ? "' has not answered in time" : "' does not answer")};
    poller.wait(sent ? std::min(timeout - passed + 1, 20 * kTryAgain) : kTryAgain);
  }
}

}  // namespace cambium::trunk
