#include "core/trunk/server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <optional>
#include <thread>
#include <vector>

#include "cambium/version.hpp"
#include "core/base/histogram.hpp"
#include "core/base/waker.hpp"
#include "core/transport/socket.hpp"
#include "core/transport/verify.hpp"
#include "core/trunk/admission.hpp"
#include "core/trunk/compute.hpp"
#include "core/trunk/scheduler.hpp"
#include "wire/hello_generated.h"
#include "wire/notice_generated.h"
#include "wire/tokens_generated.h"

namespace cambium::trunk {
namespace {

// A pass that takes less than this runs on the io thread: to wake the compute thread and be woken
// by it costs as much, and what comes in meanwhile waits no longer than for a scheduler.
constexpr base::Nanoseconds kQuick = 150'000;

}  // namespace
std::uint32_t ServerOptions::max_rows() const noexcept {
  // Beyond 2048 rows a pass takes so long that a second batch serves everybody sooner.
  return std::max(max_tokens, std::min<std::uint32_t>(2048, max_batch * max_tokens));
}

class TrunkServer::Impl {
 public:
  Impl(ServerOptions options, ServerIdentity identity, std::unique_ptr<TrunkModel> model)
      : options_(std::move(options)),
        identity_(std::move(identity)),
        model_(std::move(model)),
        admission_{identity_.id, model_->info().width, options_.max_tokens},
        schedule_({options_.queue, limits()}),
        ready_(limits(), model_->info().width),
        spare_(limits(), model_->info().width),
        at_once_({1, options_.max_tokens, options_.max_tokens}, model_->info().width) {
    // Every request is in the queue, in one of the three batches, or the one being read.
    const std::size_t requests = options_.queue + 2 * std::size_t{options_.max_batch} + 2;
    for (std::size_t i = 0; i < requests; ++i) pool_.push_back(std::make_unique<Request>());
  }
  ~Impl() { stop(); }

  Result<void> start() {
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
    ServerStats stats;
    stats.served = served_;
    stats.batches = batches_;
    stats.busy = busy_;
    stats.expired = expired_;
    stats.refused = refused_;
    stats.queue_high = queue_high_;
    stats.queue_p50_us = queue_time_.quantile_us(0.5);
    stats.queue_p99_us = queue_time_.quantile_us(0.99);
    stats.compute_p50_us = compute_time_.quantile_us(0.5);
    stats.compute_p99_us = compute_time_.quantile_us(0.99);
    return stats;
  }

  std::vector<RobotCounts> robots() const { return tally_.counts(); }
  const std::string& endpoint() const noexcept { return options_.endpoint; }

 private:
  BatchLimits limits() const noexcept {
    return {options_.max_batch, options_.max_rows(), options_.max_tokens};
  }

  transport::SocketOptions socket_options() const {
    transport::SocketOptions socket;
    // The largest request, and room for what FlatBuffers puts around its numbers.
    socket.max_message_bytes =
        std::size_t{options_.max_tokens} * model_->info().width * sizeof(float) + 1024;
    // Of one host: all its robots may be answered at once.
    socket.queue_messages = static_cast<int>(std::max<std::uint32_t>(64, 2 * options_.queue));
    return socket;
  }

  void serve(std::promise<Result<void>>& bound) {
    transport::Context context;
    auto socket = transport::Socket::bind(context, transport::SocketKind::router, options_.endpoint,
                                          socket_options());
    if (!socket) return bound.set_value(socket.error());
    options_.endpoint = socket->endpoint();
    socket_ = &*socket;
    Compute compute(*model_, options_.max_tokens, waker_);
    transport::Poller poller;
    poller.add(*socket_);
    poller.add_descriptor(waker_.descriptor());
    bound.set_value({});
    while (!stopping_.load()) {
      poller.wait(time_to_first_deadline());
      waker_.clear();
      Batch* finished = compute.finished();
      if (finished != nullptr) schedule_.finished(finished->rows(), finished->computed_for());
      receive_all();
      drop_expired();
      // The model gets its next batch before the last one is answered: it is the dearer of the two.
      if (compute.idle() && schedule_.queue().size() > 0) run_next(compute);
      if (finished != nullptr) answer(*finished);
      if (!at_once_.empty()) answer(at_once_);
      for (auto& request : schedule_.doomed()) drop(std::move(request));
      schedule_.doomed().clear();
    }
  }

  base::Nanoseconds time_to_first_deadline() const noexcept {
    const base::Nanoseconds first = schedule_.queue().first_deadline();
    if (first == kNoDeadline) return -1;
    // One beyond: a request expires after its deadline, not at it.
    return std::max<base::Nanoseconds>(0, first + 1 - base::monotonic_ns());
  }

