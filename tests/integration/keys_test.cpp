// Controller, host, trunk and command line over tcp with keys: who is let in, and who is not.
#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/key_file.hpp"
#include "core/runtime/admin_desk.hpp"
#include "core/transport/keyring.hpp"
#include "tests/integration/host_fixture.hpp"

namespace cambium {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using runtime::Host;
using test::by_policy;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kAnyPort = "tcp://127.0.0.1:0";

class Keys : public test::HostTest {
 protected:
  Keys() {
    for (const char* name : {"trunk", "host", "arm", "desk", "stranger"})
      keys_.emplace(name, base::write_new_keys(folder_.path(), name).value());
    allow("trunk_allow", "host", transport::kHost);
    allow("host_allow", "arm", transport::kController);
    allow("host_allow", "desk", transport::kAdmin);
    config_.host.control = config_.host.admin = kAnyPort;
    config_.security = {.key = key("host"),
                        .allow = folder_ / "host_allow",
                        .trunk_key = pub("trunk"),
                        .host_key = {}};
  }
  ~Keys() override {
    desk_.reset();
    host_.reset();
    trunk_.reset();  // before its keys
  }

  std::filesystem::path key(const std::string& name) { return folder_ / (name + ".key"); }
  std::filesystem::path pub(const std::string& name) { return folder_ / (name + ".pub"); }
  void allow(const std::string& list, const std::string& name, transport::Roles roles) {
    const auto added = transport::allow_key(folder_ / list, keys_.at(name), roles);
    ASSERT_TRUE(added) << added.error().message;
  }
  void revoke(const std::string& list, const std::string& name) {
    ASSERT_TRUE(transport::revoke_key(folder_ / list, name));
  }

  void start_trunk() {
    auto keyring = transport::Keyring::open({key("trunk"), folder_ / "trunk_allow", {}});
    ASSERT_TRUE(keyring) << keyring.error().message;
    trunk_keys_ = std::move(*keyring);
    auto stock = nn::Stock::open(folder_ / "stock.safetensors");
    ASSERT_TRUE(stock);
    auto model = trunk::load_model(stock->file(), {.max_rows = 1024});
    ASSERT_TRUE(model) << model.error().message;
    auto server = trunk::TrunkServer::start(
        {.endpoint = kAnyPort, .keyring = trunk_keys_.get()},
        {.id = base::from_hex(stock->trunk_id()), .backend = "", .max_tokens = 256},
        std::move(*model));
    ASSERT_TRUE(server) << server.error().message;
    trunk_ = std::make_unique<trunk::TrunkServer>(std::move(*server));
    config_.trunk.endpoint = trunk_->endpoint();
  }
  void start() {
    start_trunk();
    start_host();
    auto desk = runtime::AdminDesk::start(*host_);
    ASSERT_TRUE(desk) << desk.error().message;
    desk_ = std::move(*desk);
  }

  /// server empty: as if the host had the same key.
  Client controller(const std::string& own, const std::string& server = "host") {
    auto opened =
        Client::open({.endpoint = host_->control_endpoint(),
                      .robot = "left",
                      .name = "test",
                      .on_event = [this](const ClientEvent& event) { events_.push_back(event); },
                      .key_file = own.empty() ? "" : key(own),
                      .host_key_file = server.empty() ? "" : pub(server)});
    if (!opened) throw std::runtime_error(opened.error().message);
    return std::move(*opened);
  }
  static std::string refusal(Client& client) {
    std::string said;
    eventually([&] {
      const auto info = client.wait(100ms);
      EXPECT_FALSE(info) << "was let in";
      said = info ? "" : info.error().message;
      return info.has_value() || said.find("refuses") != std::string::npos;
    });
    return said;
  }
  Result<runtime::AdminAnswer> ask(const std::string& own, const std::string& server = "host",
                                   base::Nanoseconds timeout = 5 * base::kSecond) {
    auto keyring =
        transport::Keyring::open({own.empty() ? "" : key(own), {}, own.empty() ? "" : pub(server)});
    if (!keyring) return keyring.error();
    return runtime::ask_admin(desk_->endpoint(), {.verb = "status"}, timeout, keyring->get());
  }
  json status() {
    const auto answer = ask("desk");
    EXPECT_TRUE(answer) << answer.error().message;
    return answer ? json::parse(answer->json) : json();
  }

