#include "core/runtime/io_loop.hpp"

#include <sched.h>

#include <algorithm>
#include <array>
#include <utility>

#include "cambium/version.hpp"
#include "core/base/nearest.hpp"
#include "core/base/shared_slot.hpp"
#include "core/runtime/memory_intake.hpp"
#include "core/runtime/robot.hpp"
#include "core/runtime/worker.hpp"
#include "core/transport/verify.hpp"
#include "core/trunk/link.hpp"
#include "wire/action_generated.h"
#include "wire/chunk_generated.h"
#include "wire/hello_generated.h"
#include "wire/memory_generated.h"
#include "wire/notice_generated.h"
#include "wire/observation_generated.h"

namespace cambium::runtime {
namespace {

constexpr base::Nanoseconds kIdle = 50 * base::kMillisecond;

// A robot answers within microseconds, and to sleep and be woken costs more than that (30 us and up
// on a virtual machine): so the io thread looks for the answer itself for this long, yielding,
// before it sleeps. Only at real-time priority: under the ordinary scheduler a yielding thread
// makes others wait for milliseconds (measured: p99 of a tick 0.6 to 1.2 ms instead of 0.4).
constexpr base::Nanoseconds kLookOut = 50'000;

// A controller has a few slots for each large reading; more is a mistake.
constexpr std::uint64_t kMaxSlots = 16;

// More than this is copied by the robot's worker: it takes longer than to wake it, and the other
// robots' controllers are waiting too. [bytes]
constexpr std::uint64_t kCopiedHere = 128 * 1024;

// Of one robot, sentences of refused requests are passed on at most so often.
constexpr base::Nanoseconds kRefusals = 100 * base::kMillisecond;

// Of a controller that takes a chunk that holds, and does not say how long it waits for another.
constexpr base::Nanoseconds kPatience = 250 * base::kMillisecond;
constexpr std::uint32_t kMostPatienceMs = 60'000;

base::Nanoseconds patience_of(const wire::Observation& message) {
  if (message.patience_ms() == 0) return kPatience;
  return std::min(message.patience_ms(), kMostPatienceMs) * base::kMillisecond;
}

using JointNumbers = std::array<float, plugin::kMaxDof>;

// How many numbers there are; of too many none is copied: the robot refuses them.
std::uint32_t copy_command(const flatbuffers::Vector<float>* from, JointNumbers& to) noexcept {
  if (from == nullptr) return 0;
  if (from->size() > to.size()) return static_cast<std::uint32_t>(to.size()) + 1;
  std::copy_n(from->data(), from->size(), to.begin());
  return from->size();
}

void count(std::atomic<std::uint64_t>& counter) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

/// What lives and dies with the io thread.
class IoLoop::Loop {
 public:
  Loop(IoLoop& owner, transport::Socket control, trunk::TrunkLink link)
      : owner_(owner),
        control_(std::move(control)),
        link_(std::move(link)),
        memories_(owner.waker_) {
    poller_.add(control_);
    poller_.add(link_.socket());
    poller_.add_descriptor(owner_.waker_.descriptor());
  }

  void run(bool realtime) {
    while (!stopped_) {
      poller_.wait(kIdle);
      owner_.waker_.clear();
      send_answers();  // first: controllers are waiting for them
      receive_observations();
      receive_features();
      if (realtime) look_out_for_answers();
      memories_.work([this](auto robot_id, auto sequence, Code code, const std::string& why) {
        answer_offer(slots_[robot_id].peer, robot_id, sequence, code, why);
      });
      obey();
    }
  }

 private:
  struct Slot {
    std::unique_ptr<Route> route;
    transport::Peer peer;
    bool has_peer = false;
    base::Nanoseconds last_heard = 0;
    base::Nanoseconds next_refusal = 0;  // by the trunk, that is told to people
    bool answer_due = false;    // the robot was just given something that it answers at once
    bool lockstep_due = false;  // it will answer the next features with a chunk
  };

  void look_out_for_answers() {
    const auto due = [](const Slot& slot) { return slot.answer_due; };
    if (std::none_of(slots_.begin(), slots_.end(), due)) return;
    const base::Nanoseconds until = base::monotonic_ns() + kLookOut;
    for (;;) {
      bool missing = false;
      for (auto& slot : slots_) {
        if (!slot.answer_due) continue;
        if (slot.route && !slot.route->actor->mailbox().out.front())
          missing = true;
        else
          slot.answer_due = false;
      }
      if (!missing || base::monotonic_ns() > until) break;
      ::sched_yield();  // to the worker, should it be on this core
    }
    for (auto& slot : slots_) slot.answer_due = false;
    send_answers();
  }

