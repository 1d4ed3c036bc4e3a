#include "core/adapters/json/zeromq_listener.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "core/adapters/json/conversation.hpp"
#include "core/adapters/json/reply.hpp"
#include "core/base/realtime.hpp"
#include "core/base/waker.hpp"
#include "core/transport/socket.hpp"

namespace cambium::adapters {
namespace {

using base::Nanoseconds;

constexpr Nanoseconds kLook = 200 * base::kMillisecond;  // for clients that are silent or vanished

// Each look at whether a client is there is a message that waits in its queue until it asks again.
// libzmq ends the connection of a REQ socket whose queue overflows, at 1000.
constexpr std::uint32_t kMaxLooks = 200;

/// What the clients' threads have to say to the socket's.
class Outbox {
 public:
  struct Letter {
    transport::Peer to;
    std::string text;
  };
  /// 1 for each client at most: it waits for the answer of its message. [producer]
  void put(Letter letter) {
    {
      const std::lock_guard lock(mutex_);
      letters_.push_back(std::move(letter));
    }
    waker_.wake();
  }
  std::vector<Letter> take() {
    waker_.clear();
    const std::lock_guard lock(mutex_);
    return std::exchange(letters_, {});
  }
  base::Waker& waker() noexcept { return waker_; }

 private:
  std::mutex mutex_;  // guards letters_
  std::vector<Letter> letters_;
  base::Waker waker_;
};

/// One client and its thread. The thread's own: the conversation.
class Client {
 public:
  Client(gateway::Gateway& gateway, Outbox& outbox, const transport::Peer& peer, std::string name)
      : outbox_(outbox), peer_(peer), thread_([this, &gateway, name = std::move(name)] {
          base::name_thread("cambium-json-cl");
          serve(gateway, name);
          gone_.store(true, std::memory_order_release);
          outbox_.waker().wake();
        }) {}
  ~Client() {
    leave();
    thread_.join();
  }

  const transport::Peer& peer() const noexcept { return peer_; }
  /// False while the last message is not answered. [io]
  bool give(std::string&& message) {
    const std::lock_guard lock(mutex_);
    if (message_) return false;
    message_ = std::move(message);
    changed_.notify_one();
    return true;
  }
  /// Ends, as soon as it has answered. [io]
  void leave() {
    const std::lock_guard lock(mutex_);
    leaves_ = true;
    changed_.notify_one();
  }
  bool gone() const noexcept { return gone_.load(std::memory_order_acquire); }
  bool seated() const noexcept { return seated_.load(std::memory_order_relaxed); }

  // The io thread's.
  Nanoseconds heard = base::monotonic_ns();
  std::uint32_t looks = 0;  ///< for its connection, since it was heard

 private:
  void serve(gateway::Gateway& gateway, const std::string& name) {
    Conversation conversation(gateway, name);
    for (;;) {
      std::string message;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return message_.has_value() || leaves_; });
        if (leaves_) return;
        message = *message_;
      }
      std::string answer = conversation.answer(message);
      seated_.store(conversation.seated(), std::memory_order_relaxed);
      {
        const std::lock_guard lock(mutex_);
        message_.reset();
      }
      outbox_.put({peer_, std::move(answer)});
    }
  }

  Outbox& outbox_;
  const transport::Peer peer_;
  std::mutex mutex_;  // guards the two below
  std::optional<std::string> message_;
  bool leaves_ = false;
  std::condition_variable changed_;
  std::atomic<bool> gone_{false}, seated_{false};
  std::thread thread_;
};

class ZeromqListener : public gateway::Listener {
 public:
  ZeromqListener(std::unique_ptr<gateway::Gateway> gateway,
                 std::unique_ptr<transport::Context> context, transport::Socket socket)
      : gateway_(std::move(gateway)),
        context_(std::move(context)),
        endpoint_(socket.endpoint()),
        io_([this, given = std::move(socket)]() mutable { run(std::move(given)); }) {}
  ~ZeromqListener() override {
    stop_.store(true, std::memory_order_release);
    outbox_.waker().wake();
    io_.join();
  }

  const std::string& endpoint() const noexcept override { return endpoint_; }
  gateway::ListenerStatus status() const override { return gateway_->status(endpoint_); }

 private:
  void run(transport::Socket socket);
  void take(transport::Socket& socket, const transport::Peer& from, std::string&& message);
  void refuse(transport::Socket& socket, const transport::Peer& to, Code code,
              const std::string& sentence);
  void dismiss_the_silent();
  void dismiss_the_vanished(transport::Socket& socket);
  /// Nobody waits for its last answer.
  void dismiss(std::map<std::string, std::unique_ptr<Client>>::iterator client) {
    client->second->leave();
    leaving_.push_back(std::move(client->second));
    clients_.erase(client);
  }

  std::unique_ptr<gateway::Gateway> gateway_;
  std::unique_ptr<transport::Context> context_;
  const std::string endpoint_;
  Outbox outbox_;
  std::atomic<bool> stop_{false};
  // The io thread's.
  std::map<std::string, std::unique_ptr<Client>> clients_;  // by their routing id
  std::list<std::unique_ptr<Client>> leaving_;
  std::thread io_;
};

