#include "core/runtime/trunk_keeper.hpp"

#include <algorithm>
#include <utility>

#include "core/base/realtime.hpp"

namespace cambium::runtime {
namespace {

constexpr base::Nanoseconds kLook = 50 * base::kMillisecond;
// Until it is served. What is under way is only answered `busy`; after another refusal, longer.
constexpr base::Nanoseconds kFirstPause = base::kSecond, kLastPause = 30 * base::kSecond;

// What it last said of itself may be older than what was loaded since.
constexpr base::Nanoseconds kHearsay = 400 * base::kMillisecond;

}  // namespace

TrunkKeeper::TrunkKeeper(trunk::TrunkLink link, Means means)
    : link_(std::move(link)), means_(std::move(means)) {
  thread_ = std::thread([this] {
    base::name_thread("cambium-trunk");
    run();
  });
}

TrunkKeeper::~TrunkKeeper() {
  stopping_ = true;
  thread_.join();
}

void TrunkKeeper::run() {
  transport::Poller poller;
  poller.add(link_.socket());
  trunk::FeaturesReply nothing;
  while (!stopping_) {
    poller.wait(kLook);
    const base::Nanoseconds now = base::monotonic_ns();
    link_.heartbeat(now);
    while (link_.receive(nothing, now)) {
    }
    if (const auto reply = link_.load_reply()) hear(*reply);
    look(now);
    means_.listen();
  }
}

void TrunkKeeper::look(base::Nanoseconds now) {
  const auto needs = means_.needs();
  std::vector<base::Digest> ids;
  for (const auto& need : needs) ids.push_back(need.id);
  link_.need(std::move(ids));
  if (!link_.alive(now)) {
    missing_ = next_order_ = 0;  // as soon as it is back
    pause_ = kFirstPause;
    return;
  }
  const auto missing = std::ranges::find_if(
      needs, [&](const TrunkNeed& need) { return !link_.identity()->serves(need.id); });
  if (missing == needs.end()) {
    missing_.reset();
    return;
  }
  if (!missing_) missing_ = now;
  if (now - *missing_ < kHearsay || now < next_order_) return;
  next_order_ = now + pause_;
  // What does not go out now goes out with the next look at it.
  [[maybe_unused]] const Status sent = link_.order(++orders_, missing->stock, &missing->id);
}

void TrunkKeeper::hear(const trunk::LoadReply& reply) {
  if (reply.code == Code::busy) return;
  pause_ = reply.code == Code::ok ? kFirstPause : std::min(2 * pause_, kLastPause);
  next_order_ = base::monotonic_ns() + pause_;
  const std::string text = reply.code == Code::ok
                               ? "the trunk has loaded " + base::to_hex(reply.id).substr(0, 16) +
                                     ", which it did not serve and robots here need"
                               : "the trunk does not serve what robots here need: " + reply.text;
  if (text != std::exchange(said_, text)) means_.log(text);
}

}  // namespace cambium::runtime