  // Bounded, so that answers leave even while somebody sends without pause.
  void receive_all() {
    for (std::size_t i = 0; i < 2 * schedule_.queue().capacity() + 16; ++i) {
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
    send(from_, replies_.trunk_info(identity_, model_->info(), served_));
  }

  void handle_tokens(std::span<const std::byte> bytes) {
    const auto* tokens = transport::verify<wire::Tokens>(bytes, wire::TokensIdentifier());
    if (tokens == nullptr)
      return refuse(
          {Code::bad_data, fmt::format("Tokens of {} bytes do not verify", bytes.size())});
    RequestPtr request = std::move(pool_.back());
    pool_.pop_back();
    request->from = from_;
    const auto admitted = admission_.admit(*tokens, base::monotonic_ns(), *request);
    if (!admitted) {
      ++refused_;
      send(from_, replies_.notice(admitted.error(), request.get()));
      send(from_, replies_.refusal(*request, admitted.error().code));
    } else {
      // Those that are too late anyway must not keep out one that is not.
      if (schedule_.queue().size() == schedule_.queue().capacity()) drop_expired();
      RequestPtr displaced;
      const Busy busy = schedule_.offer(request, displaced, base::monotonic_ns());
      queue_high_ = std::max<std::uint64_t>(queue_high_, schedule_.queue().size());
      if (displaced != nullptr) refuse_busy(std::move(displaced), {Bound::queue, busy.retry});
      if (busy.bound != Bound::none) refuse_busy(std::move(request), busy);
      return;
    }
    pool_.push_back(std::move(request));
  }

  void refuse_busy(RequestPtr request, const Busy& busy) {
    ++busy_;
    tally_.add(*request, Tally::busy);
    send(request->from, replies_.refusal(*request, Code::busy, busy));
    pool_.push_back(std::move(request));
  }

  void refuse(const Error& error) {
    ++refused_;
    send(from_, replies_.notice(error, nullptr));
  }

  void drop_expired() {
    while (RequestPtr request = schedule_.queue().pop_expired(base::monotonic_ns()))
      drop(std::move(request));
  }

  void drop(RequestPtr request) {
    ++expired_;
    tally_.add(*request, Tally::expired);
    send(request->from, replies_.refusal(*request, Code::timeout));
    pool_.push_back(std::move(request));
  }

  void run_next(Compute& compute) noexcept {
    // Without a deadline a controller waits in lockstep; others refill chunks that are being
    // played, and would only take the core from an action on its way (measured: p99 of a control
    // tick 1.7 instead of 1.25 times raw).
    if (const Request* lone = schedule_.lone();
        lone != nullptr && lone->deadline == kNoDeadline && lone->count <= quick_rows_) {
      schedule_.fill(at_once_, base::monotonic_ns());
      at_once_.run(*model_);
      schedule_.finished(at_once_.rows(), at_once_.computed_for());
      return;
    }
    Batch& batch = ready_.empty() ? ready_ : spare_;
    schedule_.fill(batch, base::monotonic_ns());
    compute.start(batch);
  }

  // Learns from each pass of a single robot how many rows are done sooner than a thread is woken.
  void note_quickness(std::uint32_t rows, base::Nanoseconds took) noexcept {
    if (took < kQuick) quick_rows_ = std::max(quick_rows_, rows);
    if (took > 2 * kQuick) quick_rows_ = std::min(quick_rows_, rows - 1);
  }

  void answer(Batch& batch) {
    const auto requests = batch.requests();
    ++batches_;
    compute_time_.add(batch.computed_for());
    if (requests.size() == 1) note_quickness(requests[0]->count, batch.computed_for());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const Request& request = *requests[i];
      const Replies::Cost cost{batch.started() - request.arrived, batch.computed_for(),
                               static_cast<std::uint32_t>(requests.size())};
      queue_time_.add(cost.queued);
      if (batch.status(i).ok()) {
        ++served_;
        tally_.add(request, Tally::served);
      }
      send(request.from, replies_.features(request, batch.status(i), batch.features(i), cost));
      pool_.push_back(std::move(requests[i]));
    }
    batch.clear();
  }

  // A host that has gone away or does not read loses its answer: it waits by its own clock.
  void send(const transport::Peer& to, std::span<const std::byte> bytes) noexcept {
    (void)socket_->send(to, bytes);
  }

  ServerOptions options_;
  ServerIdentity identity_;
  std::unique_ptr<TrunkModel> model_;
  // The io thread's.
  Admission admission_;
  Scheduler schedule_;
  Tally tally_;
  Batch ready_, spare_;
  Batch at_once_;  ///< run on this thread
  std::uint32_t quick_rows_ = 0;
  std::vector<RequestPtr> pool_;
  Replies replies_;
  transport::Socket* socket_ = nullptr;
  transport::Peer from_;
  // Shared.
  base::Waker waker_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> served_{0}, batches_{0}, busy_{0}, expired_{0}, refused_{0},
      queue_high_{0};
  base::Histogram queue_time_, compute_time_;
  std::thread io_;
};

Result<TrunkServer> TrunkServer::start(ServerOptions options, ServerIdentity identity,
                                       std::unique_ptr<TrunkModel> model) {
  identity.max_tokens = options.max_tokens;
  auto impl = std::make_unique<Impl>(std::move(options), std::move(identity), std::move(model));
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
