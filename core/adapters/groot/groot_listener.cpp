#include "core/adapters/groot/groot_listener.hpp"

#include <atomic>
#include <exception>
#include <thread>
#include <utility>

#include "core/adapters/groot/clients.hpp"
#include "core/adapters/groot/reply.hpp"
#include "core/adapters/groot/torch_refusal.hpp"
#include "core/base/realtime.hpp"
#include "core/base/waker.hpp"
#include "core/transport/socket.hpp"

namespace cambium::groot {
namespace {

// A client asks once and waits; a second message in its queue is room enough.
constexpr int kQueueMessages = 2;
// What is larger than allowed, but not more than this times, is answered with a sentence; beyond,
// the connection ends and its client would wait for ever.
constexpr std::size_t kToldTimes = 4;
// Taken from the socket before answers are looked after again.
constexpr int kMessagesATurn = 32;

std::size_t largest_message(const gateway::Gateway& gateway) {
  return std::size_t{gateway.config().max_message_kb} * 1024;
}

class GrootListener final : public gateway::Listener {
 public:
  GrootListener(std::unique_ptr<gateway::Gateway> gateway,
                std::unique_ptr<transport::Context> context, transport::Socket socket)
      : gateway_(std::move(gateway)),
        context_(std::move(context)),
        socket_(std::move(socket)),
        endpoint_(socket_.endpoint()),
        thread_([this] { run(); }) {}
  ~GrootListener() override {
    stop_ = true;
    waker_.wake();
    thread_.join();
  }

  const std::string& endpoint() const noexcept override { return endpoint_; }
  gateway::ListenerStatus status() const override { return gateway_->status(endpoint_); }

 private:
  void run() {
    base::name_thread("cambium-groot");
    Clients clients(*gateway_,
                    {.reaches = [this](const auto& peer) { return socket_.reaches(peer); },
                     .send = [this](const auto& peer, auto reply) { return send(peer, reply); },
                     .wake = [this] { waker_.wake(); }});
    transport::Poller poller;
    poller.add(socket_);
    poller.add_descriptor(waker_.descriptor());
    while (!stop_) {
      base::Nanoseconds pause = base::kMillisecond;
      try {
        pause = clients.come(base::monotonic_ns(), spare_);
      } catch (const std::exception& error) {  // no memory, no thread: the next turn tries again
        gateway_->refuse("groot", error.what());
      }
      poller.wait(pause);
      waker_.clear();
      for (int i = 0; i < kMessagesATurn && !stop_ && receive(clients); ++i) {
      }
    }
  }

  // False if there is nothing.
  bool receive(Clients& clients) {
    transport::Peer from;
    std::span<const std::byte> bytes;
    const Status got = socket_.receive(from, bytes);
    if (got.code() == Code::stale) return false;
    reply_.clear();
    try {
      if (got.ok())
        handle(clients, from, bytes);
      else
        refuse(from, got.code() == Code::limit
                         ? "the message is larger than max_message_kb = " +
                               std::to_string(gateway_->config().max_message_kb) +
                               " of this listener"
                         : "a request is one frame behind an empty one, as REQ sockets send it");
    } catch (const std::exception& error) {  // no memory, no thread
      refuse(from, error.what());
    }
    return true;
  }

  void handle(Clients& clients, const transport::Peer& from, std::span<const std::byte> bytes) {
    const base::Nanoseconds now = base::monotonic_ns();
    clients.heard(from, now);
    if (is_torch_file(bytes)) {
      gateway_->refuse(name(), "generation N1: its requests are pickles, which are never opened");
      send(from, torch_refusal());
      return;
    }
    // A copy, which goes to the session's thread as it is.
    auto job = spare_ ? std::move(spare_) : std::make_unique<Job>();
    job->bytes.assign(bytes.begin(), bytes.end());
    job->new_client = false;
    const auto why = take_up(clients, from, job, now);
    if (!why) refuse(from, why.error().message);
    if (job) spare_ = std::move(job);
    if (!reply_.bytes().empty()) send(from, reply_.bytes());
  }

  // Answers, or gives the job to a session. The error is what the client is told.
  Result<void> take_up(Clients& clients, const transport::Peer& from, std::unique_ptr<Job>& job,
                       base::Nanoseconds now) {
    auto message = formats::read_msgpack(job->bytes);
    if (!message) return message.error();
    job->message = std::move(*message);
    auto request = read_request(job->message);
    if (!request) return request.error();
    if (!gateway_->token_fits(request->token))
      return Error{Code::bad_argument, std::string(kUnauthorized)};
    const auto endpoint = endpoint_of(*request);
    if (!endpoint) return endpoint.error();
    switch (*endpoint) {
      case Endpoint::ping:
        write_alive(reply_);
        return {};
      case Endpoint::kill:
        return Error{Code::bad_argument,
                     "kill is refused: this host drives robots; stop it where it was started"};
      case Endpoint::get_action:
      case Endpoint::get_modality_config:
      case Endpoint::reset:
        break;
    }
    job->request = *request;
    job->endpoint = *endpoint;
    return clients.give(from, socket_.address(), job, now);
  }

  void refuse(const transport::Peer& to, const std::string& why) {
    gateway_->refuse(name(), why);
    reply_.clear();
    write_error(reply_, why);
    send(to, reply_.bytes());
    reply_.clear();
  }

  // False if the peer is gone. One that does not read what it asked for gets no more of it.
  bool send(const transport::Peer& to, std::span<const std::byte> reply) {
    return socket_.send(to, reply).code() != Code::unavailable;
  }

  std::string name() const {
    const auto address = socket_.address();
    return "groot " + std::string(address.empty() ? "client" : address);
  }

  const std::unique_ptr<gateway::Gateway> gateway_;
  const std::unique_ptr<transport::Context> context_;
  transport::Socket socket_;  // the thread's, as all below
  const std::string endpoint_;
  formats::MsgpackWriter reply_;
  std::unique_ptr<Job> spare_;
  base::Waker waker_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace
}  // namespace cambium::groot

namespace cambium::adapters {

Result<std::unique_ptr<gateway::Listener>> start_groot(std::unique_ptr<gateway::Gateway> gateway) {
  const std::size_t largest = groot::largest_message(*gateway);
  auto context = std::make_unique<transport::Context>();
  auto socket =
      transport::Socket::bind(*context, transport::SocketKind::router, gateway->config().endpoint,
                              {.max_message_bytes = largest,
                               .queue_messages = groot::kQueueMessages,
                               .envelope = true,
                               .told_bytes = largest * groot::kToldTimes});
  if (!socket) return Error{socket.error().code, "[[listener]] groot: " + socket.error().message};
  std::unique_ptr<gateway::Listener> listener = std::make_unique<groot::GrootListener>(
      std::move(gateway), std::move(context), std::move(*socket));
  return listener;
}

}  // namespace cambium::adapters
