// core/adapters/lerobot/client.hpp: one robot script that is connected: what it said last, what it
// waits for, and the thread that answers it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/adapters/lerobot/messages.hpp"
#include "core/base/clock.hpp"
#include "core/gateway/session.hpp"

namespace cambium::adapters {

/// A call that is answered later, once, from any thread, and must not be touched after that.
class LerobotCall {
 public:
  virtual void answer(std::string bytes) noexcept = 0;
  virtual void refuse(const Error& why) noexcept = 0;

 protected:
  ~LerobotCall() = default;
};

/// Threads    Calls from any thread return at once; the session lives on a thread of its own.
/// Memory     One observation waits, the newest; one is being answered; one call of each kind is
///            kept, the newest: an older one is answered with nothing.
/// Silence    Unheard for silent_after, or gone and told to leave: the seat is given back, the
///            thread ends, and what is still asked for is refused.
class LerobotClient {
 public:
  LerobotClient(gateway::Gateway& gateway, std::string name);
  /// Ends it; within the listener's answer_within.
  ~LerobotClient();
  LerobotClient(const LerobotClient&) = delete;
  LerobotClient& operator=(const LerobotClient&) = delete;

  /// A new episode; timesteps begin anew. [any]
  void ready();
  /// What it wants to drive; answered when it may. Clients that are `leaving` have left before the
  /// seat is asked for. [any]
  void instruct(std::vector<std::byte> setup, LerobotCall* call,
                std::vector<std::shared_ptr<LerobotClient>> leaving);
  /// A stream of pieces begins: it must be withdrawn, or is refused if it takes too long. [any]
  void begin(LerobotCall* stream);
  /// Takes an observation into the slot, or says what is wrong with it. [any]
  Result<void> observe(std::vector<std::byte> message);
  /// Answered with a chunk, or with nothing after two seconds. [any]
  void ask(LerobotCall* call);

  /// True: the call was still here, and is the caller's to end. [any]
  bool withdraw(LerobotCall* call);
  /// Runs `then` while the stream is still this client's; else does nothing. [any]
  template <class Then>
  void while_open(const LerobotCall* stream, Then then) {
    const std::lock_guard lock(mutex_);
    heard_ = base::monotonic_ns();
    if (stream_ == stream) then();
  }
  /// Its connection was closed; it may come back by another. [any]
  void connection_closed();
  void connection_again();
  bool gone() const;
  /// Asks the thread to end; does not wait. [any]
  void leave();
  /// The thread has ended. [any]
  bool over() const noexcept { return over_.load(std::memory_order_acquire); }
  const std::string& name() const noexcept { return name_; }

 private:
  struct Message {
    std::vector<std::byte> bytes;
    LerobotObservation observation;  // borrows bytes
    base::Nanoseconds arrived = 0;
  };
  struct Request {
    std::vector<std::byte> bytes;
    LerobotCall* call = nullptr;
    std::vector<std::shared_ptr<LerobotClient>> leaving;
  };

  void run();
  base::Nanoseconds next_deadline() const;
  void open(Request request);
  Result<void> open_session(const LerobotSetup& setup);
  void answer(Message message, bool must_go, LerobotCall* call);
  std::string reply(const LerobotObservation& observation, const gateway::Answer& answer);

  gateway::Gateway& gateway_;
  const std::string name_;

  mutable std::mutex mutex_;  // guards all down to leaving_
  std::condition_variable wake_;
  std::optional<Message> slot_;
  std::optional<Request> request_;
  LerobotCall* waiter_ = nullptr;  // of GetActions
  LerobotCall* stream_ = nullptr;  // of SendObservations
  base::Nanoseconds waiter_until_ = 0, stream_until_ = 0, heard_ = 0;
  std::optional<std::int64_t> answered_;  // the newest timestep that the policy answered
  std::vector<std::pair<std::string, std::string>> renamed_;
  bool must_go_ = false;  // the client has nothing left to play
  bool driving_ = false;  // there is a session
  bool restart_ = false;
  bool gone_ = false;
  bool leaving_ = false;
  std::atomic<bool> over_{false};

  // Of the thread.
  std::unique_ptr<gateway::Session> session_;
  LerobotSetup setup_;
  std::vector<float> values_;
  std::thread thread_;
};

}  // namespace cambium::adapters
