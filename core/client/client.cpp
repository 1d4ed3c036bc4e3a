#include "cambium/client.hpp"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "cambium/version.hpp"
#include "core/base/clock.hpp"
#include "core/client/readings.hpp"
#include "core/transport/keyring.hpp"
#include "core/transport/socket.hpp"
#include "core/transport/verify.hpp"
#include "wire/action_generated.h"
#include "wire/chunk_generated.h"
#include "wire/hello_generated.h"
#include "wire/memory_generated.h"
#include "wire/notice_generated.h"
#include "wire/welcome_generated.h"

namespace cambium {

using base::Nanoseconds;

namespace {

constexpr Nanoseconds kHelloEvery = 100 * base::kMillisecond;
constexpr Nanoseconds kTryAgain = 5 * base::kMillisecond;  // not connected yet
constexpr Nanoseconds kMemoryTakes = base::kSecond;        // to be opened and mapped by the host
constexpr int kSilentCallsBeforeHello = 3;  // then the host has forgotten us or is gone

std::string default_name() {
  char path[256] = {};
  const auto size = ::readlink("/proc/self/exe", path, sizeof path - 1);
  const std::string program =
      size > 0 ? std::string(path, static_cast<std::size_t>(size)) : "client";
  return program.substr(program.find_last_of('/') + 1) + ", pid " + std::to_string(::getpid());
}

std::string text_of(const flatbuffers::String* text) {
  return text ? text->str() : std::string();
}

}  // namespace

class Client::Impl {
 public:
  Impl(ClientOptions given, std::unique_ptr<transport::Keyring> keys,
       std::unique_ptr<transport::Context> zmq, transport::Socket dealer)
      : options(std::move(given)),
        keyring(std::move(keys)),
        context(std::move(zmq)),
        socket(std::move(dealer)) {
    poller.add(socket);
  }

  // Sends the observation and polls until `done` says that its answer is in.
  template <class Done>
  Status exchange(wire::Want want, std::chrono::microseconds timeout, Done done) {
    const Nanoseconds deadline = base::monotonic_ns() + timeout.count() * 1000;
    if (!connected && !try_hello(deadline)) return Code::unavailable;
    if (!readings.complete()) return Code::bad_argument;  // a sensor was never set
    if (const Status sent = send_observation(want); !sent.ok()) {
      lost("the host is gone");
      return sent;
    }
    refusal = {};
    while (!done()) {
      const Nanoseconds now = base::monotonic_ns();
      if (!refusal.ok()) return refusal;
      if (now >= deadline) {
        if (++silent_calls >= kSilentCallsBeforeHello) lost("no answer from the host");
        return Code::timeout;
      }
      if (!receive_one()) poller.wait(deadline - now);
    }
    silent_calls = 0;
    new_task = false;
    return {};
  }

  bool try_hello(Nanoseconds deadline) {
    for (;;) {
      while (receive_one()) {
      }
      if (connected) return true;
      const Nanoseconds now = base::monotonic_ns();
      if (now >= deadline) return false;
      if (now >= next_hello) {
        next_hello = now + (send_hello().ok() ? kHelloEvery : kTryAgain);
      }
      poller.wait(std::min(deadline, next_hello) - now);
    }
  }

  // Why the host does not answer, where it can be known.
  std::string why_nobody() const {
    const std::string nobody = "nobody answers at '" + options.endpoint + "'";
    if (*socket.trouble() != '\0')
      return "the host at '" + options.endpoint + "' refuses: " + socket.trouble();
    return keyring ? nobody + ", or not with the key that is expected" : nobody;
  }

  ClientOptions options;
  std::unique_ptr<transport::Keyring> keyring;
  std::unique_ptr<transport::Context> context;
  transport::Socket socket;
  transport::Poller poller;
  flatbuffers::FlatBufferBuilder builder{4096};

  bool connected = false;
  RobotInfo info;
  std::uint32_t robot_id = 0;
  std::uint64_t body = 0, sequence = 0;
  bool episode_start = true;
  bool new_task = true;  // until the host has answered: a connection that breaks must not lose it
  client::Readings readings;
  std::optional<client::FrameRing> offered;  // to the host, which has not answered yet
  std::uint64_t offers = 0;
  std::size_t max_message_bytes = 0;
  std::uint32_t patience_ms = 0;           // of the observation that is sent next
  std::vector<float> demonstrated, label;  // the same; empty: nobody demonstrates

