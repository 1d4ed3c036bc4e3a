#include "core/adapters/lerobot/client.hpp"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "core/adapters/lerobot/features.hpp"
#include "core/adapters/lerobot/reply.hpp"
#include "core/formats/text.hpp"

namespace cambium::adapters {
namespace {

// As LeRobot's own server: a call without news is answered with nothing, and made again.
constexpr base::Nanoseconds kAsk = 2 * base::kSecond;
// An observation that nobody asked an answer for is no picture of the robot any more.
constexpr base::Nanoseconds kFresh = base::kSecond;

base::Nanoseconds silent_after(const gateway::Gateway& gateway) {
  return std::chrono::nanoseconds(gateway.config().silent_after).count();
}

Error left() {
  return {Code::failed, "this client was silent for too long, or the listener ends; begin anew"};
}

}  // namespace

LerobotClient::LerobotClient(gateway::Gateway& gateway, std::string name)
    : gateway_(gateway), name_(std::move(name)), heard_(base::monotonic_ns()) {
  thread_ = std::thread([this] { run(); });
}

LerobotClient::~LerobotClient() {
  leave();
  thread_.join();
}

void LerobotClient::ready() {
  const std::lock_guard lock(mutex_);
  heard_ = base::monotonic_ns();
  slot_.reset();
  answered_.reset();
  must_go_ = false;
  restart_ = true;
}

void LerobotClient::instruct(std::vector<std::byte> setup, LerobotCall* call,
                             std::vector<std::shared_ptr<LerobotClient>> leaving) {
  LerobotCall* late = call;
  {
    const std::lock_guard lock(mutex_);
    heard_ = base::monotonic_ns();
    if (!leaving_) {
      late = request_ ? request_->call : nullptr;
      request_ = Request{std::move(setup), call, std::move(leaving)};
    }
  }
  wake_.notify_one();
  if (late) late->refuse(left());
}

void LerobotClient::begin(LerobotCall* stream) {
  LerobotCall* late = stream;
  {
    const std::lock_guard lock(mutex_);
    heard_ = base::monotonic_ns();
    if (!leaving_) {
      late = std::exchange(stream_, stream);
      stream_until_ = heard_ + silent_after(gateway_);
    }
  }
  wake_.notify_one();
  if (late) late->refuse({Code::stale, "another observation began before this one was whole"});
}

Result<void> LerobotClient::observe(std::vector<std::byte> message) {
  auto observation = read_observation(message);
  if (!observation) return observation.error();
  const std::lock_guard lock(mutex_);
  heard_ = base::monotonic_ns();
  if (!driving_)
    return Error{Code::incompatible, "no robot is driven: send policy instructions first"};
  // Said once, when the client has nothing left to play: it holds until there is a chunk, whichever
  // observation comes to be answered.
  must_go_ = must_go_ || observation->must_go;
  // The answer to one that was answered is what the client plays already.
  if (!must_go_ && answered_ && observation->timestep <= *answered_) return {};
  for (auto& entry : observation->what.entries)
    for (const auto& [from, into] : renamed_)
      if (entry.key == from) {
        entry.key = into;
        break;
      }
  slot_ = Message{std::move(message), *std::move(observation), heard_};
  wake_.notify_one();
  return {};
}

void LerobotClient::ask(LerobotCall* call) {
  LerobotCall* late = call;
  bool ending = true;
  {
    const std::lock_guard lock(mutex_);
    heard_ = base::monotonic_ns();
    ending = leaving_;
    if (!leaving_) {
      late = std::exchange(waiter_, call);
      waiter_until_ = heard_ + kAsk;
    }
  }
  wake_.notify_one();
  if (!late) return;
  if (ending)
    late->refuse(left());
  else
    late->answer({});
}

bool LerobotClient::withdraw(LerobotCall* call) {
  const std::lock_guard lock(mutex_);
  heard_ = base::monotonic_ns();
  if (waiter_ == call) return waiter_ = nullptr, true;
  if (stream_ == call) return stream_ = nullptr, true;
  if (request_ && request_->call == call) return request_.reset(), true;
  return false;
}

void LerobotClient::connection_closed() {
  const std::lock_guard lock(mutex_);
  gone_ = true;
}
void LerobotClient::connection_again() {
  const std::lock_guard lock(mutex_);
  gone_ = false;
}
bool LerobotClient::gone() const {
  const std::lock_guard lock(mutex_);
  return gone_;
}

void LerobotClient::leave() {
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
  }
  wake_.notify_one();
}

base::Nanoseconds LerobotClient::next_deadline() const {
  base::Nanoseconds next = heard_ + silent_after(gateway_);
  if (waiter_) next = std::min(next, waiter_until_);
  if (stream_) next = std::min(next, stream_until_);
  return next;
}

