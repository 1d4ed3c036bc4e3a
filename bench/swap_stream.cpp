#include "bench/swap_stream.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

namespace cambium::bench {
namespace {

constexpr std::uint32_t kShadow = 12;  // [ticks] two or three chunks
const char* const kUnsound = "unsound.safetensors";

// The same reason on another robot is the same reason.
std::string of_any_robot(std::string text, const RigRobot& robot, const Rig& rig) {
  const auto cut = [&](const std::string& what) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what))
      text.erase(at, what.size());
  };
  cut("robot '" + robot.name + "': ");
  cut(robot.folder.string() + "/");
  cut(rig.folder().string() + "/");
  return text;
}

}  // namespace

void SwapTally::add(const SwapTally& other) {
  for (const auto& [kind, n] : other.by_kind) by_kind[kind] += n;
  for (const auto& [reason, n] : other.failures) failures[reason] += n;
  done += other.done;
  failed += other.failed;
  refusals += other.refusals;
  shadowed += other.shadowed;
  proved += other.proved;
  commit_us.insert(commit_us.end(), other.commit_us.begin(), other.commit_us.end());
  prepare_ms.insert(prepare_ms.end(), other.prepare_ms.begin(), other.prepare_ms.end());
  total_ms.insert(total_ms.end(), other.total_ms.begin(), other.total_ms.end());
}

void StreamGate::open() {
  const std::lock_guard lock(mutex_);
  open_ = true;
  changed_.notify_all();
}

void StreamGate::close() {
  std::unique_lock lock(mutex_);
  open_ = false;
  changed_.wait(lock, [this] { return inside_ == 0; });
}

void StreamGate::end() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

bool StreamGate::enter() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return open_ || ended_; });
  if (ended_) return false;
  ++inside_;
  return true;
}

void StreamGate::leave() {
  const std::lock_guard lock(mutex_);
  --inside_;
  changed_.notify_all();
}

SwapStream::SwapStream(const Rig& rig, const RigRobot& robot, StreamGate& gate, std::uint64_t seed)
    : rig_(rig), robot_(robot), gate_(gate), random_(seed), seed_(seed), body_(robot.body) {
  thread_ = std::thread([this] { run(); });
}

// Rounds in which each kind comes once, in an order that is drawn anew each time.
void SwapStream::run() {
  // A bundle that ends in the middle of its tensors.
  std::ifstream in(robot_.bundle(body_, 0), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::ofstream(robot_.folder / kUnsound, std::ios::binary)
      << std::string_view(bytes).substr(0, bytes.size() / 2);
  std::vector<Kind> round;
  for (int kind = 0; kind <= static_cast<int>(Kind::head_that_is_not_there); ++kind)
    round.push_back(static_cast<Kind>(kind));
  for (std::size_t at = round.size();; ++at) {
    if (at >= round.size()) {
      std::shuffle(round.begin(), round.end(), random_);
      at = 0;
    }
    if (!gate_.enter()) return;
    step(round[at]);
    gate_.leave();
  }
}

runtime::AdminCall SwapStream::call() {
  constexpr std::uint32_t kProbations[] = {0, 10, 20};
  return {
      .verb = "swap", .robot = robot_.name, .shadow = 0, .probation = kProbations[random_() % 3]};
}

runtime::AdminCall SwapStream::weights() {
  auto wanted = call();
  wanted.bundle = robot_.bundle(body_, 1 - variant_);
  return wanted;
}

void SwapStream::step(Kind kind) {
  auto wanted = call();
  switch (kind) {
    case Kind::weights:
    case Kind::shadowed_weights:
      wanted = weights();
      if (kind == Kind::shadowed_weights) wanted.shadow = kShadow;
      if (swap(wanted)) variant_ = 1 - variant_;
      return;
    case Kind::head:
      if (!rebuild(robot_.head())) return;
      wanted.head_plugin = robot_.head();
      swap(wanted);
      return;
    case Kind::stems:
      if (!rebuild(robot_.stems())) return;
      wanted.stem_plugin = robot_.stems();
      swap(wanted);
      return;
    case Kind::plugin:
      if (!rebuild(robot_.arm())) return;
      wanted.plugin = robot_.arm();
      swap(wanted);
      return;
    case Kind::reload:
      wanted.verb = "reload";
      swap(wanted);
      return;
    case Kind::there_and_back:
    case Kind::there_and_rolled_back: {
      const auto home = std::pair(body_, variant_);
      const ArmBody away{.dof = 13 - body_.dof, .control_hz = body_.control_hz};
      wanted.embodiment = away.name();
      wanted.bundle = robot_.bundle(away, 0);
      if (!swap(wanted)) return;
      std::tie(body_, variant_) = std::pair(away, 0);
      auto back = call();
      if (kind == Kind::there_and_rolled_back) {
        back.verb = "rollback";
      } else {
        back.embodiment = home.first.name();
        back.bundle = robot_.bundle(home.first, home.second);
      }
      if (swap(back)) std::tie(body_, variant_) = home;
      return;
    }
    case Kind::rollback: {
      // Only what was just swapped is known well enough to go back from.
      if (!swap(weights())) return;
      variant_ = 1 - variant_;
      wanted.verb = "rollback";
      if (swap(wanted)) variant_ = 1 - variant_;
      return;
    }
    case Kind::unsound_bundle:
      wanted.bundle = robot_.folder / kUnsound;
      return must_be_refused(wanted);
    case Kind::bundle_of_another_body:
      wanted.bundle = robot_.bundle({.dof = 13 - body_.dof, .control_hz = body_.control_hz}, 0);
      return must_be_refused(wanted);
    case Kind::head_that_is_not_there:
      wanted.head = "nonsense";
      return must_be_refused(wanted);
  }
}

Result<void> SwapStream::rebuild(const std::filesystem::path& file) {
  return write_rebuilt(rig_.options().plugins / file.filename(), file, (seed_ << 32) + ++rebuilt_);
}

bool SwapStream::swap(const runtime::AdminCall& wanted) {
  const auto answer = rig_.ask(wanted);
  const bool done = answer && answer->value("ok", false);
  if (!done) {
    ++tally_.failed;
    const std::string why =
        answer ? answer->value("reason", answer->value("error", "")) : answer.error().message;
    ++tally_.failures[of_any_robot(why, robot_, rig_)];
    return false;
  }
  ++tally_.done;
  ++tally_.by_kind[answer->value("kind", "unknown")];
  tally_.commit_us.push_back(answer->value("commit_us", 0.0));
  tally_.total_ms.push_back(answer->value("total_ms", 0.0));
  if (wanted.verb != "rollback") {  // it has been prepared before
    tally_.prepare_ms.push_back(answer->value("prepare_ms", 0.0));
    tally_.shadowed += wanted.shadow.value_or(0) != 0;
    tally_.proved += answer->value("proved", 0) != 0;
  }
  return true;
}

void SwapStream::must_be_refused(const runtime::AdminCall& wanted) {
  const auto answer = rig_.ask(wanted);
  if (answer && answer->value("end", "") == "refused") {
    ++tally_.refusals;
    return;
  }
  ++tally_.failed;
  ++tally_.failures[answer ? "what must be refused was not" : answer.error().message];
}

}  // namespace cambium::bench