  Nanoseconds next_hello = 0;
  int silent_calls = 0;
  Status refusal;
  std::string last_refusal;
  Code last_refusal_code = Code::ok;

  // The last answer; copied out of the socket's buffer.
  std::uint64_t answered = 0;
  bool answer_is_chunk = false;
  std::vector<float> values;
  ActionReply action;
  ChunkReply chunk;
  Drive last_drive = Drive::policy;

 private:
  void tell(ClientEvent::Kind kind, std::string text) {
    if (options.on_event) options.on_event({kind, std::move(text)});
  }

  Status send_hello() {
    builder.Clear();
    const auto client = builder.CreateString(options.name);
    const auto robot = builder.CreateString(options.robot);
    const auto embodiment = builder.CreateString(options.embodiment);
    wire::FinishHelloBuffer(builder,
                            wire::CreateHello(builder, kWireProtocol, client, robot, embodiment));
    return socket.send(transport::bytes_of(builder));
  }

  Status send_observation(wire::Want want) {
    builder.Clear();
    const auto all = readings.pack(builder, ++sequence);
    flatbuffers::Offset<flatbuffers::Vector<float>> shown = 0, taught = 0;
    if (!demonstrated.empty()) shown = builder.CreateVector(demonstrated);
    if (!label.empty()) taught = builder.CreateVector(label);
    wire::FinishObservationBuffer(
        builder,
        wire::CreateObservation(builder, robot_id, body, sequence, base::monotonic_ns(), want,
                                episode_start, all, !new_task, patience_ms, shown, taught));
    const Status sent = socket.send(transport::bytes_of(builder));
    if (sent.ok()) episode_start = false;
    return sent;
  }

  bool receive_one() {
    transport::Peer nobody;
    std::span<const std::byte> bytes;
    const Status got = socket.receive(nobody, bytes);
    if (got.code() == Code::stale) return false;
    if (!got.ok()) return true;
    if (const auto* m = transport::verify<wire::Action>(bytes, wire::ActionIdentifier()))
      on_action(*m);
    else if (const auto* c = transport::verify<wire::Chunk>(bytes, wire::ChunkIdentifier()))
      on_chunk(*c);
    else if (const auto* w = transport::verify<wire::Welcome>(bytes, wire::WelcomeIdentifier()))
      on_welcome(*w);
    else if (const auto* memory = transport::verify<wire::Memory>(bytes, wire::MemoryIdentifier()))
      on_memory(*memory);
    else if (const auto* n = transport::verify<wire::Notice>(bytes, wire::NoticeIdentifier()))
      on_notice(*n);
    return true;
  }

  void on_action(const wire::Action& message) {
    // A late answer belongs to an observation that is gone: dropped, never mistaken for the next.
    if (!connected || message.sequence() != sequence || message.body() != body || !message.values())
      return;
    values.assign(message.values()->begin(), message.values()->end());
    action = {.values = values,
              .drive = static_cast<Drive>(message.drive()),
              .reason = static_cast<Code>(message.reason()),
              .generation = message.generation(),
              .limited = message.limited()};
    answered = message.sequence();
    answer_is_chunk = false;
    note_generation(message.generation());
    if (action.drive != last_drive) {
      last_drive = action.drive;
      tell(ClientEvent::Kind::drive_changed,
           std::string(to_string(action.drive)) +
               (action.reason == Code::ok ? "" : std::string(": ") + to_string(action.reason)));
    }
  }

  void on_chunk(const wire::Chunk& message) {
    if (!connected || message.sequence() != sequence || message.body() != body ||
        !message.values() ||
        message.values()->size() != static_cast<std::size_t>(message.horizon()) * message.dof()) {
      return;
    }
    values.assign(message.values()->begin(), message.values()->end());
    chunk = {.values = values,
             .horizon = message.horizon(),
             .dof = message.dof(),
             .generation = message.generation(),
             .trunk_compute_us = message.trunk_compute_us(),
             .drive = static_cast<Drive>(message.drive()),
             .reason = static_cast<Code>(message.reason())};
    answered = message.sequence();
    answer_is_chunk = true;
    note_generation(message.generation());
  }

  void note_generation(std::uint64_t generation) {
    if (generation == info.generation) return;
    tell(ClientEvent::Kind::generation_changed,
         "generation " + std::to_string(info.generation) + " -> " + std::to_string(generation));
    info.generation = generation;
  }

