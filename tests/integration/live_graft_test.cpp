// `cambium record` and `cambium graft --live`, as processes, with a real trunk and a real arm that
// is shown how to come home.
#include <gmock/gmock.h>

#include <atomic>
#include <csignal>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "cambium/client.hpp"
#include "core/learn/demonstrations.hpp"
#include "core/nn/bundle.hpp"
#include "core/nn/stock.hpp"
#include "core/runtime/admin_desk.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/toy_files.hpp"

namespace cambium::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// Brings its arm home from one side, then from the other: each time is an episode. Stops teaching
// when the robot gets another generation.
class Teacher {
 public:
  Teacher(const std::string& endpoint, bool teaches)
      : teaches_(teaches), thread_([this, endpoint] { run(endpoint); }) {}
  ~Teacher() {
    stop_ = true;
    thread_.join();
  }
  std::uint64_t by_policy() const { return by_policy_; }

 private:
  static constexpr int kTicks = 30;  // of an episode

  void run(const std::string& endpoint) {
    auto client = Client::open({.endpoint = endpoint, .robot = "bench", .name = "teacher"});
    std::vector<float> q(3), command(3);
    const float tool[] = {0.4F, 0, 0.1F}, goal[] = {0.4F, 0, 0.1F};
    std::uint64_t first = 0;
    for (int tick = 0; !stop_; ++tick) {
      if (!client->robot() && !client->wait(100ms)) continue;
      const auto& joints = client->robot()->joints;
      if (tick % kTicks == 0) {
        client->start_episode();
        for (std::size_t j = 0; j < 3; ++j)
          q[j] = static_cast<float>(joints[j].home) + (tick / kTicks % 2 == 0 ? 0.3F : -0.3F);
      }
      (void)client->set("joint_position", q);
      (void)client->set("tool", tool);
      (void)client->set("goal", goal);
      for (std::size_t j = 0; j < 3; ++j)
        command[j] = 3 * (static_cast<float>(joints[j].home) - q[j]);
      if (teaches_ && (first == 0 || client->robot()->generation == first))
        (void)client->demonstrate(command);
      ActionReply reply;
      if (client->act(reply, 500ms).ok()) {
        if (first == 0) first = reply.generation;
        by_policy_ += reply.drive == Drive::policy;
        for (std::size_t j = 0; j < 3; ++j) q[j] += 0.01F * reply.values[j];
      }
      std::this_thread::sleep_for(10ms);
    }
  }

  const bool teaches_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> by_policy_{0};
  std::thread thread_;
};

class LiveGraft : public testing::Test {
 protected:
  LiveGraft() {
    write_bytes(folder_ / "cambium.toml",
                "[trunk]\nendpoint = '" + ipc("trunk") + "'\nstock = '" + kStock +
                    "'\n[host]\ncontrol = '" + ipc("control") + "'\nadmin = '" + ipc("admin") +
                    "'\nrun_dir = '" + folder_.path().string() +
                    "'\nrealtime = 'off'\n[[robot]]\nname = 'bench'\nplugin = '" PLANAR3
                    "'\n[robot.gate]\nmax_observation_age_ms = 10000\n");
    trunk_.emplace(std::vector<std::string>{CAMBIUM_PROGRAM, "trunk"}, folder_.path());
    host_.emplace(std::vector<std::string>{CAMBIUM_PROGRAM, "host"}, folder_.path());
    const auto until = base::monotonic_ns() + 20 * base::kSecond;
    while (!status()["trunk"].value("alive", false)) {
      if (base::monotonic_ns() > until) throw std::runtime_error("trunk and host did not come up");
      std::this_thread::sleep_for(10ms);
    }
  }

  std::string ipc(const std::string& name) { return "ipc://" + (folder_ / name).string(); }
  json status() {
    const auto answer = runtime::ask_admin(ipc("admin"), {.verb = "status"}, base::kSecond);
    return answer ? json::parse(answer->json) : json{{"trunk", json::object()}};
  }
  json bench() { return status()["robots"][0]; }