void ZeromqListener::run(transport::Socket socket) {
  base::name_thread("cambium-json");
  transport::Poller poller;
  poller.add(socket);
  poller.add_descriptor(outbox_.waker().descriptor());
  Nanoseconds looked = base::monotonic_ns();
  while (!stop_.load(std::memory_order_acquire)) {
    poller.wait(kLook);
    for (const auto& letter : outbox_.take()) {
      // A client that has gone, or reads nothing, loses the answer.
      [[maybe_unused]] const Status sent =
          socket.send(letter.to, std::as_bytes(std::span(letter.text)));
    }
    transport::Peer from;
    std::span<const std::byte> bytes;
    for (Status got = socket.receive(from, bytes); got.code() != Code::stale;
         got = socket.receive(from, bytes)) {
      if (got.ok())
        take(socket, from, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
      else if (got.code() == Code::limit)
        refuse(socket, from, Code::limit,
               "a message of more than " + std::to_string(gateway_->config().max_message_kb) +
                   " kB, max_message_kb of this listener");
      else
        refuse(socket, from, Code::bad_data, "a message is one frame");
    }
    if (base::monotonic_ns() - looked > kLook) {
      dismiss_the_silent();
      // ZeroMQ may tell of one that has gone only after the next was told that its robot is driven.
      if (std::ranges::any_of(clients_, [](const auto& one) { return !one.second->seated(); }))
        dismiss_the_vanished(socket);
      looked = base::monotonic_ns();
    }
  }
  leaving_.clear();
  for (auto& [id, client] : clients_) client->leave();  // all at once
  clients_.clear();
}

void ZeromqListener::take(transport::Socket& socket, const transport::Peer& from,
                          std::string&& message) {
  const std::string id = from.text();
  auto found = clients_.find(id);
  if (found == clients_.end()) {
    dismiss_the_vanished(socket);  // whoever connects anew has left a seat behind
    const std::uint32_t most = gateway_->config().max_clients;
    if (clients_.size() + leaving_.size() >= most)
      return refuse(socket, from, Code::busy,
                    std::to_string(most) + " clients are connected already");
    const auto address = socket.address();
    const std::string name = "json " + (address.empty() ? "zeromq" : std::string(address));
    try {
      found = clients_.emplace(id, std::make_unique<Client>(*gateway_, outbox_, from, name)).first;
    } catch (const std::system_error&) {
      return refuse(socket, from, Code::busy, "the system has no thread left for another client");
    }
  }
  found->second->heard = base::monotonic_ns();
  found->second->looks = 0;
  if (!found->second->give(std::move(message)))
    refuse(socket, from, Code::busy, "the message before is not answered yet");
}

void ZeromqListener::refuse(transport::Socket& socket, const transport::Peer& to, Code code,
                            const std::string& sentence) {
  const auto address = socket.address();
  gateway_->refuse("json " + (address.empty() ? "zeromq" : std::string(address)), sentence);
  const std::string text = write_refusal("", {.code = code, .message = sentence, .key = {}});
  [[maybe_unused]] const Status sent = socket.send(to, std::as_bytes(std::span(text)));
}

void ZeromqListener::dismiss_the_silent() {
  const Nanoseconds silent = std::chrono::nanoseconds(gateway_->config().silent_after).count();
  const Nanoseconds now = base::monotonic_ns();
  for (auto it = clients_.begin(); it != clients_.end();)
    if (const auto client = it++; now - client->second->heard > silent) dismiss(client);
  std::erase_if(leaving_, [](const auto& client) { return client->gone(); });
}

// A DEALER would see the question; it has until it was silent for too long.
void ZeromqListener::dismiss_the_vanished(transport::Socket& socket) {
  for (auto it = clients_.begin(); it != clients_.end();) {
    const auto client = it++;
    const auto& peer = client->second->peer();
    if (!peer.bare && client->second->looks++ < kMaxLooks && !socket.reaches(peer)) dismiss(client);
  }
  std::erase_if(leaving_, [](const auto& client) { return client->gone(); });
}

}  // namespace

Result<std::unique_ptr<gateway::Listener>> start_json_zeromq(
    std::unique_ptr<gateway::Gateway> gateway) {
  auto context = std::make_unique<transport::Context>();
  const std::size_t most = std::size_t{gateway->config().max_message_kb} * 1024;
  auto socket =
      transport::Socket::bind(*context, transport::SocketKind::router, gateway->config().endpoint,
                              {.max_message_bytes = most,
                               .queue_messages = 4,
                               .envelope = true,
                               .bare_too = true,
                               .told_bytes = 2 * most});
  if (!socket) return socket.error();
  return std::unique_ptr<gateway::Listener>(
      std::make_unique<ZeromqListener>(std::move(gateway), std::move(context), std::move(*socket)));
}

}  // namespace cambium::adapters