  void on_welcome(const wire::Welcome& message) {
    if (!message.joints() || !message.sensors()) return;
    if (connected && message.body() == body) return;  // the answer to a hello that was sent twice
    info = {};
    info.robot = text_of(message.robot());
    info.embodiment = text_of(message.embodiment());
    info.generation = message.generation();
    for (const auto* joint : *message.joints()) {
      info.joints.push_back({text_of(joint->name()),
                             joint->prismatic() ? JointKind::prismatic : JointKind::revolute,
                             joint->position_min(), joint->position_max(), joint->velocity_max(),
                             joint->acceleration_max(), joint->home()});
    }
    for (const auto* sensor : *message.sensors()) {
      SensorInfo one{
          text_of(sensor->name()), text_of(sensor->unit()), text_of(sensor->frame()), {}};
      if (sensor->shape()) one.shape.assign(sensor->shape()->begin(), sensor->shape()->end());
      info.sensors.push_back(std::move(one));
    }
    info.action = static_cast<ActionKind>(message.action_kind());
    info.control_hz = message.control_hz();
    info.horizon = message.horizon();
    robot_id = message.robot_id();
    body = message.body();
    max_message_bytes = message.max_message_bytes();
    readings.reset(info.sensors, options.share_from);
    offered.reset();
    demonstrated.clear();  // of another body, perhaps
    label.clear();
    connected = false;  // until it is known how large readings travel
    if (options.share_from == ClientOptions::kNeverShare)
      return by_bytes("it is switched off here");
    if (!readings.any_large()) return by_bytes("no reading is large enough");
    if (!message.shared_memory()) return by_bytes("the host does not read it");
    offer_memory();
  }

  // Not connected before it is answered: what has no room in a message must wait for it.
  void offer_memory() {
    auto ring = readings.make_ring();
    if (!ring) return by_bytes(ring.error().message);
    offered = std::move(*ring);
    builder.Clear();
    const auto token = builder.CreateVector(
        reinterpret_cast<const std::uint8_t*>(offered->token().data()), offered->token().size());
    const auto offer = wire::CreateMemoryOffer(builder, static_cast<std::uint32_t>(::getpid()),
                                               static_cast<std::uint32_t>(offered->descriptor()),
                                               offered->bytes(), token);
    wire::FinishMemoryBuffer(builder, wire::CreateMemory(builder, robot_id, ++offers, offer));
    next_hello = base::monotonic_ns() + kMemoryTakes;
    [[maybe_unused]] const Status sent =
        socket.send(transport::bytes_of(builder));  // lost: hello again, and all from the beginning
  }

  void on_memory(const wire::Memory& message) {
    if (!offered || message.sequence() != offers || !message.answer()) return;
    if (message.answer()->code() != 0) {
      offered.reset();
      return by_bytes(text_of(message.answer()->text()));
    }
    readings.share(*std::exchange(offered, std::nullopt));
    info.shared_memory = true;
    connect("; large readings through shared memory");
  }

  void by_bytes(const std::string& why) {
    const std::size_t needed = readings.message_bytes();
    if (max_message_bytes == 0 || needed <= max_message_bytes)
      return connect(readings.any_large() ? "; large readings as bytes: " + why : "");
    next_hello = base::monotonic_ns() + kMemoryTakes;
    refuse(Code::limit, "an observation has " + std::to_string(needed / 1024) +
                            " KB, the host's max_message_kb is " +
                            std::to_string(max_message_bytes / 1024) +
                            ", and it cannot go through shared memory: " + why);
  }

  void connect(const std::string& how) {
    episode_start = true;
    silent_calls = 0;
    last_refusal.clear();
    connected = true;
    tell(ClientEvent::Kind::connected,
         "robot '" + info.robot + "', embodiment '" + info.embodiment + "'" + how);
  }

  void refuse(Code code, const std::string& text) {
    refusal = last_refusal_code = code;
    if (text == last_refusal) return;
    last_refusal = text;
    tell(ClientEvent::Kind::refused, text);
  }

  void on_notice(const wire::Notice& message) {
    const auto code = static_cast<Code>(message.code());
    const std::string text = text_of(message.text());
    if (connected && message.body() != 0 && message.body() != body) {
      connected = false;
      refusal = Code::stale;
      next_hello = 0;
      tell(ClientEvent::Kind::body_changed, text);
      return;
    }
    if (connected && code == Code::unavailable &&
        message.body() == 0) {  // the host itself does not know us
      refusal = Code::unavailable;
      lost(text);
      return;
    }
    if (connected && message.sequence() != sequence) return;
    refuse(code, text);
  }

