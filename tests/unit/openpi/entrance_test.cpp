// What is answered to an HTTP request, without a socket.
#include "core/adapters/openpi/entrance.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/temporary.hpp"

namespace cambium::openpi {
namespace {

using testing::HasSubstr;
using testing::Not;

std::unique_ptr<gateway::Gateway> gateway_with(const std::string& token) {
  static const test::TemporaryFolder folder;
  config::ListenerConfig listener{.protocol = config::Protocol::openpi};
  if (!token.empty()) {
    listener.token_file = folder / "token";
    test::write_bytes(listener.token_file, token + "\n");
    ::chmod(listener.token_file.c_str(), 0600);
  }
  auto made = gateway::Gateway::make(listener, {});
  EXPECT_TRUE(made) << made.error().message;
  return std::move(*made);
}

Call upgrade(std::string_view target, std::string_view authorization = "") {
  return {.method = "GET", .target = target, .authorization = authorization, .upgrade = true};
}

TEST(Entrance, LetsAWebSocketInAtAnyPath) {
  const auto open = gateway_with("");
  for (const char* target : {"/", "/infer", "/a/b?c=d", "", "?"})
    EXPECT_EQ(judge(upgrade(target), *open).status, kSwitching) << target;
}

TEST(Entrance, ReadsTheRobotOutOfThePath) {
  const auto open = gateway_with("");
  EXPECT_EQ(judge(upgrade("/"), *open).robot, "");
  EXPECT_EQ(judge(upgrade("/?robot=left"), *open).robot, "left");
  EXPECT_EQ(judge(upgrade("/any?x=1&robot=left&y=2"), *open).robot, "left");
  EXPECT_EQ(judge(upgrade("/any?robots=left"), *open).robot, "");
  EXPECT_EQ(judge(upgrade("/robot=left"), *open).robot, "");
  EXPECT_EQ(judge(upgrade("/?&&robot="), *open).robot, "");
}

TEST(Entrance, TellsItsHealthToAnybody) {
  const auto keyed = gateway_with("sesame");
  for (const bool asks_for_more : {false, true}) {
    const Entry entry =
        judge({.method = "GET", .target = "/healthz", .upgrade = asks_for_more}, *keyed);
    EXPECT_EQ(entry.status, 200u);
    EXPECT_EQ(entry.text, "OK");
  }
}

TEST(Entrance, WantsTheKeyAndNeverRepeatsWhatWasShown) {
  const auto keyed = gateway_with("sesame");
  EXPECT_EQ(judge(upgrade("/", "Api-Key sesame"), *keyed).status, kSwitching);
  EXPECT_EQ(judge(upgrade("/", "api-key sesame"), *keyed).status, kSwitching);
  for (const char* shown : {"", "Api-Key", "Api-Key ", "Api-Key sesam", "Api-Key sesame2",
                            "Api-Key  sesame", "Bearer sesame", "sesame", "Api-KeyXsesame"}) {
    const Entry entry = judge(upgrade("/", shown), *keyed);
    EXPECT_EQ(entry.status, 401u) << shown;
    EXPECT_THAT(entry.text, HasSubstr("key"));
    EXPECT_THAT(entry.text, Not(HasSubstr("sesam")));
  }
}

TEST(Entrance, WithoutATokenEveryKeyWillDo) {
  EXPECT_EQ(judge(upgrade("/", "Api-Key whatever"), *gateway_with("")).status, kSwitching);
}

TEST(Entrance, SaysReadablyWhatItIsToOthers) {
  const auto open = gateway_with("");
  const auto asked = [&](const char* method, const char* target) {
    return judge({.method = method, .target = target}, *open);
  };
  EXPECT_EQ(asked("GET", "/").status, 426u);
  EXPECT_THAT(asked("GET", "/").text, HasSubstr("WebSocket"));
  EXPECT_EQ(asked("GET", "/metrics").status, 404u);
  EXPECT_EQ(asked("POST", "/").status, 405u);
}

TEST(Entrance, KeepsWebPagesFromDrivingRobots) {
  const auto open = gateway_with("");
  Call page = upgrade("/");
  page.origin = "http://somewhere.example";
  EXPECT_EQ(judge(page, *open).status, 403u);
}

}  // namespace
}  // namespace cambium::openpi
