#include "core/app/pulse.hpp"

#include "core/trunk/link.hpp"

namespace cambium::app {
namespace {

using namespace std::chrono_literals;

constexpr const char* kNobody = "?";  // not a name that a robot may have
constexpr base::Nanoseconds kPatience = 500 * base::kMillisecond;

}  // namespace

bool HostPulse::well() {
  const bool turn = workers_turn();
  return io_answers() && turn;
}

// A hello for a robot that is not there is refused by the io thread, and changes nothing.
bool HostPulse::io_answers() {
  if (!stranger_) {
    auto client = Client::open({.endpoint = host_.control_endpoint(),
                                .robot = kNobody,
                                .name = "watchdog",
                                .key_file = host_.config().security.key});
    if (!client) return false;
    stranger_.emplace(std::move(*client));
  }
  const auto refused = stranger_->wait(50ms);
  return !refused && refused.error().code == Code::not_found;
}

bool HostPulse::workers_turn() {
  bool turn = true;
  for (const auto& robot : host_.status()) {
    const Seen now{robot.ticks + robot.refused + robot.requests, robot.missed};
    Seen& before = seen_.try_emplace(robot.name, now).first->second;
    if (now.handled == before.handled && now.missed > before.missed)
      turn = false;  // and stays so until one is handled
    else
      before = now;
  }
  return turn;
}

bool TrunkPulse::well() {
  if (!context_) context_.emplace(trust_);
  const auto stats = server_.stats();
  const std::uint64_t dropped = stats.busy + stats.expired;
  const bool stuck = stats.batches == passes_ && dropped > dropped_;
  if (!stuck) {
    passes_ = stats.batches;
    dropped_ = dropped;
  }
  return !stuck && trunk::who_is(*context_, server_.endpoint(), kPatience).has_value();
}

}  // namespace cambium::app
