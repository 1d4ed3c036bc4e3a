#include "core/trunk/session_desk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "cambium/version.hpp"
#include "wire/session_generated.h"

namespace cambium::trunk {
namespace {

constexpr std::size_t kMostClients = 1024, kLongestClient = 64;

static_assert(
    static_cast<int>(SessionOrder::Verb::save) + 1 == static_cast<int>(wire::SessionVerb::save) &&
    static_cast<int>(SessionOrder::Verb::load) + 1 == static_cast<int>(wire::SessionVerb::load) &&
    static_cast<int>(SessionOrder::Verb::drop) + 1 == static_cast<int>(wire::SessionVerb::drop));

std::string text_of(const flatbuffers::String* text) {
  return text == nullptr ? "" : text->str();
}

}  // namespace

SessionDesk::SessionDesk(Snapshots::Options options, const ModelShelf& shelf, base::Waker& waker,
                         Send send)
    : shelf_(shelf), send_(std::move(send)), files_(std::move(options), shelf, waker) {}

bool SessionDesk::handle(const transport::Peer& from, std::span<const std::byte> bytes) {
  const auto* message = transport::verify<wire::Session>(bytes, wire::SessionIdentifier());
  if (message == nullptr || message->request() == nullptr) return false;
  ask(from, *message->request());
  return true;
}

void SessionDesk::ask(const transport::Peer& from, const wire::SessionRequest& request) {
  const std::string name = text_of(request.name());
  const auto refuse = [&](Code code, std::string why) {
    answer(from, request.request(), Error{code, std::move(why)}, name);
  };
  if (request.protocol() != kWireProtocol)
    return refuse(Code::incompatible,
                  fmt::format("you speak wire protocol {}, this trunk speaks {}",
                              request.protocol(), kWireProtocol));
  if (request.verb() == wire::SessionVerb::list) return list(from, request.request());
  if (request.verb() > wire::SessionVerb::drop)
    return refuse(Code::bad_argument, fmt::format("no session verb has the number {}",
                                                  static_cast<int>(request.verb())));
  const auto ordered =
      files_.order({.verb = static_cast<SessionOrder::Verb>(static_cast<int>(request.verb()) - 1),
                    .name = name,
                    .file = text_of(request.file()),
                    .from = from,
                    .request = request.request()});
  if (!ordered) refuse(ordered.error().code, ordered.error().message);
}

void SessionDesk::tend(base::Nanoseconds now) {
  files_.tend(now);
  while (const auto done = files_.done())
    answer(done->order.from, done->order.request, done->said, done->name);
}

void SessionDesk::heard(const transport::Peer& from, std::string_view client) {
  // Peers come and go without a word; the names of those that are left are heard again soon.
  if (clients_.size() >= kMostClients) clients_.clear();
  std::string& name = clients_[from.text()];
  if (name != client) name = client.substr(0, kLongestClient);
}

flatbuffers::Offset<wire::SessionEntry> SessionDesk::entry(const Lane& lane, const Session& session,
                                                           base::Nanoseconds now) {
  const auto client = clients_.find(session.peer.text());
  const auto name = builder_.CreateString(session.name);
  const auto trunk = builder_.CreateVector(lane.identity.id.data(), lane.identity.id.size());
  const auto architecture = builder_.CreateString(lane.model->info().architecture);
  const auto host = builder_.CreateString(client == clients_.end() ? "" : client->second);
  const auto idle = std::max<base::Nanoseconds>(0, now - session.used) / base::kMillisecond;
  return wire::CreateSessionEntry(builder_, name, trunk, architecture,
                                  lane.sessions.session_bytes(), session.steps, session.episode,
                                  static_cast<std::uint64_t>(idle), session.robot_id, host,
                                  session.steps - session.saved_steps);
}

void SessionDesk::list(const transport::Peer& to, std::uint64_t request) {
  builder_.Clear();
  const auto now = base::monotonic_ns();
  std::vector<flatbuffers::Offset<wire::SessionEntry>> entries;
  std::size_t in_files = 0;
  for (const auto& lane : shelf_.lanes()) {
    in_files += files_.in_files(*lane);
    for (const Session* session : lane->sessions.list())
      entries.push_back(entry(*lane, *session, now));
  }
  const Lane& first = *shelf_.lanes().front();
  const std::string text =
      first.sessions.session_bytes() == 0
          ? fmt::format("this trunk remembers nothing ('{}')", first.model->info().architecture)
      : in_files == 0 ? ""
                      : fmt::format("{} are in files", in_files);
  const auto said = builder_.CreateString(text);
  const auto list = builder_.CreateVector(entries);
  const auto reply =
      wire::CreateSessionReply(builder_, request, static_cast<std::uint16_t>(Code::ok), said, list,
                               first.sessions.session_bytes(), first.sessions.budget());
  wire::FinishSessionBuffer(builder_, wire::CreateSession(builder_, 0, reply));
  send_(to, transport::bytes_of(builder_));
}

void SessionDesk::answer(const transport::Peer& to, std::uint64_t request,
                         const Result<std::string>& said, std::string_view name) {
  builder_.Clear();
  const auto now = base::monotonic_ns();
  std::vector<flatbuffers::Offset<wire::SessionEntry>> entries;
  for (const auto& lane : shelf_.lanes())
    if (const Session* session = said ? lane->sessions.find(name) : nullptr)
      entries.push_back(entry(*lane, *session, now));
  const auto text = builder_.CreateString(said ? *said : said.error().message);
  const auto list = builder_.CreateVector(entries);
  const Code code = said ? Code::ok : said.error().code;
  const Lane& first = *shelf_.lanes().front();
  const auto reply =
      wire::CreateSessionReply(builder_, request, static_cast<std::uint16_t>(code), text, list,
                               first.sessions.session_bytes(), first.sessions.budget());
  wire::FinishSessionBuffer(builder_, wire::CreateSession(builder_, 0, reply));
  send_(to, transport::bytes_of(builder_));
}

}  // namespace cambium::trunk
