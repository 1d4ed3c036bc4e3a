#include "core/trunk/server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <optional>
#include <thread>
#include <vector>

#include "cambium/version.hpp"
#include "core/base/waker.hpp"
#include "core/transport/socket.hpp"
#include "core/transport/verify.hpp"
#include "core/trunk/lane.hpp"
#include "core/trunk/passes.hpp"
#include "core/trunk/server_counts.hpp"
#include "core/trunk/session_desk.hpp"
#include "core/trunk/shelf.hpp"
#include "wire/hello_generated.h"
#include "wire/notice_generated.h"
#include "wire/session_generated.h"
#include "wire/tokens_generated.h"
#include "wire/trunk_load_generated.h"

namespace cambium::trunk {
namespace {

constexpr std::size_t kIdBytes = std::tuple_size_v<base::Digest>;
constexpr std::size_t kMostNeeded = 16;  // ids of one hello that are looked at

LaneLimits lane_limits(const ServerOptions& options) noexcept {
  return {.batch = {options.max_batch, options.max_rows(), options.max_tokens},
          .queue = options.queue,
          .session_memory = options.session_memory,
          .session_lease = options.session_lease};
}

}  // namespace

std::uint32_t ServerOptions::max_rows() const noexcept {
  // Beyond 2048 rows a pass takes so long that a second batch serves everybody sooner.
  return std::max(max_tokens, std::min<std::uint32_t>(2048, max_batch * max_tokens));
}

class TrunkServer::Impl {
 public:
  Impl(ServerOptions options, std::unique_ptr<Lane> first)
      : options_(std::move(options)),
        shelf_(shelf_options(), std::move(first), options_.open, waker_),
        desk_({.folder = options_.session_dir,
               .period = options_.snapshot_period,
               .lease = options_.session_lease,
               .log = options_.log},
              shelf_, waker_, [this](const auto& to, auto bytes) { send(to, bytes); }) {}
  ~Impl() { stop(); }

  Result<void> start() {
    if (auto opened = desk_.files().open(); !opened) return opened;
    std::promise<Result<void>> bound;
    auto result = bound.get_future();
    io_ = std::thread([this, &bound] { serve(bound); });
    return result.get();
  }

  void stop() {
    stopping_.store(true);
    waker_.wake();
    if (io_.joinable()) io_.join();
  }

  ServerStats stats() const {
    ServerStats stats = counts_.stats();
    stats.snapshots = desk_.files().written();
    stats.snapshots_failed = desk_.files().failed();
    return stats;
  }
  std::vector<RobotCounts> robots() const { return tally_.counts(); }
  const std::string& endpoint() const noexcept { return options_.endpoint; }

 private:
  ModelShelf::Options shelf_options() const noexcept {
    return {
        .limits = lane_limits(options_), .max_width = options_.max_width, .lease = options_.lease};
  }
  std::uint32_t widest() const noexcept {
    const std::uint32_t first = shelf_.lanes().front()->model->info().width;
    return options_.open ? std::max(first, options_.max_width) : first;
  }

  transport::SocketOptions socket_options() const {
    transport::SocketOptions socket;
    // The largest request, and room for what FlatBuffers puts around its numbers.
    socket.max_message_bytes = std::size_t{options_.max_tokens} * widest() * sizeof(float) + 1024;
    // Of one host: all its robots may be answered at once.
    socket.queue_messages = static_cast<int>(std::max<std::uint32_t>(64, 2 * options_.queue));
    socket.lets_in = transport::kHost | transport::kAdmin;
    return socket;
  }

  void serve(std::promise<Result<void>>& bound) {
    transport::Context context(options_.trust);
    auto socket = transport::Socket::bind(context, transport::SocketKind::router, options_.endpoint,
                                          socket_options());
    if (!socket) return bound.set_value(socket.error());
    options_.endpoint = socket->endpoint();
    socket_ = &*socket;
    Passes passes(shelf_, options_.max_tokens, waker_, options_.core);
    transport::Poller poller;
    poller.add(*socket_);
    poller.add_descriptor(waker_.descriptor());
    bound.set_value({});
    while (!stopping_.load()) {
      poller.wait(time_to_look());
      waker_.clear();
      const Passes::Done finished = passes.finished();
      receive_all();
      for (const auto& lane : shelf_.lanes()) drop_expired(*lane);
      desk_.tend(base::monotonic_ns());  // before a pass has the sessions again
      // The model gets its next batch before the last one is answered: it is the dearer of the two.
      const Passes::Done at_once = passes.begin();
      if (finished.batch != nullptr) answer(finished);
      if (at_once.batch != nullptr) answer(at_once);
      for (const auto& lane : shelf_.lanes()) {
        for (auto& request : lane->schedule.doomed()) drop(*lane, std::move(request));
        lane->schedule.doomed().clear();
      }
      if (passes.warm()) look_at_shelf();  // a model may leave
    }
    for (; passes.running(); waker_.sleep(-1))
      if (const Passes::Done last = passes.finished(); last.batch != nullptr) {
        answer(last);
        break;
      }
    desk_.files().finish();
  }

