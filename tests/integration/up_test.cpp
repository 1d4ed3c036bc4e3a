// `cambium up` with real processes: what dies comes back, what is stopped leaves nothing behind.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/support/child_process.hpp"
#include "tests/support/steady_controller.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/toy_files.hpp"

namespace cambium {
namespace {

using nlohmann::json;
using test::ChildProcess;
using test::SteadyController;
using testing::HasSubstr;

// Looks again and again, for `patience` at most.
bool eventually(const std::function<bool()>& done,
                base::Nanoseconds patience = 10 * base::kSecond) {
  const auto until = base::monotonic_ns() + patience;
  while (!done()) {
    if (base::monotonic_ns() > until) return false;
    ::usleep(1000);
  }
  return true;
}

// Or a zombie: orphans are reaped when whoever is process 1 finds the time.
bool is_gone(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string number, name, state;
  return !(stat >> number >> name >> state) || state == "Z";
}

// Stopped as a person would, so that its children have left the folder before the folder goes.
class RunningUp : public ChildProcess {
 public:
  using ChildProcess::ChildProcess;
  ~RunningUp() {
    signal(SIGTERM);
    wait();
  }
};

class Up : public testing::Test {
 protected:
  Up() {
    ::setenv("XDG_RUNTIME_DIR", folder_.path().c_str(), 1);
    const auto id = test::write_toy_stock(folder_ / "stock.safetensors");
    test::write_toy_bundle(folder_ / "arm.safetensors", {.trunk_id = id});
    write_config("stock.safetensors");
  }

  void write_config(const std::string& stock, const std::string& robot = "") const {
    std::ofstream(folder_ / "cambium.toml")
        << "[trunk]\nstock = '" << stock << "'\n[[robot]]\nname = 'left'\nplugin = '" << TOY_ARM
        << "'\nbundle = 'arm.safetensors'\nreplan_every = 2\n"
        << "gate.max_observation_age_ms = 10000\n"
        << robot;
  }

  std::vector<std::string> command(std::vector<std::string> options = {}) const {
    std::vector<std::string> all{CAMBIUM_PROGRAM, "up", "--json", "cambium.toml"};
    all.insert(all.end(), options.begin(), options.end());
    return all;
  }
  std::unique_ptr<RunningUp> up(std::vector<std::string> options = {}) const {
    return std::make_unique<RunningUp>(command(std::move(options)), folder_.path());
  }

  // The next event that is as wanted; what it passes over is remembered in pid_.
  json next(ChildProcess& up, const std::string& event, const std::string& name = "",
            const std::string& state = "") {
    for (std::string line = up.line(); !line.empty(); line = up.line()) {
      const json object = json::parse(line);
      if (object["event"] == "process" && object["pid"] != 0) pid_[object["name"]] = object["pid"];
      if (object["event"] == event && (name.empty() || object["name"] == name) &&
          (state.empty() || object["state"] == state))
        return object;
    }
    ADD_FAILURE() << "up ended, or said nothing for long, before " << event << " " << name << " "
                  << state;
    return {};
  }

  std::string control() const { return "ipc://" + (run_dir_ / "control").string(); }
  std::vector<std::string> left_behind() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(run_dir_))
      names.push_back(entry.path().filename());
    return names;
  }

  test::TemporaryFolder folder_;
  const std::filesystem::path run_dir_ = folder_ / "cambium";
  std::map<std::string, pid_t> pid_;
};

TEST_F(Up, StartsTrunkAndHostAndSaysSo) {
  auto running = up();
  EXPECT_EQ(next(*running, "ready")["text"], "all 2 processes are running");
  SteadyController controller(control(), "left");
  EXPECT_TRUE(eventually([&] { return controller.steady(20); }));
}

