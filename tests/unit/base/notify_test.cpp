#include "core/base/notify.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/base/file_lock.hpp"
#include "tests/support/temporary.hpp"

namespace cambium::base {
namespace {

// A supervisor's end: bound to a path, or to an abstract name if it begins with '@'.
class Listener {
 public:
  explicit Listener(std::string address)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    if (address[0] == '@') address[0] = '\0';
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, address.data(), address.size());
    EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&name),
                     static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size())),
              0);
  }
  ~Listener() { ::close(socket_); }
  std::string next() const {
    char bytes[1024];
    const auto got = ::recv(socket_, bytes, sizeof bytes, 0);
    return {bytes, got > 0 ? static_cast<std::size_t>(got) : 0};
  }

 private:
  int socket_;
};

TEST(Notifier, SpeaksSystemdsProtocolToPathsAndAbstractNames) {
  const test::TemporaryFolder folder;
  for (const std::string& address :
       {(folder / "notify").string(), "@cambium-test-" + std::to_string(::getpid())}) {
    const Listener listener(address);
    ::setenv("NOTIFY_SOCKET", address.c_str(), 1);
    ::setenv("WATCHDOG_USEC", "3000000", 1);
    Notifier notifier;
    EXPECT_EQ(notifier.beat(), 1500 * kMillisecond);
    notifier.ready("2 robots");
    EXPECT_EQ(listener.next(), "READY=1\nSTATUS=2 robots");
    notifier.status("two\nlines");
    EXPECT_EQ(listener.next(), "STATUS=two lines");
    notifier.alive();
    EXPECT_EQ(listener.next(), "WATCHDOG=1");
    notifier.stopping();
    EXPECT_EQ(listener.next(), "STOPPING=1");
    EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
    EXPECT_EQ(std::getenv("WATCHDOG_USEC"), nullptr);
  }
}

TEST(Notifier, IsSilentWhereNobodyListensOrAnotherIsMeant) {
  Notifier nobody;
  nobody.ready("");
  EXPECT_EQ(nobody.beat(), 0);
  ::setenv("NOTIFY_SOCKET", "@cambium-nobody-is-bound-here", 1);
  ::setenv("WATCHDOG_USEC", "3000000", 1);
  ::setenv("WATCHDOG_PID", "1", 1);
  Notifier other;
  other.alive();
  EXPECT_EQ(other.beat(), 0);
  ::setenv("NOTIFY_SOCKET", "relative", 1);
  ::setenv("WATCHDOG_USEC", "-5", 1);
  EXPECT_EQ(Notifier().beat(), 0);
}

TEST(FileLock, IsHeldByOneAndLeavesNothing) {
  const test::TemporaryFolder folder;
  const auto file = folder / "lock";
  {
    auto first = FileLock::take(file);
    ASSERT_TRUE(first);
    const auto second = FileLock::take(file);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::busy);
    const FileLock moved = std::move(*first);
    EXPECT_FALSE(FileLock::take(file));
  }
  EXPECT_FALSE(std::filesystem::exists(file));
  test::write_bytes(file, "left by a process that died");
  EXPECT_TRUE(FileLock::take(file));
}

}  // namespace
}  // namespace cambium::base