  struct Ended {
    int code = 0;
    std::string out, error;
    json report() const { return json::parse(out, nullptr, false); }
  };
  // It says little, so that its pipes hold all of it.
  static Ended end_of(ChildProcess& child) {
    Ended ended;
    ended.code = child.wait();
    for (std::string line = child.line(); !line.empty(); line = child.line()) ended.out += line;
    ended.error = child.error();
    return ended;
  }
  std::vector<std::string> verb(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), CAMBIUM_PROGRAM);
    return arguments;
  }
  Ended run(std::vector<std::string> arguments) {
    ChildProcess child(verb(std::move(arguments)), folder_.path());
    return end_of(child);
  }
  // Small: what it learns is not judged here.
  std::vector<std::string> graft(const std::map<std::string, std::string>& changed = {}) {
    std::map<std::string, std::string> options = {
        {"--live", "bench"},  {"--stock", kStock},   {"--episodes", "4"}, {"--steps", "20"},
        {"--patience", "10"}, {"--priority", "low"}, {"--shadow", "20"},  {"--shadow-bound", "5"}};
    for (const auto& [option, value] : changed) options[option] = value;
    std::vector<std::string> all = {"graft", "--json"};
    for (const auto& [option, value] : options) all.insert(all.end(), {option, value});
    return all;
  }

  // What a graft may have left behind.
  std::vector<std::string> left() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      const auto name = entry.path().filename().string();
      if (name.starts_with("bench.") || name.ends_with(".safetensors") ||
          (name.starts_with("cambium.") && name != "cambium.toml"))
        names.push_back(name);
    }
    return names;
  }

  static inline const std::string kStock = CAMBIUM_MODELS "/stock.safetensors";
  TemporaryFolder folder_;
  std::optional<ChildProcess> trunk_, host_;
};

TEST_F(LiveGraft, TakesAnUnknownRobotToAPolicyOfItsOwn) {
  const Teacher teacher(ipc("control"), true);
  const Ended ended = run(graft({{"--keep", "demos.safetensors"}}));
  ASSERT_EQ(ended.code, 0) << ended.error << ended.out;
  const json report = ended.report();
  EXPECT_TRUE(report["ok"]);
  EXPECT_EQ(report["embodiment"], "planar3");
  EXPECT_EQ(report["episodes"], 4);
  EXPECT_EQ(report["steps"], 20);
  EXPECT_EQ(report["swap"]["end"], "swapped");
  EXPECT_GT(report["swap"]["shadow"]["rows"], 0);
  EXPECT_EQ(report["trunk_id_before"], report["trunk_id_after"]);
  EXPECT_EQ(report["robots"][0]["name"], "bench");
  EXPECT_GT(report["robots"][0]["ticks"], 0);
  EXPECT_THAT(ended.error, HasSubstr("trying it in shadow for 20 ticks"));
  EXPECT_THAT(left(), UnorderedElementsAre("bench.safetensors", "bench.loss.svg", "bench.loss.json",
                                           "demos.safetensors"));

  EXPECT_EQ(bench()["generation"], 2);
  EXPECT_FALSE(bench()["recording"]);
  const auto until = base::monotonic_ns() + 10 * base::kSecond;
  while (teacher.by_policy() < 5 && base::monotonic_ns() < until) std::this_thread::sleep_for(5ms);
  EXPECT_GE(teacher.by_policy(), 5U);

  const auto demos = learn::read_demonstrations(folder_ / "demos.safetensors");
  ASSERT_TRUE(demos) << demos.error().message;
  EXPECT_EQ(demos->episodes(), 4U);
  EXPECT_EQ(demos->horizon, 8U);
  EXPECT_EQ(demos->sensors.size(), 3U);
}

TEST_F(LiveGraft, InterruptedItLeavesTheRobotAsItWas) {
  const Teacher teacher(ipc("control"), true);
  ChildProcess child(verb(graft({{"--episodes", "1000"}})), folder_.path());
  const auto until = base::monotonic_ns() + 10 * base::kSecond;
  while (!bench().value("recording", false) && base::monotonic_ns() < until)
    std::this_thread::sleep_for(5ms);
  child.signal(SIGINT);
  const Ended ended = end_of(child);
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.error, HasSubstr("interrupted; nothing has moved"));
  EXPECT_FALSE(bench()["recording"]);
  EXPECT_EQ(bench()["generation"], 1);
  EXPECT_THAT(left(), IsEmpty());
}

