#include <gmock/gmock.h>

#include <cstring>
#include <functional>
#include <optional>
#include <thread>

#include "core/transport/keyring.hpp"
#include "core/transport/socket.hpp"
#include "tests/support/malloc_guard.hpp"
#include "tests/support/temporary.hpp"

namespace cambium::transport {
namespace {

using base::kMillisecond;
using base::kSecond;
using testing::HasSubstr;

/// One process: its keys, its context.
struct Party {
  std::string log;
  std::unique_ptr<Keyring> keyring;
  std::optional<Context> context;  // first to go: its doorkeeper logs
};

class SocketKeys : public testing::Test {
 protected:
  SocketKeys() {
    for (const char* name : {"server", "arm", "stranger"})
      keys_.emplace(name, base::write_new_keys(folder_.path(), name).value());
    add("arm", kController);
    start(server_, "server", {}, folder_ / "allowed");
  }
  void add(const std::string& name, Roles roles) {
    ASSERT_TRUE(allow_key(folder_ / "allowed", keys_.at(name), roles));
  }
  void start(Party& party, const std::string& own, const std::string& server,
             const std::filesystem::path& allow = {}) {
    auto keyring = Keyring::open({own.empty() ? "" : folder_ / (own + ".key"), allow,
                                  server.empty() ? "" : folder_ / (server + ".pub")},
                                 [&party](const std::string& text) { party.log += text + "\n"; });
    ASSERT_TRUE(keyring) << keyring.error().message;
    party.keyring = std::move(*keyring);
    party.context.emplace(party.keyring.get());
  }
  static Socket must(Result<Socket> socket) {
    if (!socket) throw std::runtime_error(socket.error().message);
    return std::move(*socket);
  }
  Socket bound(Roles lets_in = kController, std::size_t bytes = 4096) {
    return must(Socket::bind(*server_.context, SocketKind::router, "tcp://127.0.0.1:0",
                             {.max_message_bytes = bytes, .lets_in = lets_in}));
  }
  static Socket call(Party& party, const Socket& server) {
    return must(Socket::connect(*party.context, SocketKind::dealer, server.endpoint()));
  }
  static bool eventually(const std::function<bool()>& so, base::Nanoseconds within = 5 * kSecond) {
    const auto until = base::monotonic_ns() + within;
    while (!so()) {
      if (base::monotonic_ns() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }
  // What the server gets of a message that the caller sends until it leaves; empty: nothing in
  // time.
  static std::string hear(Socket& server, Socket& caller, const std::string& text,
                          base::Nanoseconds within = 5 * kSecond) {
    bool sent = false;
    std::string heard;
    eventually(
        [&] {
          if (!sent) sent = caller.send(std::as_bytes(std::span(text))).ok();
          std::span<const std::byte> bytes;
          if (!server.receive(from_, bytes).ok()) return false;
          heard.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
          return true;
        },
        within);
    return heard;
  }

  test::TemporaryFolder folder_;
  std::map<std::string, base::NamedKey> keys_;
  Party server_;
  static inline Peer from_;
};

TEST_F(SocketKeys, LetAnAllowedKeyIn) {
  Party arm;
  start(arm, "arm", "server");
  auto server = bound();
  auto caller = call(arm, server);
  EXPECT_EQ(hear(server, caller, "hello"), "hello");
  ASSERT_TRUE(server.send(from_, std::as_bytes(std::span("answer"))).ok());
  Peer nobody;
  std::span<const std::byte> bytes;
  EXPECT_TRUE(eventually([&] { return caller.receive(nobody, bytes).ok(); }));
  EXPECT_STREQ(caller.trouble(), "");
}

TEST_F(SocketKeys, KnowWhoSentWhatAPollHasFound) {
  Party arm;
  start(arm, "arm", "server");
  auto server = bound();
  auto caller = call(arm, server);
  ASSERT_EQ(hear(server, caller, "first"), "first");
  Poller poller;
  poller.add(server);
  ASSERT_TRUE(caller.send(std::as_bytes(std::span("second"))).ok());
  poller.wait(5 * kSecond);
  std::span<const std::byte> bytes;
  EXPECT_TRUE(server.receive(from_, bytes).ok());
}

TEST_F(SocketKeys, LetTheirOwnProcessInAsAnything) {
  Party self;
  start(self, "server", "");
  auto server = bound(kAdmin);
  auto caller = call(self, server);
  EXPECT_EQ(hear(server, caller, "hello"), "hello");
}

TEST_F(SocketKeys, TellAKeyThatIsNotAllowedSo) {
  Party stranger;
  start(stranger, "stranger", "server");
  auto server = bound();
  auto caller = call(stranger, server);
  EXPECT_TRUE(eventually([&] { return !caller.writable() && *caller.trouble() != '\0'; }));
  EXPECT_THAT(caller.trouble(), HasSubstr("does not let this key in"));
  EXPECT_EQ(server_.keyring->allowed->status().denied, 1U);
}

TEST_F(SocketKeys, LetNobodyInAsWhatHeIsNot) {
  Party arm;
  start(arm, "arm", "server");
  auto server = bound(kAdmin);
  auto caller = call(arm, server);
  EXPECT_TRUE(eventually([&] { return !caller.writable() && *caller.trouble() != '\0'; }));
}

TEST_F(SocketKeys, DialAgainUntilTheyAreAllowed) {
  Party stranger;
  start(stranger, "stranger", "server");
  auto server = bound();
  auto caller = call(stranger, server);
  ASSERT_TRUE(eventually([&] { return !caller.writable() && *caller.trouble() != '\0'; }));
  add("stranger", kController);
  EXPECT_TRUE(eventually([&] { return caller.writable(); }));
  EXPECT_EQ(hear(server, caller, "hello"), "hello");
  EXPECT_TRUE(eventually([&] { return caller.writable() && *caller.trouble() == '\0'; }));
}

TEST_F(SocketKeys, DoNotSpeakToAServerWithAnotherKey) {
  Party arm;
  start(arm, "arm", "stranger");
  auto server = bound();
  auto caller = call(arm, server);
  EXPECT_EQ(hear(server, caller, "hello", 300 * kMillisecond), "");
}

TEST_F(SocketKeys, AndPlainSocketsDoNotUnderstandEachOther) {
  Party plain, arm;
  start(plain, "", "");
  start(arm, "arm", "server");
  auto server = bound();
  auto caller = call(plain, server);
  EXPECT_TRUE(eventually([&] { return !caller.writable() && *caller.trouble() != '\0'; }));
  EXPECT_THAT(caller.trouble(), HasSubstr("only to those who have keys"));
  auto open = must(Socket::bind(*plain.context, SocketKind::router, "tcp://127.0.0.1:0"));
  auto other = call(arm, open);
  EXPECT_TRUE(eventually([&] { return !other.writable() && *other.trouble() != '\0'; }));
  EXPECT_THAT(other.trouble(), HasSubstr("speaks without keys"));
}

TEST_F(SocketKeys, DropWhatARevokedKeyGoesOnToSend) {
  Party arm, self;
  start(arm, "arm", "server");
  start(self, "server", "");
  auto server = bound();
  auto caller = call(arm, server), other = call(self, server);
  ASSERT_EQ(hear(server, caller, "before"), "before");
  ASSERT_TRUE(revoke_key(folder_ / "allowed", "arm"));
  ASSERT_TRUE(eventually([&] { return server_.keyring->allowed->status().keys == 0; }));
  // More than are looked at in one go, then one of somebody who may.
  constexpr std::uint64_t kSent = 150;
  Peer from;
  std::span<const std::byte> bytes;
  for (std::uint64_t i = 0; i < kSent; ++i) {
    ASSERT_TRUE(eventually([&] {
      EXPECT_EQ(server.receive(from, bytes).code(), Code::stale);
      return caller.send(std::as_bytes(std::span("after"))).ok();
    }));
  }
  ASSERT_TRUE(eventually([&] {
    EXPECT_EQ(server.receive(from, bytes).code(), Code::stale);
    return server_.keyring->allowed->status().dropped == kSent;
  }));
  EXPECT_EQ(hear(server, other, "ours"), "ours");
}

TEST_F(SocketKeys, LookAtEveryMessageWithoutAllocating) {
  Party arm;
  start(arm, "arm", "server");
  auto server = bound();
  auto caller = call(arm, server);
  ASSERT_EQ(hear(server, caller, "first"), "first");
  const std::uint32_t number =
      *server_.keyring->allowed->admit(keys_.at("arm").key, kController, "");
  const test::MallocGuard guard;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(server_.keyring->allowed->may(number, kController));
  EXPECT_EQ(guard.allocations(), 0U);
}

TEST_F(SocketKeys, TakeMessagesAsLargeAsWithout) {
  Party arm;
  start(arm, "arm", "server");
  auto server = bound(kController, 1000);
  auto caller = call(arm, server);
  const std::string largest(1000, 'x');
  EXPECT_EQ(hear(server, caller, largest), largest);
  EXPECT_EQ(hear(server, caller, largest + "x", 200 * kMillisecond), "");
}

TEST_F(SocketKeys, AreNeededBeyondThisMachine) {
  Context plain;
  for (const char* endpoint : {"tcp://0.0.0.0:5555", "tcp://*:5555", "tcp://[::]:5555",
                               "tcp://robot.example:5555", "tcp://127.0.0.1.example:5555"}) {
    const auto bound = Socket::bind(plain, SocketKind::router, endpoint);
    ASSERT_FALSE(bound) << endpoint;
    EXPECT_THAT(bound.error().message, HasSubstr("cambium keys new"));
    EXPECT_FALSE(Socket::connect(plain, SocketKind::dealer, endpoint)) << endpoint;
  }
  EXPECT_TRUE(Socket::bind(*server_.context, SocketKind::router, "tcp://0.0.0.0:0"));
  EXPECT_TRUE(Socket::bind(plain, SocketKind::router, "tcp://0.0.0.0:0", {.envelope = true}))
      << "whoever speaks another protocol asks for a token";
}

TEST_F(SocketKeys, AreNotAskedForOnThisMachinesFiles) {
  const std::string endpoint = "ipc://" + (folder_ / "socket").string();
  Context plain;
  auto server = must(Socket::bind(*server_.context, SocketKind::router, endpoint));
  auto caller = must(Socket::connect(plain, SocketKind::dealer, endpoint));
  EXPECT_EQ(hear(server, caller, "hello"), "hello");
}

TEST_F(SocketKeys, AreNeverInALog) {
  Party stranger;
  start(stranger, "stranger", "server");
  {
    auto server = bound();
    auto caller = call(stranger, server);
    ASSERT_TRUE(eventually([&] { return !caller.writable() && *caller.trouble() != '\0'; }));
  }
  server_.context.reset();  // its doorkeeper has said all
  EXPECT_THAT(server_.log, HasSubstr(keys_.at("stranger").key.fingerprint()));
  for (const char* name : {"server", "stranger", "arm"}) {
    const std::string text = test::read_bytes(folder_ / (std::string(name) + ".key"));
    const std::string secret = text.substr(text.size() - 41, 40);
    EXPECT_THAT(server_.log + stranger.log, testing::Not(HasSubstr(secret.substr(0, 8))));
  }
}

}  // namespace
}  // namespace cambium::transport