  void obey() {
    while (Command* command = owner_.commands_.front()) {
      if (command->stop) {
        stopped_ = true;
      } else {
        Slot& slot = slots_[command->robot_id];
        owner_.replaced_ = slot.route.release();
        slot.route.reset(command->route);
        memories_.set_robot(command->robot_id, command->route ? command->route->actor : nullptr,
                            command->route ? command->route->worker : nullptr);
        if (!command->route && std::exchange(slot.has_peer, false)) {
          notice(slot.peer, Code::unavailable, "the robot was removed", 0);
        }
      }
      owner_.commands_.pop();
      owner_.done_.store(true, std::memory_order_release);
      owner_.done_.notify_one();
    }
  }

  // ---- controllers -> robots

  void receive_observations() {
    transport::Peer from;
    std::span<const std::byte> bytes;
    // Bounded, so that answers leave even while somebody sends without pause.
    for (std::size_t i = 0; i < 2 * kMaxRobots; ++i) {
      const Status got = control_.receive(from, bytes);
      if (got.code() == Code::stale) return;
      if (!got.ok()) {
        notice(from, Code::bad_data, "a message is one frame of bounded size", 0);
      } else if (const auto* observation =
                     transport::verify<wire::Observation>(bytes, wire::ObservationIdentifier())) {
        on_observation(from, *observation);
      } else if (const auto* hello =
                     transport::verify<wire::Hello>(bytes, wire::HelloIdentifier())) {
        on_hello(from, *hello);
      } else if (const auto* memory =
                     transport::verify<wire::Memory>(bytes, wire::MemoryIdentifier())) {
        on_memory(from, *memory);
      } else {
        notice(from, Code::bad_data, "not a sound hello or observation of this protocol", 0);
      }
    }
    owner_.waker_.wake();  // there may be more
  }

  // The robot's slot, or null if somebody else than its controller speaks.
  Slot* slot_of(const transport::Peer& from, std::uint32_t robot_id) noexcept {
    if (robot_id >= slots_.size()) return nullptr;
    Slot& slot = slots_[robot_id];
    return slot.route && slot.has_peer && slot.peer == from ? &slot : nullptr;
  }

  void on_observation(const transport::Peer& from, const wire::Observation& message) {
    const std::uint32_t id = message.robot_id();
    Slot* const known = slot_of(from, id);
    if (!known) {
      return notice(from, Code::unavailable, "this host does not know you: say hello first",
                    message.sequence());
    }
    Slot& slot = *known;
    Robot& robot = *slot.route->actor;
    const base::Nanoseconds now = base::monotonic_ns();
    // Whoever still speaks for the body before a swap must not keep the next controller out.
    if (message.body() == slot.route->body) slot.last_heard = now;
    robot.counters().last_heard.store(now, std::memory_order_relaxed);

    ObservationFrame* frame = robot.mailbox().observations.loan();
    if (!frame) {  // the robot's worker is far behind: this tick will have no action
      count(robot.counters().missed);
      return notice(from, Code::busy, "the robot's queue is full", message.sequence());
    }
    frame->reading_count = 0;
    frame->memory = memories_.memory_of(id);
    frame->shared = 0;
    std::size_t total = 0;
    std::uint64_t shared_floats = 0;
    if (message.readings()) {
      if (message.readings()->size() > plugin::kMaxSensors) {
        return notice(from, Code::bad_data, "too many readings", message.sequence());
      }
      for (const auto* reading : *message.readings()) {
        const auto* values = reading->values();
        if (const auto* place = reading->place(); place && !values) {
          // A controller that does not know that the host let go of its memory learns it so.
          if (frame->memory == 0) {
            return notice(from, Code::unavailable,
                          "this host does not know your memory: say hello first",
                          message.sequence());
          }
          frame->shared |= std::uint64_t{1} << frame->reading_count;
          frame->places[frame->reading_count] = {place->offset(), place->sequence(), place->size()};
          const auto size =
              static_cast<std::uint32_t>(std::min<std::uint64_t>(place->size(), UINT32_MAX));
          frame->sizes[frame->reading_count++] = size;
          shared_floats += size;
          continue;
        }
        const std::size_t size = values ? values->size() : 0;
        if (total + size > robot.mailbox().capacity) {
          return notice(from, Code::bad_data,
                        "the observation is larger than the host's max_message_kb",
                        message.sequence());
        }
        if (size != 0) std::copy_n(values->data(), size, frame->values.get() + total);
        frame->sizes[frame->reading_count++] = static_cast<std::uint32_t>(size);
        total += size;
      }
    }
    frame->demonstrated = copy_command(message.demonstrated(), frame->command);
    frame->labelled = copy_command(message.label(), frame->label);
    frame->body = message.body();
    frame->sequence = message.sequence();
    frame->readable = now;
    const bool or_hold = message.want() == wire::Want::chunk_or_hold;
    frame->want_chunk = message.want() == wire::Want::chunk || or_hold;
    frame->patience = or_hold ? patience_of(message) : 0;
    frame->episode_start = message.episode_start();
    frame->same_task = message.same_task();
    const bool lockstep = frame->want_chunk;
    if (lockstep) slot.lockstep_due = true;
    robot.mailbox().observations.publish();
    Worker& worker = *slot.route->worker;
    // An answer needs no plugin: while the worker sleeps it is given here and now.
    const bool quick = !lockstep && shared_floats * sizeof(float) <= kCopiedHere;
    if (quick && worker.try_turn()) {
      const bool all = robot.answer();
      worker.end_turn();
      send_answers_of(slot);
      if (all) return;
    } else {
      slot.answer_due = true;
    }
    worker.wake();
  }