TEST_F(Up, LeavesNothingWhenItIsInterrupted) {
  auto running = up();
  next(*running, "ready");
  EXPECT_THAT(left_behind(), testing::Contains("control"));
  running->signal(SIGINT);
  const auto host = pid_["host"], trunk = pid_["trunk"];
  next(*running, "process", "host", "stopped");
  EXPECT_EQ(next(*running, "process", "trunk", "stopped")["reason"], "exit 0");
  EXPECT_EQ(running->wait(), 0);
  EXPECT_TRUE(is_gone(host) && is_gone(trunk));
  EXPECT_THAT(left_behind(), testing::IsEmpty());
}

TEST_F(Up, ASecondInterruptKillsWhatDoesNotStopAndTidiesUp) {
  auto running = up();
  next(*running, "ready");
  ::kill(pid_["trunk"], SIGSTOP);
  ::kill(pid_["host"], SIGSTOP);
  running->signal(SIGINT);
  next(*running, "process", "host", "stopping");
  running->signal(SIGINT);
  EXPECT_EQ(next(*running, "process", "host", "stopped")["reason"], "killed by signal 9");
  EXPECT_EQ(running->wait(), 0);
  EXPECT_THAT(left_behind(), testing::IsEmpty());
}

TEST_F(Up, ChildrenOfAKilledUpAreGoneWithinASecondAndInNobodysWay) {
  auto running = up();
  next(*running, "ready");
  running->signal(SIGKILL);
  EXPECT_EQ(running->wait(), -SIGKILL);
  EXPECT_TRUE(
      eventually([&] { return is_gone(pid_["host"]) && is_gone(pid_["trunk"]); }, base::kSecond));
  auto again = up();
  next(*again, "ready");
}

TEST_F(Up, TheSecondOfTheSameFileIsRefused) {
  auto running = up();
  next(*running, "ready");
  auto second = up();
  EXPECT_THAT(second->error(), HasSubstr("cambium up: config file 'cambium.toml' is up already"));
  EXPECT_EQ(second->wait(), 1);
  SteadyController controller(control(), "left");
  EXPECT_TRUE(eventually([&] { return controller.steady(5); }));
}

TEST_F(Up, WrongInputIsSaidAndNothingRuns) {
  write_config("none.safetensors");
  auto missing = up();
  EXPECT_THAT(
      next(*missing, "error")["text"],
      testing::AllOf(HasSubstr("refuses to start (exit 2)"), HasSubstr("none.safetensors")));
  EXPECT_EQ(missing->wait(), 2);
  EXPECT_TRUE(is_gone(pid_["host"]) && is_gone(pid_["trunk"]));
  EXPECT_THAT(left_behind(), testing::IsEmpty());

  std::ofstream(folder_ / "cambium.toml") << "[trunk]\nqeue = 7\n";
  auto wrong = up();
  EXPECT_THAT(wrong->error(), HasSubstr("key 'qeue' in [trunk]: unknown (did you mean 'queue'?)"));
  EXPECT_EQ(wrong->wait(), 2);
}

TEST_F(Up, AHostThatIsKilledComesBackAndItsControllerWithIt) {
  auto running = up();
  next(*running, "ready");
  SteadyController controller(control(), "left");
  ASSERT_TRUE(eventually([&] { return controller.steady(20); }));
  ::kill(pid_["host"], SIGKILL);
  EXPECT_EQ(next(*running, "process", "host", "waiting")["reason"], "killed by signal 9");
  next(*running, "process", "host", "running");
  EXPECT_TRUE(eventually([&] { return controller.steady(20); }));
}

TEST_F(Up, AProcessThatHangsIsKilledAndComesBack) {
  auto running = up({"--watchdog", "2"});
  next(*running, "ready");
  for (const char* name : {"host", "trunk"}) {
    ::kill(pid_[name], SIGSTOP);
    EXPECT_THAT(next(*running, "process", name, "waiting")["reason"],
                HasSubstr("killed: no sign of life for 2"));
    next(*running, "process", name, "running");
  }
}

TEST_F(Up, AHostWhoseWorkerIsStuckIsKilledAndComesBack) {
  write_config("stock.safetensors", "head = 'stuck'\n");
  auto running = up({"--watchdog", "2"});
  next(*running, "ready");
  const SteadyController controller(control(), "left");
  EXPECT_THAT(next(*running, "process", "host", "waiting")["reason"],
              HasSubstr("killed: no sign of life for 2"));
  next(*running, "process", "host", "running");
}