TEST_F(LiveGraft, InterruptedWhileItLearnsItWritesNothing) {
  const Teacher teacher(ipc("control"), true);
  ChildProcess child(verb(graft({{"--episodes", "2"}, {"--steps", "1000000"}})), folder_.path());
  const auto until = base::monotonic_ns() + 20 * base::kSecond;
  while (base::monotonic_ns() < until) {
    bool begun = false;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
      begun = begun || std::filesystem::exists(entry.path() / "demos.safetensors");
    if (begun) break;
    std::this_thread::sleep_for(5ms);
  }
  child.signal(SIGINT);
  const Ended ended = end_of(child);
  EXPECT_EQ(ended.code, 1) << ended.error;
  EXPECT_EQ(bench()["generation"], 1);
  EXPECT_THAT(left(), IsEmpty());
}

TEST_F(LiveGraft, NobodyWhoDemonstratesIsWaitedForOnlySoLong) {
  const Teacher still(ipc("control"), false);
  const Ended ended = run(graft({{"--patience", "0.5"}}));
  EXPECT_EQ(ended.code, 3);
  EXPECT_THAT(ended.error, HasSubstr("robot 'bench': nothing was demonstrated for 0.5 s (0 of 4 "
                                     "episodes"));
  EXPECT_FALSE(bench()["recording"]);
  EXPECT_THAT(left(), IsEmpty());
}

TEST_F(LiveGraft, WhatCannotEndWellIsToldBeforeItBegins) {
  const Ended nobody = run({"graft", "--live", "bensh", "--stock", kStock});
  EXPECT_EQ(nobody.code, 2);
  EXPECT_THAT(nobody.error, HasSubstr("no robot 'bensh' (did you mean 'bench'?)"));

  const std::string ours = nn::Stock::open(kStock)->trunk_id();
  const std::string other = write_toy_stock(folder_ / "other_stock");
  const Ended stock = run({"graft", "--live", "bench", "--stock", "other_stock"});
  EXPECT_EQ(stock.code, 2);
  EXPECT_THAT(stock.error, HasSubstr(ours));
  EXPECT_THAT(stock.error, HasSubstr(other));

  write_bytes(folder_ / "bench.safetensors", "precious");
  const Ended there = run({"graft", "--live", "bench", "--stock", kStock});
  EXPECT_EQ(there.code, 2);
  EXPECT_THAT(there.error, HasSubstr("'bench.safetensors' is there already"));
  EXPECT_EQ(read_bytes(folder_ / "bench.safetensors"), "precious");
}

TEST_F(LiveGraft, APolicyThatDoesOtherwiseThanItsTeacherIsNotLetIn) {
  const Teacher teacher(ipc("control"), true);
  const Ended ended = run(graft({{"--steps", "1"}, {"--shadow-bound", "0.000001"}}));
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.error, HasSubstr("differently, allowed are"));
  EXPECT_FALSE(ended.report()["ok"]);
  EXPECT_EQ(bench()["generation"], 1);
}

TEST_F(LiveGraft, RecordWritesWhatWasShown) {
  const Teacher teacher(ipc("control"), true);
  const Ended ended =
      run({"record", "bench", "--episodes", "2", "--horizon", "4", "--out", "shown", "--json"});
  ASSERT_EQ(ended.code, 0) << ended.error;
  EXPECT_EQ(ended.report()["episodes"], 2);
  const auto demos = learn::read_demonstrations(folder_ / "shown");
  ASSERT_TRUE(demos) << demos.error().message;
  EXPECT_EQ(demos->horizon, 4U);
  EXPECT_EQ(demos->rows(), ended.report()["rows"]);
  // The teacher's command is three times the way home, from the first number to the last.
  const auto* position = demos->find("joint_position");
  ASSERT_NE(position, nullptr);
  const double home[] = {-1.1, 1.5, 0.7};
  for (std::uint64_t row = 0; row < demos->rows(); ++row)
    for (std::uint64_t j = 0; j < 3; ++j)
      EXPECT_NEAR(demos->actions[row * 12 + j], 3 * (home[j] - position->values[row * 3 + j]),
                  1e-4);

  const Ended again = run({"record", "bench", "--episodes", "2", "--out", "shown"});
  EXPECT_EQ(again.code, 2);
  EXPECT_THAT(again.error, HasSubstr("'shown' is there already; --force writes over it"));
}

}  // namespace
}  // namespace cambium::test