  void on_memory(const transport::Peer& from, const wire::Memory& message) {
    const std::uint32_t id = message.robot_id();
    Slot* const slot = slot_of(from, id);
    if (!slot) return notice(from, Code::unavailable, "this host does not know you", 0);
    const auto refuse = [&](Code code, const std::string& why) {
      answer_offer(from, id, message.sequence(), code, why);
    };
    if (!owner_.options_.shared_memory)
      return refuse(Code::unavailable, "shared_memory = false in [host]");
    const auto* offer = message.offer();
    MemoryOffer copy;
    if (!offer || !offer->token() || offer->token()->size() != copy.token.size())
      return refuse(Code::bad_data, "an offer of memory has a token of 16 bytes");
    copy.process = offer->process();
    copy.descriptor = offer->descriptor();
    copy.bytes = offer->bytes();
    std::ranges::transform(*offer->token(), copy.token.begin(),
                           [](std::uint8_t byte) { return std::byte{byte}; });
    const std::uint64_t most =
        kMaxSlots * (slot->route->observation_bytes + 2 * base::kSlotGrain * plugin::kMaxSensors);
    if (auto taken = memories_.offer(id, message.sequence(), copy, most); !taken)
      refuse(taken.error().code, taken.error().message);
  }

  void answer_offer(const transport::Peer& to, std::uint32_t robot_id, std::uint64_t sequence,
                    Code code, const std::string& why) {
    builder_.Clear();
    const auto text = builder_.CreateString(why);
    const auto answer = wire::CreateMemoryAnswer(builder_, static_cast<std::uint16_t>(code), text);
    wire::FinishMemoryBuffer(builder_, wire::CreateMemory(builder_, robot_id, sequence, 0, answer));
    [[maybe_unused]] const Status sent =
        control_.send(to, transport::bytes_of(builder_));  // lost: it says hello again
  }

  void on_hello(const transport::Peer& from, const wire::Hello& hello) {
    const std::string robot = hello.robot() ? hello.robot()->str() : "";
    const std::string embodiment = hello.embodiment() ? hello.embodiment()->str() : "";
    if (hello.protocol() != kWireProtocol) {
      return notice(from, Code::incompatible,
                    "wire protocol " + std::to_string(hello.protocol()) + ", this host speaks " +
                        std::to_string(kWireProtocol),
                    0);
    }
    const auto found = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& slot) {
      return slot.route && slot.route->robot == robot;
    });
    if (found == slots_.end()) {
      std::vector<std::string> names;
      for (const auto& slot : slots_) {
        if (slot.route) names.push_back(slot.route->robot);
      }
      return notice(from, Code::not_found,
                    "no robot '" + robot + "' here" + base::did_you_mean(robot, names), 0);
    }
    const Route& route = *found->route;
    if (!embodiment.empty() && embodiment != route.embodiment) {
      return notice(from, Code::incompatible,
                    "robot '" + robot + "' holds embodiment '" + route.embodiment +
                        "', this controller is for '" + embodiment + "'",
                    0);
    }
    const base::Nanoseconds now = base::monotonic_ns();
    if (found->has_peer && !(found->peer == from) && now - found->last_heard < route.silent_after) {
      return notice(from, Code::busy,
                    "robot '" + robot + "' has a controller, last heard " +
                        std::to_string((now - found->last_heard) / base::kMillisecond) + " ms ago",
                    0);
    }
    memories_.release(static_cast<std::uint32_t>(found - slots_.begin()));
    found->peer = from;
    found->has_peer = true;
    found->last_heard = now;
    [[maybe_unused]] const Status sent =
        control_.send(from, route.welcome);  // a lost one is asked for again
  }