  std::map<std::string, base::NamedKey> keys_;
  std::unique_ptr<transport::Keyring> trunk_keys_;
  std::unique_ptr<runtime::AdminDesk> desk_;
};

TEST_F(Keys, OfAllFourLetARobotBeDrivenAndLookedAt) {
  start();
  auto client = controller("arm");
  ActionReply reply;
  EXPECT_TRUE(tick_until(client, reply, by_policy));
  EXPECT_TRUE(eventually([&] { return status()["trunk"]["alive"] == true; }));
  const auto told = status();
  EXPECT_EQ(told["robots"][0]["controller"], true);
  EXPECT_EQ(told["keys"], json({{"allowed", 2}, {"denied", 0}, {"dropped", 0}, {"problem", ""}}));
}

TEST_F(Keys, OfTheHostDriveItsOwnRobotsAndCommandIt) {
  start();
  auto client = controller("host", "");  // as a listener of another protocol does
  ActionReply reply;
  EXPECT_TRUE(tick_until(client, reply, by_policy));
  const auto answer = ask("host");
  EXPECT_TRUE(answer) << answer.error().message;
}

TEST_F(Keys, ThatAreNotAllowedDriveNothing) {
  start();
  auto client = controller("stranger");
  EXPECT_THAT(refusal(client), HasSubstr("refuses: it does not let this key in"));
  EXPECT_FALSE(client.robot());
  const auto told = status();
  EXPECT_EQ(told["robots"][0]["ticks"], 0);
  EXPECT_GE(told["keys"]["denied"], 1);
  EXPECT_TRUE(
      eventually([&] { return log().find("is not let in as controller") != std::string::npos; }));
  EXPECT_THAT(log(), HasSubstr(keys_.at("stranger").key.fingerprint()));
}

TEST_F(Keys, ThatAreMissingAreAskedForInASentence) {
  start();
  auto client = controller("", "");
  EXPECT_THAT(refusal(client), HasSubstr("it speaks only to those who have keys"));
  const auto answer = ask("");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::unavailable);
  EXPECT_THAT(answer.error().message, HasSubstr("it speaks only to those who have keys"));
}

TEST_F(Keys, OfAnotherHostAreNotBelieved) {
  start();
  auto client = controller("arm", "trunk");
  const auto info = client.wait(300ms);
  ASSERT_FALSE(info);
  EXPECT_THAT(info.error().message, HasSubstr("or not with the key that is expected"));
  EXPECT_FALSE(ask("desk", "trunk", 300 * base::kMillisecond));
  EXPECT_EQ(status()["robots"][0]["ticks"], 0);
}

TEST_F(Keys, AreNotSpokenToAHostWithout) {
  config_.security = {};
  start_host();
  auto client = controller("arm");
  EXPECT_THAT(refusal(client), HasSubstr("it speaks without keys"));
}

TEST_F(Keys, OfAControllerCommandNothing) {
  start();
  const auto answer = ask("arm");
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message, HasSubstr("refuses: it does not let this key in"));
  auto client = controller("desk");
  EXPECT_THAT(refusal(client), HasSubstr("refuses: it does not let this key in"));
  EXPECT_THAT(log(), HasSubstr("'desk' is only admin"));
}

TEST_F(Keys, OfAHostThatTheTrunkDoesNotKnowGetNoFeatures) {
  revoke("trunk_allow", "host");
  start();
  auto client = controller("arm");
  ASSERT_TRUE(client.wait(5s));
  ActionReply reply;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(tick(client, reply).ok());
    EXPECT_NE(reply.drive, Drive::policy);
  }
  EXPECT_TRUE(eventually([&] { return status()["trunk"].value("trouble", "") != ""; }));
  EXPECT_EQ(trunk_->stats().served, 0U);
  // And as soon as it does, it gets them: nothing is started anew.
  allow("trunk_allow", "host", transport::kHost);
  EXPECT_TRUE(tick_until(client, reply, by_policy));
}