  // Until the first deadline, until a model may have become nobody's, or a snapshot is due.
  base::Nanoseconds time_to_look() const noexcept {
    base::Nanoseconds time = desk_.files().time_to_look(base::monotonic_ns());
    if (shelf_.restless())
      time = time < 0 ? options_.lease / 8 : std::min(time, options_.lease / 8);
    for (const auto& lane : shelf_.lanes()) {
      const base::Nanoseconds first = lane->schedule.queue().first_deadline();
      if (first == kNoDeadline) continue;
      // One beyond: a request expires after its deadline, not at it.
      const auto left = std::max<base::Nanoseconds>(0, first + 1 - base::monotonic_ns());
      time = time < 0 ? left : std::min(time, left);
    }
    return time;
  }

  // Bounded, so that answers leave even while somebody sends without pause.
  void receive_all() {
    for (std::size_t i = 0; i < 2 * std::size_t{options_.queue} + 16; ++i) {
      std::span<const std::byte> bytes;
      const Status status = socket_->receive(from_, bytes);
      if (status.code() == Code::stale) return;
      if (!status.ok()) {
        refuse({Code::bad_data, "message is not one frame of the size that this trunk takes"});
      } else {
        handle(bytes);
      }
    }
    waker_.wake();  // there may be more
  }

  void handle(std::span<const std::byte> bytes) {
    if (transport::has_identifier(bytes, wire::TokensIdentifier())) return handle_tokens(bytes);
    if (transport::has_identifier(bytes, wire::HelloIdentifier())) return handle_hello(bytes);
    if (transport::has_identifier(bytes, wire::TrunkLoadIdentifier())) return handle_load(bytes);
    if (transport::has_identifier(bytes, wire::SessionIdentifier())) return handle_session(bytes);
    // A notice about a notice would go to and fro for ever.
    if (transport::has_identifier(bytes, wire::NoticeIdentifier())) return;
    refuse({Code::bad_data,
            fmt::format("{} bytes that are neither Tokens ({}) nor Hello ({})", bytes.size(),
                        wire::TokensIdentifier(), wire::HelloIdentifier())});
  }

  void handle_hello(std::span<const std::byte> bytes) {
    const auto* hello = transport::verify<wire::Hello>(bytes, wire::HelloIdentifier());
    if (hello == nullptr)
      return refuse(
          {Code::bad_data, fmt::format("Hello of {} bytes does not verify", bytes.size())});
    if (hello->protocol() != kWireProtocol)
      return refuse(
          {Code::incompatible, fmt::format("you speak wire protocol {}, this trunk speaks {}",
                                           hello->protocol(), kWireProtocol)});
    if (hello->client()) desk_.heard(from_, hello->client()->string_view());
    if (const auto* ids = hello->trunks()) {
      const auto now = base::monotonic_ns();
      const std::size_t count = std::min(ids->size() / kIdBytes, kMostNeeded);
      for (std::size_t i = 0; i < count; ++i) {
        Lane* const lane = shelf_.find({ids->data() + i * kIdBytes, kIdBytes});
        if (lane == nullptr) continue;
        lane->needed = now;
        lane->needed_by = hello->client() ? hello->client()->str() : "";
      }
    }
    std::vector<std::uint8_t> served;
    for (const auto& lane : shelf_.lanes())
      served.insert(served.end(), lane->identity.id.begin(), lane->identity.id.end());
    const Lane& first = *shelf_.lanes().front();
    send(from_, replies_.trunk_info(first.identity, first.model->info(), counts_.served, served,
                                    first.sessions.size()));
  }

  void handle_session(std::span<const std::byte> bytes) {
    if (!desk_.handle(from_, bytes))
      refuse({Code::bad_data,
              fmt::format("a session order of {} bytes does not verify", bytes.size())});
  }