  void lost(const std::string& why) {
    if (!connected) return;
    connected = false;
    silent_calls = 0;
    next_hello = 0;
    tell(ClientEvent::Kind::disconnected, why);
  }
};

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Result<Client> Client::open(ClientOptions options) {
  if (options.endpoint.empty()) return Error{Code::bad_argument, "client: no endpoint was given"};
  if (options.robot.empty()) return Error{Code::bad_argument, "client: no robot was named"};
  if (options.name.empty()) options.name = default_name();
  auto keyring = transport::Keyring::open(
      {.key = options.key_file, .allow = {}, .server = options.host_key_file});
  if (!keyring) return Error{keyring.error().code, "client: " + keyring.error().message};
  auto context = std::make_unique<transport::Context>(keyring->get());
  auto socket =
      transport::Socket::connect(*context, transport::SocketKind::dealer, options.endpoint);
  if (!socket) return socket.error();
  return Client(std::make_unique<Impl>(std::move(options), std::move(*keyring), std::move(context),
                                       std::move(socket).value()));
}

Result<RobotInfo> Client::wait(std::chrono::milliseconds timeout) {
  impl_->last_refusal.clear();
  if (impl_->connected ||
      impl_->try_hello(base::monotonic_ns() + timeout.count() * base::kMillisecond)) {
    return impl_->info;
  }
  if (!impl_->last_refusal.empty()) return Error{impl_->last_refusal_code, impl_->last_refusal};
  return Error{Code::unavailable, impl_->why_nobody()};
}

const RobotInfo* Client::robot() const noexcept {
  return impl_->connected ? &impl_->info : nullptr;
}

Status Client::set(std::size_t sensor, std::span<const float> values) noexcept {
  if (!impl_->connected) return Code::unavailable;
  return impl_->readings.set(sensor, values, impl_->answered);
}

Status Client::set(std::string_view sensor, std::span<const float> values) noexcept {
  if (!impl_->connected) return Code::unavailable;
  const auto& sensors = impl_->info.sensors;
  const auto found = std::find_if(sensors.begin(), sensors.end(),
                                  [&](const SensorInfo& one) { return one.name == sensor; });
  if (found == sensors.end()) return Code::not_found;
  return set(static_cast<std::size_t>(found - sensors.begin()), values);
}

void Client::start_episode() noexcept {
  impl_->episode_start = impl_->new_task = true;
}

Status Client::demonstrate(std::span<const float> action, std::span<const float> label) noexcept {
  if (!impl_->connected) return Code::unavailable;
  const std::size_t dof = impl_->info.joints.size();
  if (action.size() != dof || (!label.empty() && label.size() != dof)) return Code::bad_argument;
  try {
    impl_->demonstrated.assign(action.begin(), action.end());
    impl_->label.assign(label.begin(), label.end());
    return {};
  } catch (...) {
    return Code::failed;
  }
}

Status Client::act(ActionReply& reply, std::chrono::microseconds timeout) noexcept {
  try {
    const Status status = impl_->exchange(wire::Want::action, timeout, [this] {
      return impl_->answered == impl_->sequence && !impl_->answer_is_chunk;
    });
    impl_->demonstrated.clear();  // a command is for one tick, sent or not
    impl_->label.clear();
    if (status.ok()) reply = impl_->action;
    return status;
  } catch (...) {  // out of memory, or a callback that threw
    return Code::failed;
  }
}

Status Client::infer(ChunkReply& reply, std::chrono::microseconds timeout) noexcept {
  try {
    if (!impl_->demonstrated.empty()) return Code::bad_argument;  // a chunk is the policy's
    const bool hold = impl_->options.hold_chunks;
    // An eighth is left for the answer: one that the robot makes is better than none.
    const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(timeout * 7 / 8);
    impl_->patience_ms =
        hold ? static_cast<std::uint32_t>(std::clamp<std::int64_t>(patience.count(), 1, 60'000))
             : 0;
    const auto want = hold ? wire::Want::chunk_or_hold : wire::Want::chunk;
    const Status status = impl_->exchange(want, timeout, [this] {
      return impl_->answered == impl_->sequence && impl_->answer_is_chunk;
    });
    if (status.ok()) reply = impl_->chunk;
    return status;
  } catch (...) {
    return Code::failed;
  }
}

}  // namespace cambium
