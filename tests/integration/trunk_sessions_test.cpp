// A trunk that remembers, through its socket: whose memory a request goes on with, and what becomes
// of memory that is refused, too much, or spoilt.
#include <gmock/gmock.h>

#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/trunk/server.hpp"
#include "tests/support/fake_model.hpp"
#include "tests/support/remembering_model.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/tokens.hpp"
#include "tests/support/trunk_caller.hpp"

namespace cambium::trunk {
namespace {

using test::TokensMessage;
using test::TrunkCaller;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint32_t kWidth = 4;
constexpr float kFails = 1e6F;  // a token so large makes the whole pass fail

/// Remembers, but waits at a gate, and fails where it is told to.
class GatedModel final : public TrunkModel {
 public:
  explicit GatedModel(test::Gate& gate) : gate_(gate) {}
  const ModelInfo& info() const noexcept override { return model_.info(); }
  void begin(std::byte* memory) const noexcept override { model_.begin(memory); }
  Status forward(std::span<const Segment> segments, float* rows) noexcept override {
    gate_.pass(segments.size());
    const bool fails = rows[0] == kFails;
    const Status done = model_.forward(segments, rows);
    return fails ? Status(Code::failed) : done;
  }

 private:
  test::RememberingModel model_{kWidth};
  test::Gate& gate_;
};

const std::uint64_t kBytes = test::RememberingModel(kWidth).info().session_bytes;

class TrunkSessionsTest : public testing::Test {
 protected:
  ~TrunkSessionsTest() override { gate_.open(); }

  ServerOptions options() const {
    ServerOptions options;
    options.endpoint = "ipc://" + (folder_.path() / "trunk").string();
    options.queue = 16;
    options.max_batch = 8;
    options.max_tokens = 32;
    options.session_memory = 3 * kBytes;
    return options;
  }
  Result<TrunkServer> try_start(ServerOptions options) {
    return TrunkServer::start(std::move(options), {test::digest(0xab), "fake", 0},
                              std::make_unique<GatedModel>(gate_));
  }
  void start(ServerOptions options) {
    auto server = try_start(std::move(options));
    if (!server) throw std::runtime_error(server.error().message);
    gate_.wait_for(1);  // the server's own warm-up
    server_.emplace(std::move(*server));
    caller_.emplace(server_->endpoint());
  }
  void start() { start(options()); }

  /// One token of `value`, the next observation of that robot.
  TokensMessage step(const std::string& session, float value, std::uint64_t episode = 1) {
    TokensMessage message;
    message.request = ++requests_;
    message.robot_id = static_cast<std::uint32_t>(session.empty() ? 99 : session.back() - 'a');
    message.count = 1;
    message.width = kWidth;
    message.values.assign(kWidth, value);
    message.session = session;
    message.owner = 5;
    message.episode = episode;
    message.time_ns = ++time_;
    return message;
  }

  struct Answer {
    Code code = Code::ok;
    float value = 0;  ///< of the first token
    Recall recall = Recall::none;
    std::uint64_t steps = 0, request = 0;
    std::uint32_t batch = 0;
    bool operator==(const Answer&) const = default;
  };
  /// The next features; what notices said before is in said_.
  Answer answer() {
    said_.clear();
    for (;;) {
      if (!caller_->receive()) throw std::runtime_error("no answer came");
      if (const auto* notice = caller_->notice()) {
        said_ += notice->text()->str();
        said_to_ = notice->robot_id();
        continue;
      }
      const auto* features = caller_->features();
      if (features == nullptr) throw std::runtime_error("something else came");
      const auto values = test::values(*features);
      return {static_cast<Code>(features->code()),
              values.empty() ? 0 : values.front(),
              static_cast<Recall>(features->recall()),
              features->steps(),
              features->request(),
              features->batch()};
    }
  }
  Answer ask(const TokensMessage& message) {
    caller_->send(message.bytes());
    return answer();
  }
  /// A request that waits inside the model until the gate opens.
  void block() {
    const auto passes = gate_.batches().size();
    gate_.close();
    auto message = step("", 0);
    message.deadline_us = 60'000'000;  // without one it might run on the io thread
    caller_->send(message.bytes());
    gate_.wait_for(passes + 1);
  }

  test::Gate gate_;
  test::TemporaryFolder folder_;
  std::optional<TrunkServer> server_;
  std::optional<TrunkCaller> caller_;
  std::string said_;
  std::uint32_t said_to_ = 0;
  std::uint64_t requests_ = 0;
  std::int64_t time_ = 1000;
};

TEST_F(TrunkSessionsTest, ARobotGoesOnWithWhatItSaidBefore) {
  start();
  for (std::uint64_t i = 1; i <= 5; ++i) {
    const Answer got = ask(step("a", 1));
    EXPECT_EQ(got.value, static_cast<float>(i));
    EXPECT_EQ(got.recall, i == 1 ? Recall::began : Recall::kept);
    EXPECT_EQ(got.steps, i);
  }
  EXPECT_EQ(ask(step("b", 7)).value, 7) << "another robot's memory is its own";
  EXPECT_EQ(ask(step("a", 1)).value, 6);
}

TEST_F(TrunkSessionsTest, SaysHowMuchItRemembersAndOfHowMany) {
  start();
  ask(step("a", 1));
  ask(step("b", 1));
  caller_->send_hello();
  ASSERT_TRUE(caller_->receive());
  ASSERT_NE(caller_->trunk_info(), nullptr);
  EXPECT_EQ(caller_->trunk_info()->session_bytes(), kBytes);
  EXPECT_EQ(caller_->trunk_info()->sessions(), 2u);
}

TEST_F(TrunkSessionsTest, StepsOfSeveralRobotsAreOnePassAndEachHasItsOwnMemory) {
  start();
  for (const char* name : {"a", "b", "c"}) ask(step(name, static_cast<float>(name[0])));
  block();
  for (const char* name : {"c", "a", "b"}) caller_->send(step(name, 1000).bytes());
  caller_->settle();
  gate_.open();
  answer();  // who blocked
  for (const char* name : {"c", "a", "b"}) {
    const Answer got = answer();
    EXPECT_EQ(got.value, 1000 + static_cast<float>(name[0]));
    EXPECT_EQ(got.batch, 3u);
    EXPECT_EQ(got.steps, 2u);
  }
}

}  // namespace
}  // namespace cambium::trunk