  void notice(const transport::Peer& to, Code code, const std::string& text,
              std::uint64_t sequence) {
    builder_.Clear();
    const auto words = builder_.CreateString(text);
    wire::FinishNoticeBuffer(
        builder_,
        wire::CreateNotice(builder_, static_cast<std::uint16_t>(code), words, 0, sequence));
    [[maybe_unused]] const Status sent =
        control_.send(to, transport::bytes_of(builder_));  // may be gone already
  }

  // ---- robots -> controllers and trunk

  void send_answers() {
    for (auto& slot : slots_) send_answers_of(slot);
  }

  void send_answers_of(Slot& slot) {
    if (!slot.route) return;
    Robot& robot = *slot.route->actor;
    while (OutFrame* frame = robot.mailbox().out.front()) {
      send(slot, robot, *frame);
      robot.mailbox().out.pop();
    }
  }

  void send(Slot& slot, Robot& robot, const OutFrame& frame) {
    if (frame.kind == OutFrame::Kind::tokens) return send_tokens(*slot.route, frame);
    if (!slot.has_peer) return;
    builder_.Clear();
    const std::size_t size = std::size_t{frame.rows} * frame.columns;
    switch (frame.kind) {
      case OutFrame::Kind::action: {
        const auto values = builder_.CreateVector(frame.values.get(), size);
        wire::FinishActionBuffer(
            builder_, wire::CreateAction(builder_, robot.id(), frame.sequence, frame.generation,
                                         frame.body, static_cast<wire::Drive>(frame.drive),
                                         static_cast<std::uint16_t>(frame.code), frame.limited,
                                         frame.chunk_index, values));
        break;
      }
      case OutFrame::Kind::chunk: {
        const auto values = builder_.CreateVector(frame.values.get(), size);
        wire::FinishChunkBuffer(
            builder_,
            wire::CreateChunk(builder_, robot.id(), frame.sequence, frame.generation, frame.body,
                              frame.rows, frame.columns, frame.limited, values, frame.compute_us,
                              static_cast<std::uint8_t>(frame.drive),
                              static_cast<std::uint16_t>(frame.code)));
        break;
      }
      case OutFrame::Kind::notice: {
        const auto text = builder_.CreateString(frame.text.data());
        wire::FinishNoticeBuffer(
            builder_, wire::CreateNotice(builder_, static_cast<std::uint16_t>(frame.code), text,
                                         robot.id(), frame.sequence, frame.generation, frame.body));
        break;
      }
      case OutFrame::Kind::tokens:
        return;
    }
    const Status sent = control_.send(slot.peer, transport::bytes_of(builder_));
    if (sent.code() == Code::unavailable) slot.has_peer = false;  // it left; it will say hello
    if (frame.kind == OutFrame::Kind::action && sent.code() == Code::busy)
      count(robot.counters().missed);
    if (frame.kind == OutFrame::Kind::action && sent.ok()) {
      const base::Nanoseconds now = base::monotonic_ns();
      robot.counters().tick_latency.add(now - frame.readable);
      if (now > frame.deadline) count(robot.counters().missed);
    }
  }

  void send_tokens(const Route& route, const OutFrame& frame) {
    if (frame.at_once && !link_.alive(base::monotonic_ns())) return refuse_tokens(route, frame);
    const bool remembered = frame.memory.use != MemoryUse::none;
    // Not sent: the robot's own time-out repeats it; meanwhile it plays its chunk, then holds.
    [[maybe_unused]] const Status sent =
        link_.send({.request = frame.request,
                    .generation = frame.generation,
                    .robot_id = route.actor->id(),
                    .trunk = frame.trunk,
                    .deadline_us = frame.deadline_us,
                    .pooling = frame.pooling,
                    .pooled = frame.pooled,
                    .count = frame.rows,
                    .width = frame.columns,
                    .values = {frame.values.get(), std::size_t{frame.rows} * frame.columns},
                    .session = remembered ? std::string_view(route.session) : "",
                    .owner = owner_.options_.owner,
                    .episode = frame.memory.episode,
                    .time_ns = frame.memory.time_ns,
                    .peek = frame.memory.use == MemoryUse::peek});
  }