TEST_F(Up, EachDeathIsWaitedUponTwiceAsLongAndTheRobotHolds) {
  auto running = up();
  next(*running, "ready");
  SteadyController controller(control(), "left");
  for (const int wait_ms : {50, 100, 200, 400}) {
    ASSERT_TRUE(eventually([&] { return controller.steady(20); }));
    ::kill(pid_["trunk"], SIGKILL);
    const json died = next(*running, "process", "trunk", "waiting");
    EXPECT_EQ(died["wait_ms"], wait_ms);
    // 400 ms are far longer than a chunk.
    if (wait_ms == 400) {
      const auto holds = [&] { return controller.ticks().back().drive == Drive::hold; };
      EXPECT_TRUE(eventually(holds, 390 * base::kMillisecond));
    }
    next(*running, "process", "trunk", "running");
  }
}

// CAMBIUM_SOAK=100 asks for 100 kills instead of 10, and for their figures.
TEST_F(Up, ATrunkThatIsKilledAgainAndAgainCostsNoTick) {
  const char* soak = std::getenv("CAMBIUM_SOAK");
  const int kills = soak != nullptr ? std::atoi(soak) : 10;
  auto running = up({"--settled", "0"});
  next(*running, "ready");
  SteadyController controller(control(), "left");
  ASSERT_TRUE(eventually([&] { return controller.steady(20); }));
  const std::size_t first = controller.count();
  std::mt19937 random(7);
  std::vector<double> back_ms;
  for (int i = 0; i < kills; ++i) {
    // At a random moment between two ticks, some ticks on.
    const auto moment = base::monotonic_ns() + std::uniform_int_distribution<base::Nanoseconds>(
                                                   0, 300 * base::kMillisecond)(random);
    eventually([&] { return base::monotonic_ns() >= moment; });
    const auto killed = base::monotonic_ns();
    ::kill(pid_["trunk"], SIGKILL);
    next(*running, "process", "trunk", "running");
    // Longer than a chunk: so the new trunk made it.
    const auto since = controller.count();
    ASSERT_TRUE(eventually([&] {
      return controller.count() > since + 2 * test::kToyHorizon &&
             controller.steady(2 * test::kToyHorizon);
    })) << "kill "
        << i;
    const auto ticks = controller.ticks();
    const auto on = std::find_if(ticks.begin(), ticks.end(),
                                 [&](const auto& tick) { return tick.sent > killed; });
    const auto held =
        std::find_if(on, ticks.end(), [](const auto& tick) { return !tick.by_policy(); });
    // Never held: the trunk was back before the chunk in hand was used up.
    if (held != ticks.end()) {
      EXPECT_LE(held - on, test::kToyHorizon + 2);
    }
    const auto last = std::find_if(ticks.rbegin(), std::make_reverse_iterator(held),
                                   [](const auto& tick) { return !tick.by_policy(); });
    const bool never = held == ticks.end();
    back_ms.push_back(never ? 0.0 : static_cast<double>(last.base()->sent - killed) * 1e-6);
  }
  const auto ticks = controller.ticks();
  std::size_t unanswered = 0, late = 0;
  for (std::size_t i = first; i < ticks.size(); ++i) {
    unanswered += ticks[i].answered ? 0 : 1;
    late += ticks[i].took > SteadyController::kPeriod ? 1 : 0;
  }
  EXPECT_EQ(unanswered, 0U);
  std::sort(back_ms.begin(), back_ms.end());
  std::printf(
      "%d kills: policy again after p50 %.0f ms, max %.0f ms; %zu ticks, %zu unanswered, "
      "%zu later than a period\n",
      kills, back_ms[back_ms.size() / 2], back_ms.back(), ticks.size() - first, unanswered, late);
}

}  // namespace
}  // namespace cambium
