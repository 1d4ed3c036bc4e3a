#include "core/gateway/session.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/base/clock.hpp"

namespace cambium::gateway {
namespace {

using base::Nanoseconds;

// To be accepted, and to offer memory: at once on a machine that has nothing else to do.
constexpr std::chrono::milliseconds kWelcome{2000};
constexpr std::chrono::milliseconds kNews{50};  // a refusal of what is sent for a body that is gone
constexpr std::size_t kTaskKept = 4096;         // of the text, to see whether the next is another

/// For people: why the policy does not drive.
std::string sentence(Code reason) {
  switch (reason) {
    case Code::ok:
      return "nothing was wrong, but there is no chunk";
    case Code::stale:
      return "the robot was swapped while its chunk was made";
    case Code::timeout:
      return "no chunk came in time";
    case Code::busy:
      return "the robot or its trunk is too busy";
    case Code::incompatible:
      return "the trunk serves other weights than the robot's";
    case Code::limit:
      return "the robot was stopped at a limit; a new episode or a swap releases it";
    case Code::not_finite:
      return "the policy gave NaN or infinity";
    case Code::unavailable:
      return "there is no policy or no trunk to ask";
    default:
      return std::string("the policy or its trunk failed (") + to_string(reason) + ")";
  }
}

bool same_body(const RobotInfo& a, const RobotInfo& b) {
  const auto name = [](const auto& x, const auto& y) { return x.name == y.name; };
  return a.embodiment == b.embodiment && a.action == b.action &&
         std::ranges::equal(a.joints, b.joints, name) &&
         std::ranges::equal(a.sensors, b.sensors, [](const SensorInfo& x, const SensorInfo& y) {
           return x.name == y.name && x.shape == y.shape;
         });
}

std::size_t size_of(const SensorInfo& sensor) {
  std::size_t size = 1;
  for (const auto extent : sensor.shape) size *= extent;
  return size;
}

}  // namespace

struct Session::Impl {
  Impl(Gateway& of, Seat taken) : gateway(of), seat(std::move(taken)) {}

  Result<void> connect(std::chrono::milliseconds timeout);
  Result<void> fit();
  Result<void> read(const Observation& observation);
  void look_for_another_body();
  void notice_task(const Observation& observation);
  Status ask(Nanoseconds deadline, const Observation& observation, ChunkReply& reply,
             Result<void>& error);
  void hold(Code reason, Answer& answer);
  void write(std::span<const float> actions, std::uint32_t rows, Answer& answer);

  std::span<const float> position() const {
    return position_sensor < readings.size() ? std::span<const float>(readings[position_sensor])
                                             : std::span<const float>();
  }
  std::uint32_t rows() const {
    if (gateway.config().rows != 0) return gateway.config().rows;
    if (info.horizon != 0) return info.horizon;
    return std::clamp(static_cast<std::uint32_t>(info.control_hz / 2), 1U, 64U);
  }

  Gateway& gateway;
  Seat seat;
  std::shared_ptr<SessionCounts> counts;
  std::optional<Client> client;
  RobotInfo info;
  std::optional<Mapping> mapping;            // of the last body that it fitted
  bool fits = false;                         // that is the robot's
  std::vector<std::vector<float>> readings;  // of each sensor, as they came last
  bool seen = false;                         // they are those of the observation in hand
  std::size_t position_sensor = 0;
  std::vector<std::vector<float>> parts;  // of the answer
  std::vector<float> held;
  std::string task;
  std::string refusal;  // what the host said last
};

// What the robot is now, as its host says.
Result<void> Session::Impl::connect(std::chrono::milliseconds timeout) {
  auto now = client->wait(timeout);
  if (!now) return now.error();
  const bool same = fits && same_body(info, *now);
  info = std::move(*now);
  return same ? Result<void>() : fit();
}

Result<void> Session::Impl::fit() {
  fits = seen = false;
  auto made =
      Mapping::make(gateway.config(), info, Gateway::default_action(gateway.config().protocol));
  if (!made) return made.error();
  mapping.emplace(std::move(*made));
  fits = true;
  readings.clear();
  for (const auto& sensor : info.sensors) readings.emplace_back(size_of(sensor));
  const auto found = std::ranges::find(info.sensors, "joint_position", &SensorInfo::name);
  position_sensor = static_cast<std::size_t>(found - info.sensors.begin());
  parts.assign(mapping->parts().size(), {});
  return {};
}

Result<void> Session::Impl::read(const Observation& observation) {
  auto done = mapping->read(observation,
                            [this](std::size_t sensor) { return std::span(readings[sensor]); });
  seen = done.has_value();
  return done;
}

void Session::Impl::notice_task(const Observation& observation) {
  const auto now = observation.task.substr(0, kTaskKept);
  if (observation.episode_start || now != task) client->start_episode();
  task = now;
}

// Nothing is sent to a body that the mapping does not fit, so nobody says when it is gone: then
// what is sent for it is answered with the news, and changes nothing.
void Session::Impl::look_for_another_body() {
  const auto now = gateway.door().describe(info.robot);
  if (!now || same_body(info, *now)) return;
  for (std::size_t i = 0; i < info.sensors.size(); ++i)
    if (!client->set(i, std::vector<float>(size_of(info.sensors[i]))).ok()) return;
  ChunkReply nothing;
  [[maybe_unused]] const Status stale = client->infer(nothing, kNews);
}

// Until there is a chunk, an error of the client's, or no time left. What the host answers at once
// (another body, a connection that was lost) is tried again.
Status Session::Impl::ask(Nanoseconds deadline, const Observation& observation, ChunkReply& reply,
                          Result<void>& error) {
  seen = false;
  // First, so that there is something to hold even if nobody can be asked.
  if (fits && !(error = read(observation))) return error.error().code;
  if (!fits && client->robot()) look_for_another_body();
  for (;;) {
    const auto left = std::chrono::nanoseconds(deadline - base::monotonic_ns());
    if (left.count() <= 0) return Code::timeout;
    if (!client->robot() || !fits) {
      const auto known = connect(std::chrono::duration_cast<std::chrono::milliseconds>(left));
      if (!fits) error = known.error();
      if (!known) return known.error().code;
    }
    if (!seen && !(error = read(observation))) return error.error().code;
    Status status;
    for (std::size_t i = 0; i < readings.size() && status.ok(); ++i)
      status = client->set(i, readings[i]);
    if (status.ok())
      status = client->infer(reply, std::chrono::duration_cast<std::chrono::microseconds>(left));
    if (status.code() != Code::stale && status.code() != Code::unavailable) return status;
  }
}

void Session::Impl::write(std::span<const float> actions, std::uint32_t rows, Answer& answer) {
  answer.rows = rows;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    mapping->write(i, actions, rows, parts[i]);
    const auto& part = mapping->parts()[i];
    answer.parts.push_back({part.key, static_cast<std::uint32_t>(part.joints.size()), parts[i]});
  }
}

