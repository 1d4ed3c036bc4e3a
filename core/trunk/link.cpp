#include "core/trunk/link.hpp"

#include <algorithm>

#include "cambium/version.hpp"
#include "core/transport/verify.hpp"
#include "wire/features_generated.h"
#include "wire/hello_generated.h"
#include "wire/tokens_generated.h"
#include "wire/trunk_info_generated.h"

namespace cambium::trunk {
namespace {
constexpr base::Nanoseconds kHelloEvery = 200 * base::kMillisecond;
constexpr base::Nanoseconds kTryAgain = 5 * base::kMillisecond;  // it has not answered yet
constexpr std::size_t kRobots = 64;  // of a host; room for one request of each
constexpr base::Nanoseconds kSilentAfter = base::kSecond;
}  // namespace

TrunkLink::TrunkLink(transport::Socket socket, std::string client)
    : socket_(std::move(socket)),
      client_(std::move(client)),
      builder_(std::make_unique<flatbuffers::FlatBufferBuilder>(64 * 1024)) {
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
  wire::FinishHelloBuffer(*builder_, wire::CreateHello(*builder_, kWireProtocol, client));
  [[maybe_unused]] const Status sent =
      socket_.send(transport::bytes_of(*builder_));  // said again soon
}

Status TrunkLink::send(const TokensRequest& request) noexcept {
  builder_->Clear();
  const auto trunk = builder_->CreateVector(request.trunk.data(), request.trunk.size());
  const auto values = builder_->CreateVector(request.values.data(), request.values.size());
  wire::FinishTokensBuffer(
      *builder_,
      wire::CreateTokens(*builder_, request.request, request.robot_id, request.generation, trunk,
                         request.deadline_us, static_cast<wire::Pooling>(request.pooling),
                         request.pooled, request.count, request.width, values));
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
               .retry_us = features->retry_us()};
      if (size != std::size_t{reply.count} * reply.width) reply.code = Code::bad_data;
      if (size != 0) reply.values = {features->values()->data(), size};
      std::erase_if(asked_, [&](const Asked& one) { return one.request == reply.request; });
      return true;
    }
    if (const auto* info = transport::verify<wire::TrunkInfo>(bytes, wire::TrunkInfoIdentifier())) {
      if (info->protocol() != kWireProtocol || !info->id() ||
          info->id()->size() != std::tuple_size_v<base::Digest>)
        continue;
      last_heard_ = now;
      away_ = false;
      TrunkInfo identity;
      std::copy(info->id()->begin(), info->id()->end(), identity.id.begin());
      if (info->architecture()) identity.architecture = info->architecture()->str();
      if (info->backend()) identity.backend = info->backend()->str();
      identity.width = info->width();
      identity.blocks = info->blocks();
      identity.heads = info->heads();
      identity.max_tokens = info->max_tokens();
      identity.served = info->served();
      identity.resident_kb = info->resident_kb();
      identity.weights_kb = info->weights_kb();
      identity_ = std::move(identity);
    }
  }
}

bool TrunkLink::alive(base::Nanoseconds now) const noexcept {
  return !away_ && now - last_heard_ < kSilentAfter;
}

std::string who_is(transport::Context& context, const std::string& endpoint,
                   base::Nanoseconds timeout) {
  auto link = TrunkLink::open(context, endpoint, "who is there", 4096);
  if (!link) return "";
  transport::Poller poller;
  poller.add(link->socket());
  FeaturesReply nothing;
  const base::Nanoseconds deadline = base::monotonic_ns() + timeout;
  for (base::Nanoseconds now = base::monotonic_ns(); now < deadline; now = base::monotonic_ns()) {
    link->heartbeat(now);
    while (link->receive(nothing, now)) {
    }
    if (link->identity()) return base::to_hex(link->identity()->id);
    poller.wait(kTryAgain);
  }
  return "";
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
    if (now >= deadline)
      return Error{Code::unavailable, "the trunk at '" + endpoint + "' does not answer"};
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