  // The robot's controller waits: better an answer without the policy now than after its patience.
  void refuse_tokens(const Route& route, const OutFrame& frame) {
    FeaturesFrame* refusal = route.actor->mailbox().features.loan();
    if (!refusal) return;
    refusal->request = frame.request;
    refusal->generation = frame.generation;
    refusal->code = Code::unavailable;
    refusal->count = refusal->width = 0;
    route.actor->mailbox().features.publish();
    route.worker->wake();
  }

  // ---- trunk -> robots

  void receive_features() {
    const base::Nanoseconds now = base::monotonic_ns();
    link_.heartbeat(now);
    trunk::FeaturesReply reply;
    while (link_.receive(reply, now)) {
      pass_notices_on(now);
      if (reply.robot_id >= slots_.size() || !slots_[reply.robot_id].route) continue;
      Slot& slot = slots_[reply.robot_id];
      const Route& route = *slot.route;
      Mailbox& mailbox = route.actor->mailbox();
      FeaturesFrame* frame = mailbox.features.loan();
      if (!frame || reply.values.size() > mailbox.capacity) continue;
      frame->request = reply.request;
      frame->generation = reply.generation;
      frame->code = reply.code;
      frame->count = reply.count;
      frame->width = reply.width;
      frame->compute_us = reply.compute_us;
      frame->recall = reply.recall;
      frame->steps = reply.steps;
      std::copy(reply.values.begin(), reply.values.end(), frame->values.get());
      slot.answer_due = std::exchange(slot.lockstep_due, false);
      mailbox.features.publish();
      route.worker->wake();
    }
    pass_notices_on(now);
    owner_.trunk_alive_.store(link_.alive(now), std::memory_order_relaxed);
  }

  void pass_notices_on(base::Nanoseconds now) {
    while (const auto notice = link_.notice()) {
      if (notice->robot_id >= slots_.size()) continue;
      base::Nanoseconds& next = slots_[notice->robot_id].next_refusal;
      // The next one says the same: they must not take the place of what is said once.
      if (notice->request != 0) {
        if (now < next) continue;
        next = now + kRefusals;
      }
      if (auto* slot = owner_.notices_.loan()) {
        *slot = *notice;
        owner_.notices_.publish();
      }
    }
  }

  IoLoop& owner_;
  transport::Socket control_;
  trunk::TrunkLink link_;
  MemoryIntake memories_;
  static_assert(kMaxRobots == MemoryIntake::kMaxRobots);
  transport::Poller poller_;
  flatbuffers::FlatBufferBuilder builder_{64 * 1024};
  std::array<Slot, kMaxRobots> slots_;
  bool stopped_ = false;
};

Result<std::unique_ptr<IoLoop>> IoLoop::start(transport::Context& context, const IoOptions& options,
                                              std::function<bool()> prepare) {
  auto control = transport::Socket::bind(
      context, transport::SocketKind::router, options.control,
      {.max_message_bytes = options.max_message_bytes, .lets_in = transport::kController});
  if (!control) return control.error();
  auto link = trunk::TrunkLink::open(context, options.trunk, "host", options.max_message_bytes);
  if (!link) return link.error();
  std::unique_ptr<IoLoop> io(new IoLoop(options));
  io->endpoint_ = control->endpoint();
  // ZeroMQ sockets may move to another thread through a full barrier, which the start of a thread
  // is.
  auto loop = std::make_unique<Loop>(*io, std::move(*control), std::move(*link));
  io->thread_ =
      std::thread([prepare = std::move(prepare), loop = std::move(loop)] { loop->run(prepare()); });
  return io;
}

IoLoop::~IoLoop() {
  if (!thread_.joinable()) return;
  ask({.stop = true});
  thread_.join();
}

Route* IoLoop::ask(Command command) {
  const std::lock_guard asking(asking_);
  done_.store(false, std::memory_order_relaxed);
  *commands_.loan() = command;
  commands_.publish();
  waker_.wake();
  done_.wait(false, std::memory_order_acquire);
  return std::exchange(replaced_, nullptr);
}

void IoLoop::set_route(std::uint32_t robot_id, std::unique_ptr<Route> route) {
  const std::unique_ptr<Route> old(ask({.robot_id = robot_id, .route = route.release()}));
}

void IoLoop::remove_route(std::uint32_t robot_id) {
  const std::unique_ptr<Route> old(ask({.robot_id = robot_id, .route = nullptr}));
}

}  // namespace cambium::runtime