TEST_F(Keys, ThatAreRevokedWhileTheyDriveStopDriving) {
  start();
  auto client = controller("arm");
  ActionReply reply;
  ASSERT_TRUE(tick_until(client, reply, by_policy));
  revoke("host_allow", "arm");
  ASSERT_TRUE(eventually([&] { return status()["keys"]["allowed"] == 1; }));
  const auto ticks = status()["robots"][0]["ticks"];
  EXPECT_EQ(tick(client, reply, 0, 50ms).code(), Code::timeout);
  EXPECT_TRUE(eventually([&] { return status()["keys"]["dropped"] >= 1; }));
  EXPECT_TRUE(eventually([&] { return status()["robots"][0]["controller"] == false; }));
  EXPECT_EQ(status()["robots"][0]["ticks"], ticks) << "nothing of it was processed";
  EXPECT_TRUE(eventually([&] { return log().find("key 'arm' still sends") != std::string::npos; }));
  EXPECT_THAT(log(), HasSubstr("key 'arm' is revoked"));
  // The robot is free for whoever may.
  auto next = controller("host");
  EXPECT_TRUE(tick_until(next, reply, by_policy));
}

TEST_F(Keys, OfAHostThatAreRevokedWhileItIsServedGetNoMoreFeatures) {
  start();
  auto client = controller("arm");
  ActionReply reply;
  ASSERT_TRUE(tick_until(client, reply, by_policy));
  revoke("trunk_allow", "host");
  ASSERT_TRUE(eventually([&] { return trunk_keys_->allowed->status().keys == 0; }));
  const auto dropped = [&] { return trunk_keys_->allowed->status().dropped; };
  ASSERT_TRUE(eventually([&] { return dropped() >= 1; }));
  const auto served = trunk_->stats().served;
  ASSERT_TRUE(tick_until(client, reply, [](const ActionReply& one) { return !by_policy(one); }));
  EXPECT_LE(trunk_->stats().served, served + 1) << "one may have been under way";
}

TEST_F(Keys, AreNeededBeyondLoopback) {
  config_.security = {};
  config_.host.control = "tcp://0.0.0.0:0";
  const auto host = Host::start(config_, [](const std::string&) {});
  ASSERT_FALSE(host);
  EXPECT_THAT(host.error().message, HasSubstr("cambium keys new"));
  const auto client = Client::open({.endpoint = "tcp://192.0.2.1:5555", .robot = "left"});
  ASSERT_FALSE(client);
  EXPECT_THAT(client.error().message, HasSubstr("cambium keys new"));
}

TEST_F(Keys, ThatAreNoneAreRefusedAtTheStart) {
  config_.security.key = folder_ / "none.key";
  const auto missing = Host::start(config_, [](const std::string&) {});
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("none.key"));
  std::filesystem::permissions(key("arm"), std::filesystem::perms(0644));
  const auto open = Client::open({.endpoint = kAnyPort, .robot = "left", .key_file = key("arm")});
  ASSERT_FALSE(open);
  EXPECT_THAT(open.error().message, HasSubstr("chmod 600"));
}

TEST_F(Keys, AreNeverShown) {
  start();
  auto client = controller("arm"), stranger = controller("stranger");
  ActionReply reply;
  ASSERT_TRUE(tick_until(client, reply, by_policy));
  std::string shown = refusal(stranger) + status().dump();
  revoke("host_allow", "arm");
  ASSERT_TRUE(eventually([&] { return status()["keys"]["allowed"] == 1; }));
  shown += log();
  for (const auto& event : events_) shown += event.text;
  for (const auto& [name, named] : keys_) {
    const std::string text = test::read_bytes(key(name));
    const std::string secret = text.substr(text.size() - 1 - base::kKeyDigits, base::kKeyDigits);
    ASSERT_TRUE(base::CurveSecret::parse(secret));
    EXPECT_THAT(shown, Not(HasSubstr(secret.substr(0, 8))));
  }
}

}  // namespace
}  // namespace cambium
