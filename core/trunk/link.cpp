#include "core/trunk/link.hpp"

#include <algorithm>

#include "cambium/version.hpp"
#include "core/transport/verify.hpp"
#include "wire/features_generated.h"
#include "wire/hello_generated.h"
#include "wire/notice_generated.h"
#include "wire/tokens_generated.h"
#include "wire/trunk_info_generated.h"
#include "wire/trunk_load_generated.h"

namespace cambium::trunk {
namespace {
constexpr base::Nanoseconds kHelloEvery = 200 * base::kMillisecond;
constexpr base::Nanoseconds kTryAgain = 5 * base::kMillisecond;  // it has not answered yet
constexpr std::size_t kRobots = 64;  // of a host; room for one request of each
constexpr std::size_t kNotices = 16;
constexpr base::Nanoseconds kSilentAfter = base::kSecond;
constexpr base::Nanoseconds kLook = 20 * base::kMillisecond;

std::string text_of(const flatbuffers::String* text) {
  return text ? text->str() : "";
}

}  // namespace

TrunkLink::TrunkLink(transport::Socket socket, std::string client)
    : socket_(std::move(socket)),
      client_(std::move(client)),
      builder_(std::make_unique<flatbuffers::FlatBufferBuilder>(64 * 1024)) {
  notices_.reserve(kNotices);
  asked_.reserve(kRobots);
}
TrunkLink::TrunkLink(TrunkLink&&) noexcept = default;
TrunkLink& TrunkLink::operator=(TrunkLink&&) noexcept = default;
TrunkLink::~TrunkLink() = default;

Result<TrunkLink> TrunkLink::open(transport::Context& context, const std::string& endpoint,
                                  std::string client, std::size_t max_message_bytes) {
  auto socket = transport::Socket::connect(context, transport::SocketKind::dealer, endpoint,
                                           {.max_message_bytes = max_message_bytes});
  if (!socket) return socket.error();
  return TrunkLink(std::move(*socket), std::move(client));
}

void TrunkLink::heartbeat(base::Nanoseconds now) noexcept {
  if (!socket_.writable()) {
    away_ = true;
    next_hello_ = 0;  // as soon as it is there
    for (auto& asked : asked_) asked.lost = true;
    return;
  }
  if (now < next_hello_) return;
  next_hello_ = now + (away_ ? kTryAgain : kHelloEvery);
  builder_->Clear();
  const auto client = builder_->CreateString(client_);
  const std::size_t bytes = needed_.size() * sizeof(base::Digest);
  const auto needed = builder_->CreateVector(bytes == 0 ? nullptr : needed_.front().data(),
                                             bytes);  // digests lie without gaps
  wire::FinishHelloBuffer(*builder_,
                          wire::CreateHello(*builder_, kWireProtocol, client, 0, 0, needed));
  [[maybe_unused]] const Status sent =
      socket_.send(transport::bytes_of(*builder_));  // said again soon
}

Status TrunkLink::send(const TokensRequest& request) noexcept {
  builder_->Clear();
  const auto trunk = builder_->CreateVector(request.trunk.data(), request.trunk.size());
  const auto values = builder_->CreateVector(request.values.data(), request.values.size());
  flatbuffers::Offset<flatbuffers::String> session;
  if (!request.session.empty()) session = builder_->CreateString(request.session);
  wire::FinishTokensBuffer(
      *builder_,
      wire::CreateTokens(*builder_, request.request, request.robot_id, request.generation, trunk,
                         request.deadline_us, static_cast<wire::Pooling>(request.pooling),
                         request.pooled, request.count, request.width, values, session,
                         request.owner, request.episode, request.time_ns, request.peek));
  const Status sent = socket_.send(transport::bytes_of(*builder_));
  remember(request, !sent.ok());
  return sent;
}

void TrunkLink::remember(const TokensRequest& request, bool lost) noexcept {
  const Asked asked{request.request, request.generation, request.robot_id, lost};
  const auto same = std::find_if(asked_.begin(), asked_.end(), [&](const Asked& one) {
    return one.robot_id == request.robot_id;
  });
  if (same != asked_.end())
    *same = asked;
  else if (asked_.size() < kRobots)
    asked_.push_back(asked);
}

bool TrunkLink::take_lost(FeaturesReply& reply) noexcept {
  if (away_) return false;
  const auto lost =
      std::find_if(asked_.begin(), asked_.end(), [](const Asked& one) { return one.lost; });
  if (lost == asked_.end()) return false;
  reply = {.request = lost->request,
           .generation = lost->generation,
           .robot_id = lost->robot_id,
           .code = Code::unavailable,
           .values = {}};
  asked_.erase(lost);
  return true;
}

bool TrunkLink::receive(FeaturesReply& reply, base::Nanoseconds now) {
  transport::Peer nobody;
  std::span<const std::byte> bytes;
  for (;;) {
    const Status got = socket_.receive(nobody, bytes);
    if (got.code() == Code::stale) return take_lost(reply);
    if (!got.ok()) continue;
    if (const auto* features =
            transport::verify<wire::Features>(bytes, wire::FeaturesIdentifier())) {
      last_heard_ = now;
      const std::size_t size = features->values() ? features->values()->size() : 0;
      reply = {.request = features->request(),
               .generation = features->generation(),
               .robot_id = features->robot_id(),
               .code = static_cast<Code>(features->code()),
               .count = features->count(),
               .width = features->width(),
               .values = {},
               .queue_us = features->queue_us(),
               .compute_us = features->compute_us(),
               .batch = features->batch(),
               .bound = static_cast<std::uint8_t>(features->bound()),
               .retry_us = features->retry_us(),
               .recall = static_cast<Recall>(features->recall()),
               .steps = features->steps()};
      if (size != std::size_t{reply.count} * reply.width) reply.code = Code::bad_data;
      if (size != 0) reply.values = {features->values()->data(), size};
      std::erase_if(asked_, [&](const Asked& one) { return one.request == reply.request; });
      return true;
    }
    if (const auto* info = transport::verify<wire::TrunkInfo>(bytes, wire::TrunkInfoIdentifier())) {
      on_info(*info, now);
    } else if (const auto* load =
                   transport::verify<wire::TrunkLoad>(bytes, wire::TrunkLoadIdentifier())) {
      if (load->reply() != nullptr) on_load_reply(*load->reply());
    } else if (const auto* notice =
                   transport::verify<wire::Notice>(bytes, wire::NoticeIdentifier())) {
      on_notice(*notice);
    }
  }
}

void TrunkLink::on_info(const wire::TrunkInfo& info, base::Nanoseconds now) {
  constexpr std::size_t kIdBytes = sizeof(base::Digest);
  if (info.protocol() != kWireProtocol || !info.id() || info.id()->size() != kIdBytes) return;
  last_heard_ = now;
  away_ = false;
  TrunkInfo identity;
  std::copy(info.id()->begin(), info.id()->end(), identity.id.begin());
  identity.ids.push_back(identity.id);
  // The first of them is `id` itself; a trunk that does not list them has one.
  const std::size_t ids = info.ids() ? std::min<std::size_t>(info.ids()->size() / kIdBytes, 2) : 0;
  for (std::size_t i = 1; i < ids; ++i)
    std::copy_n(info.ids()->data() + i * kIdBytes, kIdBytes, identity.ids.emplace_back().begin());
  identity.architecture = text_of(info.architecture());
  identity.backend = text_of(info.backend());
  identity.width = info.width();
  identity.blocks = info.blocks();
  identity.heads = info.heads();
  identity.max_tokens = info.max_tokens();
  identity.served = info.served();
  identity.resident_kb = info.resident_kb();
  identity.weights_kb = info.weights_kb();
  identity.session_bytes = info.session_bytes();
  identity_ = std::move(identity);
}

void TrunkLink::on_notice(const wire::Notice& notice) noexcept {
  if (notices_.size() == notices_.capacity()) return;
  TrunkNotice& one = notices_.emplace_back();
  one.code = static_cast<Code>(notice.code());
  one.robot_id = notice.robot_id();
  one.request = notice.sequence();
  if (const auto* text = notice.text())
    std::copy_n(text->data(), std::min<std::size_t>(text->size(), one.text.size() - 1),
                one.text.begin());
}

std::optional<TrunkNotice> TrunkLink::notice() noexcept {
  if (notices_.empty()) return std::nullopt;
  const TrunkNotice first = notices_.front();
  notices_.erase(notices_.begin());
  return first;
}

Status TrunkLink::order(std::uint64_t request, const std::filesystem::path& stock,
                        const base::Digest* id) {
  builder_->Clear();
  const auto path = builder_->CreateString(stock.native());
  flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> bytes;
  if (id != nullptr) bytes = builder_->CreateVector(id->data(), id->size());
  wire::FinishTrunkLoadBuffer(
      *builder_,
      wire::CreateTrunkLoad(
          *builder_, wire::CreateTrunkLoadRequest(*builder_, kWireProtocol, request, path, bytes)));
  return socket_.send(transport::bytes_of(*builder_));
}

void TrunkLink::on_load_reply(const wire::TrunkLoadReply& reply) {
  LoadReply answer{.request = reply.request(),
                   .code = static_cast<Code>(reply.code()),
                   .text = text_of(reply.text()),
                   .architecture = text_of(reply.architecture()),
                   .chosen = text_of(reply.chosen()),
                   .width = reply.width(),
                   .blocks = reply.blocks(),
                   .heads = reply.heads(),
                   .weights_kb = reply.weights_kb()};
  if (reply.id() && reply.id()->size() == answer.id.size())
    std::copy(reply.id()->begin(), reply.id()->end(), answer.id.begin());
  else if (answer.code == Code::ok)
    answer.code = Code::bad_data;
  load_reply_ = std::move(answer);
}

bool TrunkLink::alive(base::Nanoseconds now) const noexcept {
  return !away_ && now - last_heard_ < kSilentAfter;
}

namespace {
// That it does not answer, and why if it said so.
std::string does_not_answer(const std::string& endpoint, const TrunkLink& link) {
  const std::string trunk = "the trunk at '" + endpoint + "' ";
  return *link.trouble() == '\0' ? trunk + "does not answer" : trunk + "refuses: " + link.trouble();
}
}  // namespace

std::optional<TrunkInfo> who_is(transport::Context& context, const std::string& endpoint,
                                base::Nanoseconds timeout) {
  auto link = TrunkLink::open(context, endpoint, "who is there", 4096);
  if (!link) return std::nullopt;
  transport::Poller poller;
  poller.add(link->socket());
  FeaturesReply nothing;
  const base::Nanoseconds deadline = base::monotonic_ns() + timeout;
  for (base::Nanoseconds now = base::monotonic_ns(); now < deadline; now = base::monotonic_ns()) {
    link->heartbeat(now);
    while (link->receive(nothing, now)) {
    }
    if (link->identity()) return link->identity();
    poller.wait(kTryAgain);
  }
  return std::nullopt;
}

Result<LoadReply> load_stock(transport::Context& context, const std::string& endpoint,
                             const std::filesystem::path& stock, const base::Digest* id,
                             base::Nanoseconds timeout, const std::function<bool()>& give_up) {
  const auto unavailable = [&](const char* why) {
    return Error{Code::unavailable, "the trunk at '" + endpoint + "' " + why};
  };
  auto link = TrunkLink::open(context, endpoint, "loader", 64 * 1024);
  if (!link) return link.error();
  transport::Poller poller;
  poller.add(link->socket());
  FeaturesReply nothing;
  const base::Nanoseconds began = base::monotonic_ns();
  for (bool sent = false;; poller.wait(sent ? kLook : kTryAgain)) {
    const base::Nanoseconds now = base::monotonic_ns();
    link->heartbeat(now);
    while (link->receive(nothing, now)) {
    }
    if (auto reply = link->load_reply()) {
      if (reply->code != Code::ok) return Error{reply->code, reply->text};
      return std::move(*reply);
    }
    if (!link->alive(now) && now - began > kSilentAfter) {
      if (!sent) return Error{Code::unavailable, does_not_answer(endpoint, *link)};
      return unavailable("went away while it loaded");
    }
    if (now - began > timeout) return unavailable("has not loaded it in time");
    if (give_up()) return unavailable("is no longer waited for: the host ends");
    if (link->alive(now) && !sent) sent = link->order(1, stock, id).ok();
  }
}

Result<FeaturesReply> ask_once(transport::Context& context, const std::string& endpoint,
                               const TokensRequest& request, std::span<float> values,
                               base::Nanoseconds timeout) {
  auto link =
      TrunkLink::open(context, endpoint, "warm-up",
                      64 * 1024 + 8 * values.size_bytes() + 8 * request.values.size_bytes());
  if (!link) return link.error();
  transport::Poller poller;
  poller.add(link->socket());
  const base::Nanoseconds deadline = base::monotonic_ns() + timeout;
  bool sent = false;
  FeaturesReply reply;
  for (;;) {
    const base::Nanoseconds now = base::monotonic_ns();
    if (now >= deadline) return Error{Code::unavailable, does_not_answer(endpoint, *link)};
    link->heartbeat(now);
    while (link->receive(reply, now)) {
      if (reply.request != request.request) continue;
      if (reply.code == Code::ok && reply.values.size() != values.size())
        reply.code = Code::bad_data;
      if (reply.code == Code::ok)
        std::copy(reply.values.begin(), reply.values.end(), values.begin());
      reply.values = values;
      return reply;
    }
    if (link->identity() && !sent) sent = link->send(request).ok();
    poller.wait(std::min(deadline - now, kTryAgain));
  }
}

}  // namespace cambium::trunk
