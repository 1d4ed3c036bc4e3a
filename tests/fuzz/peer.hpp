// tests/fuzz/peer.hpp: the other end of a socket, for targets that drive the real reader over one.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "core/base/waker.hpp"
#include "core/transport/socket.hpp"
#include "core/transport/verify.hpp"
#include "tests/fuzz/target.hpp"
#include "wire/hello_generated.h"
#include "wire/notice_generated.h"

namespace cambium::fuzz {

// A reader that does not answer for so long hangs.
constexpr base::Nanoseconds kPatience = 10 * base::kSecond;

/// Calls `done` between waits until it says so.
template <class Done>
void wait_until(transport::Poller& poller, const char* what, Done done) {
  const base::Nanoseconds until = base::monotonic_ns() + kPatience;
  while (!done()) {
    promise(base::monotonic_ns() < until, what);
    poller.wait(20 * base::kMillisecond);
  }
}

/// Sends from a router whose queue may be full for the moment.
inline void send_to(transport::Socket& socket, const transport::Peer& to,
                    std::span<const std::byte> bytes) {
  const base::Nanoseconds until = base::monotonic_ns() + kPatience;
  while (!socket.send(to, bytes).ok()) {
    promise(base::monotonic_ns() < until, "a message can be sent");
    std::this_thread::yield();
  }
}

/// A dealer whose messages are read in order: when the answer to the last one is there, the ones
/// before it were read too.
class Caller {
 public:
  Caller(transport::Context& context, const std::string& endpoint)
      : socket_(
            must(transport::Socket::connect(context, transport::SocketKind::dealer, endpoint))) {
    poller_.add(socket_);
  }

  transport::Socket& socket() noexcept { return socket_; }
  transport::Poller& poller() noexcept { return poller_; }

  void send(std::span<const std::byte> bytes) {
    wait_until(poller_, "a message can be sent", [&] {
      transport::Peer nobody;
      std::span<const std::byte> ignored;
      while (socket_.receive(nobody, ignored).code() != Code::stale) {
      }
      return socket_.send(bytes).ok();
    });
  }

  /// Says a hello that nobody else would, and waits for the refusal of it.
  void fence() {
    flatbuffers::FlatBufferBuilder builder;
    const std::uint32_t number = 1'000'000 + ++fences_;
    wire::FinishHelloBuffer(builder, wire::CreateHello(builder, number));
    const auto wanted = std::to_string(number);
    send(transport::bytes_of(builder));
    wait_until(poller_, "every message is answered", [&] {
      transport::Peer nobody;
      std::span<const std::byte> bytes;
      while (socket_.receive(nobody, bytes).ok()) {
        const auto* notice = transport::verify<wire::Notice>(bytes, wire::NoticeIdentifier());
        if (notice && notice->text() && notice->text()->str().find(wanted) != std::string::npos)
          return true;
      }
      return false;
    });
  }

  template <class T>
  static T must(Result<T> result) {
    says_why(result);
    promise(result.has_value(), result ? "" : result.error().message.c_str());
    return std::move(result).value();
  }

 private:
  transport::Socket socket_;
  transport::Poller poller_;
  std::uint32_t fences_ = 0;
};

/// A router on a thread of its own that calls `answer` for each message.
class Answerer {
 public:
  using Answer = std::function<void(transport::Socket& socket, const transport::Peer& from,
                                    std::span<const std::byte> bytes)>;

  explicit Answerer(Answer answer)
      : answer_(std::move(answer)),
        socket_(Caller::must(
            transport::Socket::bind(context_, transport::SocketKind::router, "tcp://127.0.0.1:0"))),
        endpoint_(socket_.endpoint()) {
    thread_ = std::thread([this] { serve(); });
  }
  ~Answerer() {
    stop_ = true;
    waker_.wake();
    thread_.join();
  }

  const std::string& endpoint() const noexcept { return endpoint_; }

 private:
  void serve() {
    transport::Poller poller;
    poller.add(socket_);
    poller.add_descriptor(waker_.descriptor());
    transport::Peer from;
    std::span<const std::byte> bytes;
    while (!stop_) {
      poller.wait(base::kSecond);
      waker_.clear();
      while (socket_.receive(from, bytes).ok()) answer_(socket_, from, bytes);
    }
  }

  Answer answer_;
  transport::Context context_;
  transport::Socket socket_;
  std::string endpoint_;
  base::Waker waker_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

/// Inputs cannot know the number of the message that they answer: 1 in them stands for it. Changes
/// the field in place if `bytes` is a sound `Table` that holds a 1 there.
template <class Table>
void put_number(std::span<std::byte> bytes, const char* identifier, flatbuffers::voffset_t field,
                std::uint64_t number) {
  if (!transport::verify<Table>(bytes, identifier)) return;
  auto* table = flatbuffers::GetMutableRoot<flatbuffers::Table>(bytes.data());
  if (table->GetField<std::uint64_t>(field, 0) == 1)
    table->SetField<std::uint64_t>(field, number, 0);
}

}  // namespace cambium::fuzz
