#include "core/gateway/gateway.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "core/base/secret.hpp"
#include "tests/support/temporary.hpp"
#include "tests/unit/gateway/bodies.hpp"

namespace cambium::gateway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Gateways : public testing::Test {
 protected:
  Result<std::unique_ptr<Gateway>> make(const config::ListenerConfig& config) {
    return Gateway::make(
        config,
        {.controller = {.endpoint = {}, .robot = {}, .embodiment = {}, .name = {}, .on_event = {}},
         .describe = [](const std::string& robot) -> Result<RobotInfo> {
           if (robot == "left") return arm();
           return Error{Code::not_found, "no robot '" + robot + "'"};
         },
         .log = [this](const std::string& text) { log_.push_back(text); }});
  }
  std::filesystem::path token(const std::string& text, mode_t mode) {
    const auto file = folder_ / "token";
    test::write_bytes(file, text);
    ::chmod(file.c_str(), mode);
    return file;
  }

  test::TemporaryFolder folder_;
  std::vector<std::string> log_;
};

TEST_F(Gateways, TheTokenIsTheFirstLineOfAFileThatNobodyElseReads) {
  auto config = listener();
  config.token_file = token("s3cret\nsecond line\n", 0600);
  const auto gateway = make(config);
  ASSERT_TRUE(gateway) << gateway.error().message;
  EXPECT_TRUE((*gateway)->wants_token());
  EXPECT_TRUE((*gateway)->token_fits("s3cret"));
  for (const char* wrong : {"", "s3cre", "s3cret ", "S3cret", "s3cret\nsecond line"})
    EXPECT_FALSE((*gateway)->token_fits(wrong)) << wrong;
  const auto open = make(listener());
  ASSERT_TRUE(open);
  EXPECT_TRUE((*open)->token_fits("anything"));
}

TEST_F(Gateways, ATokenThatOthersReadIsRefusedAndNeverShown) {
  auto config = listener();
  config.token_file = token("s3cret\n", 0640);
  auto refused = make(config);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "cambium.toml:3: [[listener]]: token_file '" +
                                         config.token_file.string() +
                                         "': others may read or write it, expected mode 0600 "
                                         "(chmod 600 " +
                                         config.token_file.string() + ")");
  for (const char* none : {"", "\n", "two words\n", "\x01\n"}) {
    config.token_file = token(none, 0600);
    refused = make(config);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("its first line is no token"));
  }
  config.token_file = folder_ / "nowhere";
  EXPECT_EQ(make(config).error().code, Code::not_found);
  config.token_file = folder_.path();
  ::chmod(folder_.path().c_str(), 0700);
  EXPECT_THAT(make(config).error().message, HasSubstr("is no file"));
}

TEST_F(Gateways, RobotsAndRowsAreCheckedBeforeAnythingIsBound) {
  auto config = listener();
  config.robots = {"left", "other"};
  EXPECT_EQ(make(config).error().message, "cambium.toml:3: [[listener]]: no robot 'other'");
  config = listener();
  config.rows = 9;
  EXPECT_EQ(make(config).error().message,
            "cambium.toml:3: [[listener]]: rows = 9, but a chunk of robot 'left' has 8");
  config.rows = 8;
  EXPECT_TRUE(make(config));
  config.actions = {{.key = "a", .joints = {"pan"}, .units = {}, .line = 4}};
  EXPECT_THAT(make(config).error().message, HasSubstr("cambium.toml:4: [[listener.action]]"));
}

TEST_F(Gateways, ASentenceIsLoggedOnceAndCountedAlways) {
  const auto made = make(listener());
  ASSERT_TRUE(made);
  Gateway& gateway = **made;
  for (int i = 0; i < 3; ++i) gateway.refuse("127.0.0.1:9", "wrong token");
  gateway.refuse("127.0.0.1:9", "too large");
  EXPECT_THAT(log_, ElementsAre("listener json: 127.0.0.1:9 refused: wrong token (said once; "
                                "`cambium status` counts)",
                                "listener json: 127.0.0.1:9 refused: too large (said once; "
                                "`cambium status` counts)"));
  EXPECT_EQ(gateway.status("here").refused, 4U);
  // Bounded, whatever clients make it say.
  for (int i = 0; i < 1000; ++i) gateway.refuse("x", "sentence " + std::to_string(i));
  EXPECT_EQ(log_.size(), 256U);
}

TEST_F(Gateways, CountsOfASessionGoWithIt) {
  const auto made = make(listener());
  ASSERT_TRUE(made);
  auto one = (*made)->enter("me", "left");
  one->holds = 2;
  auto status = (*made)->status("here");
  ASSERT_EQ(status.clients.size(), 1U);
  EXPECT_EQ(status.clients[0].client, "me");
  EXPECT_EQ(status.clients[0].holds, 2U);
  one.reset();
  status = (*made)->status("here");
  EXPECT_TRUE(status.clients.empty());
  EXPECT_EQ(status.served, 1U);
}

TEST(Seats, ARobotHasOneUntilItIsGivenBack) {
  Seats seats({"left", "right"});
  auto first = seats.take("", "one");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->robot(), "left");
  EXPECT_EQ(seats.take("left", "two").error().message, "robot 'left' is driven by one");
  auto second = seats.take("", "two");
  EXPECT_EQ(second->robot(), "right");
  EXPECT_EQ(seats.take("", "three").error().code, Code::busy);
  {
    const Seat moved = std::move(*first);
    EXPECT_FALSE(seats.take("left", "three"));
  }
  EXPECT_TRUE(seats.take("left", "three"));
  EXPECT_EQ(seats.take("rihgt", "four").error().message,
            "no robot 'rihgt' at this endpoint (did you mean 'right'?)");
}

TEST(Seats, ASeatMayOutliveItsListener) {
  auto seats = std::make_unique<Seats>(std::vector<std::string>{"left"});
  const auto seat = seats->take("", "one");
  seats.reset();
  EXPECT_EQ(seat->robot(), "left");
}

TEST(Secret, IsComparedWhole) {
  EXPECT_TRUE(base::same_secret("abc", "abc"));
  EXPECT_FALSE(base::same_secret("abd", "abc"));
  EXPECT_FALSE(base::same_secret("ab", "abc"));
  EXPECT_FALSE(base::same_secret("", "abc"));
  EXPECT_FALSE(base::same_secret("abcd", "abc"));
}

}  // namespace
}  // namespace cambium::gateway