// Nobody on the host's side has answered: the last thing to do is to stay.
void Session::Impl::hold(Code reason, Answer& answer) {
  held.resize(rows() * info.joints.size());
  mapping->hold(position(), rows(), held);
  write(held, rows(), answer);
  answer.drive = Drive::hold;
  answer.reason = reason;
  answer.generation = info.generation;
}

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::~Session() = default;

Result<std::unique_ptr<Session>> Session::open(Gateway& gateway, std::string_view robot,
                                               std::string client) {
  auto seat = gateway.seats().take(robot, client);
  if (!seat) return seat.error();
  auto impl = std::make_unique<Impl>(gateway, std::move(*seat));
  ClientOptions options = gateway.door().controller;
  options.robot = impl->seat.robot();
  options.name = client;
  options.hold_chunks = true;
  options.on_event = [self = impl.get()](const ClientEvent& event) {
    if (event.kind == ClientEvent::Kind::refused) self->refusal = event.text;
    if (event.kind == ClientEvent::Kind::connected) self->refusal.clear();
  };
  auto opened = Client::open(std::move(options));
  if (!opened) return opened.error();
  impl->client.emplace(std::move(*opened));
  if (auto known = impl->connect(kWelcome); !known) return known.error();
  impl->counts = gateway.enter(std::move(client), impl->seat.robot());
  return std::unique_ptr<Session>(new Session(std::move(impl)));
}

const RobotInfo& Session::robot() const noexcept {
  return impl_->info;
}
const Mapping& Session::mapping() const noexcept {
  return *impl_->mapping;
}

void Session::start_episode() noexcept {
  impl_->client->start_episode();
}

Result<void> Session::infer(const Observation& observation, Answer& answer) {
  const Nanoseconds begin = base::monotonic_ns();
  Impl& my = *impl_;
  answer = {};
  my.counts->heard.store(begin, std::memory_order_relaxed);
  my.notice_task(observation);
  const auto within = my.gateway.config().answer_within.count() * base::kMillisecond;
  ChunkReply reply;
  Result<void> error;
  const Status status = my.ask(begin + within, observation, reply, error);
  if (!error) {
    my.counts->refused.fetch_add(1, std::memory_order_relaxed);
    my.gateway.say_once(my.counts->client, error.error().message);
    const std::lock_guard lock(my.counts->mutex);
    my.counts->why = error.error().message;
    return error;
  }
  if (status.ok()) {
    const auto wanted = my.gateway.config().rows;
    my.info.generation = reply.generation;
    my.refusal.clear();
    my.write(reply.values, wanted == 0 ? reply.horizon : std::min(wanted, reply.horizon), answer);
    answer.drive = reply.drive;
    answer.reason = reply.reason;
    answer.generation = reply.generation;
    answer.trunk_compute_us = reply.trunk_compute_us;
  } else {
    my.hold(status.code(), answer);
  }
  my.counts->answers.fetch_add(1, std::memory_order_relaxed);
  if (answer.drive != Drive::policy) {
    my.counts->holds.fetch_add(1, std::memory_order_relaxed);
    answer.why = status.ok() || my.refusal.empty() ? sentence(answer.reason) : my.refusal;
  }
  {
    const std::lock_guard lock(my.counts->mutex);
    my.counts->why = answer.why;
  }
  answer.took_ms = static_cast<double>(base::monotonic_ns() - begin) * 1e-6;
  return {};
}

}  // namespace cambium::gateway