  void handle_load(std::span<const std::byte> bytes) {
    const auto* message = transport::verify<wire::TrunkLoad>(bytes, wire::TrunkLoadIdentifier());
    const auto* order = message == nullptr ? nullptr : message->request();
    if (order == nullptr || order->stock() == nullptr ||
        (order->id() != nullptr && order->id()->size() != kIdBytes))
      return refuse({Code::bad_data,
                     fmt::format("an order to load of {} bytes does not verify", bytes.size())});
    if (order->protocol() != kWireProtocol)
      return send(from_, replies_.not_loaded(
                             order->request(),
                             {Code::incompatible,
                              fmt::format("you speak wire protocol {}, this trunk speaks {}",
                                          order->protocol(), kWireProtocol)}));
    const auto now = base::monotonic_ns();
    LoadOrder wanted{from_, order->request(), order->stock()->str(), std::nullopt};
    if (order->id() != nullptr) {
      std::copy(order->id()->begin(), order->id()->end(), wanted.id.emplace().begin());
      if (Lane* const lane = shelf_.find(*wanted.id)) {
        lane->needed = now;
        return send(from_, replies_.loaded(wanted.request, lane->identity, lane->model->info()));
      }
    }
    if (auto begun = shelf_.load(wanted); !begun)
      send(from_, replies_.not_loaded(wanted.request, begun.error()));
  }

  void look_at_shelf() {
    const auto now = base::monotonic_ns();
    if (const auto ended = shelf_.loaded(now)) {
      const LoadOrder& order = ended->order;
      if (ended->lane) {
        const Lane& lane = **ended->lane;
        send(order.from, replies_.loaded(order.request, lane.identity, lane.model->info()));
        log(fmt::format("trunk {} is served, from '{}'", base::to_hex(lane.identity.id),
                        order.stock.string()));
      } else {
        send(order.from, replies_.not_loaded(order.request, ended->lane.error()));
        log(ended->lane.error().message);
      }
    }
    if (const auto left = shelf_.tidy(now))
      log(fmt::format("trunk {} has left: nobody needs it", base::to_hex(*left)));
  }

  void log(const std::string& text) const {
    if (options_.log) options_.log(text);
  }

  void handle_tokens(std::span<const std::byte> bytes) {
    const auto* tokens = transport::verify<wire::Tokens>(bytes, wire::TokensIdentifier());
    if (tokens == nullptr)
      return refuse(
          {Code::bad_data, fmt::format("Tokens of {} bytes do not verify", bytes.size())});
    const auto now = base::monotonic_ns();
    const auto* id = tokens->trunk();
    Lane* const named = id == nullptr ? nullptr : shelf_.find({id->data(), id->size()});
    // Of no lane: the first one says why.
    Lane& lane = named != nullptr ? *named : *shelf_.lanes().front();
    RequestPtr request = std::move(lane.pool.back());
    lane.pool.pop_back();
    request->from = from_;
    auto admitted = lane.admission.admit(*tokens, now, *request);
    // A model that remembers nothing does not ask whose memory it is.
    const bool claims = lane.sessions.session_bytes() > 0 && tokens->session() != nullptr;
    SessionClaim claim;
    if (admitted && claims) {
      claim = {.name = tokens->session()->string_view(),
               .owner = tokens->owner(),
               .episode = tokens->episode(),
               .robot_id = tokens->robot_id(),
               .time_ns = tokens->time_ns(),
               .peek = tokens->peek()};
      admitted = lane.sessions.check(claim, now);
      if (!admitted) ++counts_.sessions_refused;
    }
    if (!admitted) {
      ++counts_.refused;
      send(from_, replies_.notice(admitted.error(), request.get()));
      send(from_, replies_.refusal(*request, admitted.error().code));
      lane.pool.push_back(std::move(request));
      return;
    }
    lane.needed = now;
    // Those that are too late anyway must not keep out one that is not.
    Scheduler& schedule = lane.schedule;
    if (schedule.queue().size() == schedule.queue().capacity()) drop_expired(lane);
    if (claims) request->session = lane.sessions.find(claim.name);
    Request& offered = *request;
    RequestPtr displaced;
    const Busy busy = schedule.offer(request, displaced, now);
    counts_.queue_high = std::max<std::uint64_t>(counts_.queue_high, schedule.queue().size());
    // Not before: of a request that is refused no session must know.
    if (busy.bound == Bound::none && claims) enter_session(lane, offered, claim, now);
    if (displaced != nullptr) refuse_busy(lane, std::move(displaced), {Bound::queue, busy.retry});
    if (busy.bound != Bound::none) {
      request->session = nullptr;
      refuse_busy(lane, std::move(request), busy);
    }
  }