void LerobotClient::run() {
  ::pthread_setname_np(::pthread_self(), "cambium-lerobot");
  std::unique_lock lock(mutex_);
  while (true) {
    const base::Nanoseconds now = base::monotonic_ns();
    if (waiter_ || request_) heard_ = now;  // its connection is open
    if (leaving_ || now >= heard_ + silent_after(gateway_)) break;
    if (slot_ && now - slot_->arrived > kFresh) slot_.reset();
    if (request_) {
      Request request = *std::exchange(request_, std::nullopt);
      driving_ = must_go_ = false;
      slot_.reset();
      answered_.reset();
      lock.unlock();
      open(std::move(request));
      lock.lock();
    } else if (waiter_ && slot_) {
      Message message = *std::exchange(slot_, std::nullopt);
      LerobotCall* call = std::exchange(waiter_, nullptr);
      const bool restart = std::exchange(restart_, false), must_go = must_go_;
      lock.unlock();
      if (restart) session_->start_episode();
      answer(std::move(message), must_go, call);
      lock.lock();
    } else if (waiter_ && now >= waiter_until_) {
      LerobotCall* call = std::exchange(waiter_, nullptr);
      lock.unlock();
      call->answer({});
      lock.lock();
    } else if (stream_ && now >= stream_until_) {
      LerobotCall* call = std::exchange(stream_, nullptr);
      lock.unlock();
      call->refuse({Code::timeout, "an observation did not become whole in time"});
      lock.lock();
    } else {
      wake_.wait_for(lock, std::chrono::nanoseconds(next_deadline() - now));
    }
  }
  leaving_ = true;  // whoever comes now is refused by its own thread
  driving_ = false;
  slot_.reset();
  LerobotCall* open[] = {std::exchange(waiter_, nullptr), std::exchange(stream_, nullptr),
                         request_ ? request_->call : nullptr};
  request_.reset();
  lock.unlock();
  session_.reset();
  for (LerobotCall* call : open)
    if (call) call->refuse(left());
  over_.store(true, std::memory_order_release);
  over_.notify_all();
}

void LerobotClient::open(Request request) {
  for (const auto& client : request.leaving) client->over_.wait(false);  // their seats are free
  request.leaving.clear();
  session_.reset();
  auto setup = read_setup(request.bytes);
  auto opened = setup ? open_session(*setup) : Result<void>(setup.error());
  if (!opened) {
    session_.reset();
    gateway_.refuse(name_, opened.error().message);
    request.call->refuse(opened.error());
    return;
  }
  setup_ = *std::move(setup);
  {
    const std::lock_guard lock(mutex_);
    driving_ = true;
    restart_ = false;
    renamed_ = setup_.renamed;
  }
  request.call->answer({});
}

Result<void> LerobotClient::open_session(const LerobotSetup& setup) {
  const auto& config = gateway_.config();
  std::string robot;
  if (!config.policies.empty()) {
    const auto found = config.policies.find(setup.policy);
    if (found == config.policies.end()) {
      std::string served;
      for (const auto& [policy, of] : config.policies)
        served += (served.empty() ? "'" : ", '") + policy + "'";
      return Error{Code::not_found, "no policy " + formats::shown(setup.policy) +
                                        " is served here; [[listener]] policies has " + served};
    }
    robot = found->second;
  }
  auto session = gateway::Session::open(gateway_, robot, name_);
  if (!session) return session.error();
  session_ = *std::move(session);
  return check_features(setup, session_->mapping(), config);
}

void LerobotClient::answer(Message message, bool must_go, LerobotCall* call) {
  const auto& observation = message.observation;
  gateway::Answer answer;
  if (const auto done = session_->infer(observation.what, answer); !done) {
    call->refuse(done.error());
    return;
  }
  const bool policy = answer.drive == Drive::policy;
  if (!policy && !must_go) {
    // The client still has actions of its last chunk. A chunk that holds would overwrite them; with
    // nothing it plays them, and sends its next observation a tick later.
    call->answer({});
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (policy) answered_ = observation.timestep;
    must_go_ = false;
  }
  call->answer(reply(observation, answer));
}

std::string LerobotClient::reply(const LerobotObservation& observation,
                                 const gateway::Answer& answer) {
  const std::uint32_t rows = std::min(answer.rows, setup_.rows);
  std::uint32_t columns = 0;
  for (const auto& part : answer.parts) columns += part.columns;
  values_.clear();
  for (std::uint32_t row = 0; row < rows; ++row)  // the parts of a row one after the other
    for (const auto& part : answer.parts) {
      const auto from = part.values.subspan(std::size_t{row} * part.columns, part.columns);
      values_.insert(values_.end(), from.begin(), from.end());
    }
  return write_reply({.module = setup_.module,
                      .timestamp = observation.timestamp,
                      .timestep = observation.timestep,
                      .hz = session_->robot().control_hz,
                      .columns = columns,
                      .values = values_});
}

}  // namespace cambium::adapters
