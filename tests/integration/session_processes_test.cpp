// Trunk processes that are killed, moved away from and started again, with a model that remembers;
// and the verb that moves its sessions.
#include <gmock/gmock.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/nn/safetensors.hpp"
#include "core/trunk/recall.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/tokens.hpp"
#include "tests/support/toy_files.hpp"
#include "tests/support/trunk_caller.hpp"

namespace cambium::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using trunk::Recall;

constexpr int kPeriodMs = 50;

/// `cambium trunk` on a file of its own, in a folder of the test.
class TrunkProcess {
 public:
  TrunkProcess(const TemporaryFolder& folder, const std::string& name, bool snapshots)
      : folder_(folder), name_(name), endpoint_("ipc://" + (folder / (name + ".sock")).string()) {
    write_bytes(folder / (name + ".toml"),
                "[trunk]\nendpoint = '" + endpoint_ + "'\nstock = 'stock.safetensors'\n" +
                    (snapshots ? "session_dir = '" + name +
                                     "_sessions'\nsnapshot_ms = " + std::to_string(kPeriodMs) + "\n"
                               : ""));
    start();
  }
  void start() {
    process_ = std::make_unique<ChildProcess>(
        std::vector<std::string>{CAMBIUM_PROGRAM, "trunk", "-c", name_ + ".toml", "--json"},
        folder_.path());
    for (;;) {
      const auto line = json::parse(process_->line(), nullptr, false);
      if (line.is_discarded()) throw std::runtime_error("no trunk: " + process_->error());
      if (line.value("event", "") == "ready") return;
    }
  }
  void kill() {
    process_->signal(SIGKILL);
    process_->wait();
  }
  int stop() {
    process_->signal(SIGTERM);
    return process_->wait();
  }
  /// What the newest file says; 0: there is none.
  std::uint64_t steps_on_disk(const std::string& session, const base::Digest& trunk) const {
    const auto file = nn::SafetensorsFile::open(
        sessions() / (session + "." + base::to_hex(trunk).substr(0, 16) + ".safetensors"));
    return file ? std::stoull(file->meta("steps").value()) : 0;
  }
  const std::string& endpoint() const { return endpoint_; }
  std::string config() const { return name_ + ".toml"; }
  std::filesystem::path sessions() const { return folder_ / (name_ + "_sessions"); }

 private:
  const TemporaryFolder& folder_;
  std::string name_, endpoint_;
  std::unique_ptr<ChildProcess> process_;
};

struct Answer {
  std::vector<float> values;
  Recall recall = Recall::none;
  std::uint64_t steps = 0;
};

/// A robot whose tokens depend on the step alone.
class Robot {
 public:
  Robot(const std::string& endpoint, const base::Digest& trunk, std::string session = "arm")
      : caller_(endpoint), trunk_(trunk), session_(std::move(session)) {}

  Answer step(std::uint64_t step) {
    auto message = tokens_message(step, 3, kToyWidth);
    message.trunk.assign(trunk_.begin(), trunk_.end());
    message.session = session_;
    message.owner = 5;
    message.episode = 1;
    message.time_ns = static_cast<std::int64_t>(step);
    caller_.send(message.bytes());
    for (;;) {
      if (!caller_.receive()) throw std::runtime_error("no answer came");
      const auto* features = caller_.features();
      if (features == nullptr) continue;
      if (features->code() != 0) throw std::runtime_error("a step was refused");
      return {values(*features), static_cast<Recall>(features->recall()), features->steps()};
    }
  }

 private:
  TrunkCaller caller_;
  base::Digest trunk_;
  std::string session_;
};

class SessionProcessesTest : public testing::Test {
 protected:
  SessionProcessesTest() {
    ::setenv("XDG_RUNTIME_DIR", folder_.path().c_str(), 1);
    id_ = base::from_hex(write_toy_mamba_stock(folder_ / "stock.safetensors"));
  }

  struct Said {
    int code = 0;
    std::string out, error;
  };
  Said run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {CAMBIUM_PROGRAM, "session"});
    ChildProcess verb(std::move(arguments), folder_.path());
    Said said;
    for (std::string line = verb.line(); !line.empty(); line = verb.line()) said.out += line + "\n";
    said.error = verb.error();
    said.code = verb.wait();
    return said;
  }

  TemporaryFolder folder_;
  base::Digest id_;
};