  void enter_session(Lane& lane, Request& request, const SessionClaim& claim,
                     base::Nanoseconds now) {
    const auto taken = lane.sessions.take(claim, from_, now);
    request.session = taken.session;
    if (taken.made) {
      ++counts_.sessions_made;
      desk_.files().recall(lane, *taken.session);
    }
    if (!taken.evicted) return;
    ++counts_.sessions_evicted;
    const auto& gone = *taken.evicted;
    send(gone.peer,
         replies_.notice(
             {Code::limit, fmt::format("session '{}' and the {} steps in it are gone: it was idle "
                                       "longest when '{}' came, and {} bytes hold {} sessions{}",
                                       gone.name, gone.steps, request.session->name,
                                       lane.sessions.budget(), lane.sessions.capacity(),
                                       desk_.files().keeps(lane, gone.name)
                                           ? "; it comes back from its file when it asks"
                                           : "")},
             gone.robot_id));
  }

  // A request that never came into a pass.
  void give_up(Lane& lane, RequestPtr request) {
    if (Session* const session = request->session)
      Sessions::dropped(*session, lane.schedule.queue().newest_of(*session));
    lane.pool.push_back(std::move(request));
  }

  void refuse_busy(Lane& lane, RequestPtr request, const Busy& busy) {
    ++counts_.busy;
    tally_.add(*request, Tally::busy);
    send(request->from, replies_.refusal(*request, Code::busy, busy));
    give_up(lane, std::move(request));
  }

  void refuse(const Error& error) {
    ++counts_.refused;
    send(from_, replies_.notice(error, nullptr));
  }

  void drop_expired(Lane& lane) {
    while (RequestPtr request = lane.schedule.queue().pop_expired(base::monotonic_ns()))
      drop(lane, std::move(request));
  }

  void drop(Lane& lane, RequestPtr request) {
    ++counts_.expired;
    tally_.add(*request, Tally::expired);
    send(request->from, replies_.refusal(*request, Code::timeout));
    give_up(lane, std::move(request));
  }

  void answer(const Passes::Done& done) {
    Batch& batch = *done.batch;
    Passes::note(done);
    const auto requests = batch.requests();
    ++counts_.batches;
    counts_.compute_time.add(batch.computed_for());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const Request& request = *requests[i];
      const Replies::Cost cost{batch.started() - request.arrived, batch.computed_for(),
                               static_cast<std::uint32_t>(requests.size())};
      counts_.queue_time.add(cost.queued);
      if (batch.status(i).ok()) {
        ++counts_.served;
        tally_.add(request, Tally::served);
      }
      if (request.session != nullptr) tell_session(request, batch.status(i));
      send(request.from, replies_.features(request, batch.status(i), batch.features(i), cost));
      done.lane->pool.push_back(std::move(requests[i]));
    }
    batch.clear();
  }

  void tell_session(const Request& request, Status status) {
    if (!status.ok() && !request.peek)
      send(request.from,
           replies_.notice(
               {status.code(), fmt::format("session '{}' begins anew: the pass that it "
                                           "was in came out as '{}'",
                                           request.session->name, to_string(status.code()))},
               &request));
    Sessions::answered(*request.session, request.peek, base::monotonic_ns());
  }

  // A host that has gone away or does not read loses its answer: it waits by its own clock.
  void send(const transport::Peer& to, std::span<const std::byte> bytes) noexcept {
    (void)socket_->send(to, bytes);
  }

  ServerOptions options_;
  base::Waker waker_;  // shared
  // The io thread's.
  ModelShelf shelf_;
  SessionDesk desk_;
  Tally tally_;
  Replies replies_;
  transport::Socket* socket_ = nullptr;
  transport::Peer from_;
  // Shared.
  std::atomic<bool> stopping_{false};
  ServerCounts counts_;
  std::thread io_;
};

Result<TrunkServer> TrunkServer::start(ServerOptions options, ServerIdentity identity,
                                       std::unique_ptr<TrunkModel> model) {
  identity.max_tokens = options.max_tokens;
  auto lane = Lane::make(lane_limits(options), std::move(identity), std::move(model));
  if (!lane) return lane.error();
  auto impl = std::make_unique<Impl>(std::move(options), std::move(*lane));
  if (auto started = impl->start(); !started) return std::move(started).error();
  return TrunkServer(std::move(impl));
}

TrunkServer::TrunkServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TrunkServer::TrunkServer(TrunkServer&&) noexcept = default;
TrunkServer& TrunkServer::operator=(TrunkServer&&) noexcept = default;
TrunkServer::~TrunkServer() = default;
void TrunkServer::stop() {
  impl_->stop();
}
ServerStats TrunkServer::stats() const {
  return impl_->stats();
}
std::vector<RobotCounts> TrunkServer::robots() const {
  return impl_->robots();
}
const std::string& TrunkServer::endpoint() const noexcept {
  return impl_->endpoint();
}

}  // namespace cambium::trunk
