// Clients of every protocol at once, through a host and on a trunk that are processes of their own,
// while weights, heads and the trunk are swapped under them: every request is answered in time.
#include <gmock/gmock.h>

#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/arm_files.hpp"
#include "bench/clients/rig.hpp"
#include "core/base/clock.hpp"
#include "core/runtime/admin_desk.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/toy_files.hpp"

namespace cambium::test {
namespace {

using bench::ClientRig;
using testing::HasSubstr;

constexpr base::Nanoseconds kPatience = 30 * base::kSecond;
// answer_within of a listener is 500 ms; as long again for a machine that has other things to do.
constexpr base::Nanoseconds kInTime = base::kSecond;

/// A robot's script: asks, and asks again.
class Script {
 public:
  Script(const bench::Protocol& protocol, std::string endpoint, std::string robot)
      : name_(protocol.name), thread_([=, this, &protocol] { run(protocol, endpoint, robot); }) {}
  ~Script() { end(); }

  void end() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  int answers() const { return answers_; }
  int chunks() const { return chunks_; }
  base::Nanoseconds longest() const { return longest_; }
  const std::string& name() const { return name_; }
  std::string trouble() const {
    const std::lock_guard lock(mutex_);
    return trouble_;
  }

 private:
  void run(const bench::Protocol& protocol, const std::string& endpoint, const std::string& robot) {
    auto client = protocol.connect(endpoint, robot);
    if (!client) return say(client.error().message);
    while (!stop_) {
      const auto begin = base::monotonic_ns();
      const auto asked = (*client)->ask();
      const auto took = base::monotonic_ns() - begin;
      if (answers_ > 0) longest_ = std::max(longest_.load(), took);  // the first one also connects
      if (!asked) return say(asked.error().message);
      const auto said = (*client)->answered();
      if (!said) return say(said.error().message);
      if (!said->held) ++chunks_;
      ++answers_;
    }
  }
  void say(const std::string& sentence) {
    const std::lock_guard lock(mutex_);
    trouble_ = sentence;
  }

  const std::string name_;
  std::atomic<bool> stop_{false};
  std::atomic<int> answers_{0}, chunks_{0};
  std::atomic<base::Nanoseconds> longest_{0};
  mutable std::mutex mutex_;  // guards trouble_
  std::string trouble_;
  std::thread thread_;
};

class Listeners : public testing::Test {
 protected:
  void SetUp() override {
    write_toy_stock(stock_);
    const auto& all = bench::protocols();
    auto rig = ClientRig::start({.program = CAMBIUM_PROGRAM,
                                 .stock = stock_,
                                 .plugin = BENCH_BIMANUAL,
                                 .robots = static_cast<int>(all.size())});
    ASSERT_TRUE(rig) << rig.error().message;
    rig_ = std::move(*rig);
    for (std::size_t i = 0; i < all.size(); ++i)
      scripts_.push_back(std::make_unique<Script>(all[i], rig_->endpoint_of_one(i),
                                                  ClientRig::robot(static_cast<int>(i))));
    ASSERT_TRUE(all_go_on());
  }
  /// Every script is given some more chunks of the policy's.
  testing::AssertionResult all_go_on() {
    std::vector<int> before;
    for (const auto& script : scripts_) before.push_back(script->chunks());
    const auto until = base::monotonic_ns() + kPatience;
    for (std::size_t i = 0; i < scripts_.size(); ++i) {
      while (scripts_[i]->chunks() < before[i] + 3) {
        if (!scripts_[i]->trouble().empty())
          return testing::AssertionFailure()
                 << scripts_[i]->name() << " ended: " << scripts_[i]->trouble();
        if (base::monotonic_ns() > until)
          return testing::AssertionFailure()
                 << scripts_[i]->name() << " got no chunk after " << scripts_[i]->answers();
        std::this_thread::yield();
      }
    }
    return testing::AssertionSuccess();
  }
  nlohmann::json ask(const runtime::AdminCall& call) {
    const auto answer = runtime::ask_admin(rig_->admin(), call, kPatience);
    EXPECT_TRUE(answer) << call.verb;
    if (!answer) return {};
    EXPECT_EQ(answer->code, Code::ok) << call.verb << ": " << answer->text;
    return nlohmann::json::parse(answer->json, nullptr, false);
  }

  TemporaryFolder folder_;
  const std::filesystem::path stock_ = folder_ / "stock.safetensors";
  std::unique_ptr<ClientRig> rig_;
  std::vector<std::unique_ptr<Script>> scripts_;  // end before the rig
};

TEST_F(Listeners, AllAtOnceAreAnsweredInTimeWhateverIsSwapped) {
  const std::string other = folder_ / "other.safetensors";
  ASSERT_TRUE(bench::write_arms_bundle(other, stock_, 0.2F));
  for (const auto& script : scripts_) {  // weights, of each robot
    const auto number = static_cast<int>(&script - scripts_.data());
    ask({.verb = "swap", .robot = ClientRig::robot(number), .bundle = other, .probation = 3});
  }
  EXPECT_TRUE(all_go_on());

  const std::string head = folder_ / "libhead.so";  // a head, and its next build
  ASSERT_TRUE(bench::write_rebuilt(BENCH_HEAD, head, 1));
  ask({.verb = "swap", .robot = ClientRig::robot(1), .head_plugin = head, .probation = 3});
  ASSERT_TRUE(bench::write_rebuilt(BENCH_HEAD, head, 2));
  ask({.verb = "reload", .robot = ClientRig::robot(1), .probation = 3});
  EXPECT_TRUE(all_go_on());

  const std::string next = folder_ / "next.safetensors", grafted = folder_ / "grafted.safetensors";
  const std::string id = write_toy_stock(next, 7);  // the trunk, of all
  ASSERT_TRUE(bench::write_arms_bundle(grafted, next, 0.1F));
  runtime::AdminCall call{.verb = "trunk-swap", .probation = 3, .stock = next};
  for (std::size_t i = 0; i < scripts_.size(); ++i)
    call.bundles.push_back(ClientRig::robot(static_cast<int>(i)) + "=" + grafted);
  ask(call);
  EXPECT_TRUE(all_go_on());

  const auto status = ask({.verb = "status"});
  EXPECT_THAT(status.dump(), HasSubstr(id));
  for (const auto& script : scripts_) {
    script->end();
    EXPECT_EQ(script->trouble(), "") << script->name();
    EXPECT_GT(script->chunks(), 8) << script->name();
    EXPECT_LT(script->longest(), kInTime) << script->name();
  }
}

TEST_F(Listeners, ATrunkThatDiesCostsNobodyAnAnswer) {
  rig_->kill_trunk();
  std::vector<int> before;
  for (const auto& script : scripts_) before.push_back(script->answers());
  const auto until = base::monotonic_ns() + kPatience;
  for (std::size_t i = 0; i < scripts_.size(); ++i) {
    while (scripts_[i]->answers() < before[i] + 3 && base::monotonic_ns() < until)
      std::this_thread::yield();
    EXPECT_GE(scripts_[i]->answers(), before[i] + 3)
        << scripts_[i]->name() << " " << scripts_[i]->trouble();
  }
  for (const auto& script : scripts_) {
    EXPECT_EQ(script->trouble(), "") << script->name();
    if (script->name() == "native") continue;  // waits for as long as it says itself: 10 s
    EXPECT_LT(script->longest(), kInTime) << script->name();
  }
}

}  // namespace
}  // namespace cambium::test