TEST_F(SessionProcessesTest, AKilledTrunkLosesAtMostAnInterval) {
  TrunkProcess killed(folder_, "killed", true), whole(folder_, "whole", false);
  Robot reference(whole.endpoint(), id_);
  std::vector<Answer> expected(1);  // steps count from 1
  const auto expect = [&](std::uint64_t step) -> const Answer& {
    while (expected.size() <= step) expected.push_back(reference.step(expected.size()));
    return expected[step];
  };
  std::uint64_t step = 0;
  for (int round = 0; round < 5; ++round) {
    std::vector<base::Nanoseconds> sent(step + 1);
    std::uint64_t on_disk = 0;
    {
      Robot arm(killed.endpoint(), id_);
      const auto began = base::monotonic_ns();
      // Of a machine that is busy with other things: until there is a file.
      const auto driven = [&] {
        const auto passed = base::monotonic_ns() - began;
        if (passed < (4 + round) * kPeriodMs * base::kMillisecond) return false;
        on_disk = killed.steps_on_disk("arm", id_);
        return on_disk > 0 || passed > 10 * base::kSecond;
      };
      while (!driven()) {
        const auto answer = arm.step(++step);
        sent.push_back(base::monotonic_ns());
        ASSERT_EQ(answer.values, expect(step).values) << "step " << step << " of round " << round;
      }
      ASSERT_GT(on_disk, 0U);
      killed.kill();
    }
    const auto died = base::monotonic_ns();
    killed.start();
    // The robot does not know where the trunk is: it sends what comes next.
    Robot arm(killed.endpoint(), id_);
    const auto probe = arm.step(step + 1);
    ASSERT_EQ(probe.recall, Recall::restored);
    const std::uint64_t kept = probe.steps - 1;
    ASSERT_LE(kept, step);
    EXPECT_GE(kept, on_disk) << "what was in a file is not lost";
    const auto lost_ms = kept == step ? 0 : (died - sent[kept + 1]) / base::kMillisecond;
    // The interval, and the time that a busy machine takes to write two files.
    EXPECT_LE(lost_ms, kPeriodMs + 2000) << step - kept << " steps";
    std::cout << "round " << round << ": " << step << " steps, " << step - kept << " lost, "
              << lost_ms << " ms\n";
    // From there it is as if it had never been away.
    TrunkProcess fresh(folder_, "fresh" + std::to_string(round), false);
    Robot same(fresh.endpoint(), id_);
    for (std::uint64_t i = 1; i <= kept; ++i) (void)same.step(i);
    ASSERT_EQ(probe.values, same.step(step + 1).values);
    for (std::uint64_t i = step + 2; i < step + 10; ++i)
      ASSERT_EQ(arm.step(i).values, same.step(i).values);
    // Both go on from step 0 in the next round, with a new file.
    ASSERT_EQ(run({"drop", "arm", "-c", killed.config()}).code, 0);
    ASSERT_EQ(run({"drop", "arm", "-c", whole.config()}).code, 0);
    expected.resize(1);
    step = 0;
  }
}

TEST_F(SessionProcessesTest, OneThatIsToldToStopLosesNothing) {
  TrunkProcess trunk(folder_, "trunk", true), whole(folder_, "whole", false);
  Robot reference(whole.endpoint(), id_);
  {
    Robot arm(trunk.endpoint(), id_);
    for (std::uint64_t step = 1; step <= 30; ++step)
      ASSERT_EQ(arm.step(step).values, reference.step(step).values);
  }
  ASSERT_EQ(trunk.stop(), 0);
  trunk.start();
  Robot arm(trunk.endpoint(), id_);
  const auto answer = arm.step(31);
  EXPECT_EQ(answer.recall, Recall::restored);
  EXPECT_EQ(answer.steps, 31U);
  EXPECT_EQ(answer.values, reference.step(31).values);
}

// Killed at all moments of a write; whatever is there afterwards is whole.
TEST_F(SessionProcessesTest, NoHalfFileIsEverReadAsWhole) {
  TrunkProcess trunk(folder_, "trunk", true);
  std::uint64_t step = 0, kept = 0;
  for (int round = 0; round < 20; ++round) {
    {
      Robot arm(trunk.endpoint(), id_);
      const auto first = arm.step(++step);
      ASSERT_EQ(first.recall, round == 0 ? Recall::began : Recall::restored) << round;
      EXPECT_LE(first.steps, kept + 1);
      kept = first.steps;
      // On a busy machine the first file may take longer than any of these moments.
      const auto patience = base::monotonic_ns() + 10 * base::kSecond;
      while (trunk.steps_on_disk("arm", id_) == 0 && base::monotonic_ns() < patience)
        kept = arm.step(++step).steps;
      const auto end = base::monotonic_ns() + (60 + 7 * round % 50) * base::kMillisecond;
      while (base::monotonic_ns() < end) kept = arm.step(++step).steps;
    }
    trunk.kill();
    for (const auto& entry : std::filesystem::directory_iterator(trunk.sessions()))
      EXPECT_FALSE(entry.path().string().ends_with(".refused"));
    trunk.start();
    for (const auto& entry : std::filesystem::directory_iterator(trunk.sessions()))
      EXPECT_FALSE(entry.path().string().ends_with(".tmp")) << "they are taken away";
  }
}

TEST_F(SessionProcessesTest, TheVerbMovesARobotToAnotherTrunk) {
  TrunkProcess here(folder_, "here", true), there(folder_, "there", false);
  Robot arm(here.endpoint(), id_);
  for (std::uint64_t step = 1; step <= 20; ++step) (void)arm.step(step);
  const auto saved = run({"save", "arm", "arm.safetensors", "-c", here.config()});
  EXPECT_EQ(saved.code, 0) << saved.error;
  EXPECT_EQ(saved.out,
            "session 'arm', 20 steps, is in '" + (folder_ / "arm.safetensors").string() + "'\n");
  const auto loaded =
      run({"load", "arm.safetensors", "--as", "leg", "--trunk", there.endpoint(), "--json"});
  EXPECT_EQ(loaded.code, 0) << loaded.error;
  const auto told = json::parse(loaded.out, nullptr, false);
  EXPECT_EQ(told.value("event", ""), "loaded");
  EXPECT_EQ(told["sessions"][0].value("name", ""), "leg");
  EXPECT_EQ(told["sessions"][0].value("steps", 0), 20);
  EXPECT_EQ(told["sessions"][0].value("trunk", ""), base::to_hex(id_));
  Robot moved(there.endpoint(), id_, "leg");
  for (std::uint64_t step = 21; step <= 40; ++step)
    ASSERT_EQ(moved.step(step).values, arm.step(step).values);
}

TEST_F(SessionProcessesTest, TheVerbShowsATableAndRefusesInASentence) {
  TrunkProcess trunk(folder_, "trunk", true);
  Robot arm(trunk.endpoint(), id_);
  (void)arm.step(1);
  const auto table = run({"list", "-c", trunk.config()});
  EXPECT_EQ(table.code, 0) << table.error;
  EXPECT_THAT(table.out, AllOf(StartsWith("session "), HasSubstr("\narm "), HasSubstr(" mamba "),
                               HasSubstr("\n1 session of 2.4 kB")));
  const auto object = json::parse(run({"list", "-c", trunk.config(), "--json"}).out);
  EXPECT_EQ(object.value("event", ""), "sessions");
  EXPECT_EQ(object["sessions"][0].value("architecture", ""), "mamba");
  const auto unknown = run({"drop", "arms", "-c", trunk.config()});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_EQ(unknown.error, "cambium session: no session 'arms' (did you mean 'arm'?)\n");
  write_bytes(folder_ / "hello.safetensors", "hello");
  const auto damaged = run({"load", "hello.safetensors", "-c", trunk.config(), "--json"});
  EXPECT_EQ(damaged.code, 2);
  EXPECT_EQ(json::parse(damaged.out).value("code", ""), "bad data");
  const auto nobody = run({"list", "--trunk", "ipc://" + (folder_ / "nobody").string()});
  EXPECT_EQ(nobody.code, 3);
  EXPECT_THAT(nobody.error, HasSubstr("does not answer"));
  EXPECT_EQ(run({"save", "arm"}).code, 2);
  EXPECT_THAT(run({"load", "--help"}).out, HasSubstr("Take a robot's memory from a file"));
}

TEST_F(SessionProcessesTest, AnotherTrunksSessionIsRefusedByTheVerb) {
  TrunkProcess trunk(folder_, "trunk", false);
  (void)Robot(trunk.endpoint(), id_).step(1);
  ASSERT_EQ(run({"save", "arm", "arm.safetensors", "-c", trunk.config()}).code, 0);
  ASSERT_EQ(trunk.stop(), 0);
  const auto other = write_toy_mamba_stock(folder_ / "stock.safetensors", 7);
  trunk.start();
  const auto refused = run({"load", "arm.safetensors", "-c", trunk.config()});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.error, AllOf(HasSubstr("session 'arm' is of trunk " + base::to_hex(id_)),
                                   HasSubstr("this trunk is " + other)));
}

}  // namespace
}  // namespace cambium::test
