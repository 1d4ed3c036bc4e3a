#include "core/config/endpoint.hpp"

#include <gmock/gmock.h>

namespace cambium::config {
namespace {

std::string accepted(std::string_view text) {
  const auto endpoint = checked_endpoint(text, "/base");
  EXPECT_TRUE(endpoint) << endpoint.error().message;
  return endpoint ? *endpoint : "";
}

std::string refused(std::string_view text) {
  const auto endpoint = checked_endpoint(text, "/base");
  EXPECT_FALSE(endpoint) << *endpoint;
  return endpoint ? "" : endpoint.error().message;
}

TEST(Endpoint, TakesFilesAndLoopback) {
  EXPECT_EQ(accepted("ipc:///run/trunk"), "ipc:///run/trunk");
  EXPECT_EQ(accepted("ipc://run/../trunk"), "ipc:///base/trunk");
  EXPECT_EQ(accepted("tcp://127.0.0.1:80"), "tcp://127.0.0.1:80");
  EXPECT_EQ(accepted("tcp://127.3.2.1:65535"), "tcp://127.3.2.1:65535");
  EXPECT_EQ(accepted("tcp://[::1]:80"), "tcp://[::1]:80");
}

TEST(Endpoint, LetsNoResolverDecideWhoLocalhostIs) {
  EXPECT_EQ(accepted("tcp://localhost:80"), "tcp://127.0.0.1:80");
}

TEST(Endpoint, RefusesWhatOthersCouldReach) {
  for (const char* text :
       {"tcp://0.0.0.0:80", "tcp://*:80", "tcp://192.168.1.2:80", "tcp://eth0:80", "tcp://[::]:80",
        "tcp://127.0.0.1.evil.example:80", "tcp://127.0.0:80", "tcp://127.0.0.256:80",
        "tcp://localhost.example:80", "tcp://10.0.0.1:80;127.0.0.1:80", "tcp://:80", "tcp://::1:80",
        "tcp://127.0.0.1 :80", "tcp://127.0.0.:80"})
    EXPECT_EQ(refused(text), "'" + std::string(text) +
                                 "' is not loopback: what others can reach needs keys; 'cambium "
                                 "keys new NAME' makes them, [security] names them");
}

TEST(Endpoint, TakesOtherAddressesWithKeys) {
  for (const char* text :
       {"tcp://0.0.0.0:80", "tcp://*:80", "tcp://192.168.1.2:80", "tcp://eth0:80", "tcp://[::]:80",
        "tcp://[fe80::1]:80", "tcp://arm-7.lab.example:80"}) {
    const auto endpoint = checked_endpoint(text, "/base", Reach::anywhere);
    ASSERT_TRUE(endpoint) << endpoint.error().message;
    EXPECT_EQ(*endpoint, text);
  }
  EXPECT_EQ(checked_endpoint("tcp://localhost:80", "/base", Reach::anywhere).value(),
            "tcp://127.0.0.1:80");
  for (const char* text : {"tcp://10.0.0.1:80;127.0.0.1:80", "tcp://:80", "tcp://a b:80",
                           "tcp://[]:80", "tcp://[x]:80", "tcp://a/b:80"}) {
    const auto endpoint = checked_endpoint(text, "/base", Reach::anywhere);
    ASSERT_FALSE(endpoint) << text;
    EXPECT_EQ(endpoint.error().message,
              "'" + std::string(text) + "' has no address, expected tcp://ADDRESS:PORT");
  }
}

TEST(Endpoint, RefusesPortsThatAreNone) {
  for (const char* text : {"tcp://127.0.0.1", "tcp://127.0.0.1:", "tcp://127.0.0.1:0",
                           "tcp://127.0.0.1:65536", "tcp://127.0.0.1:*", "tcp://127.0.0.1:-1",
                           "tcp://127.0.0.1:80x", "tcp://127.0.0.1:99999999999999999999"})
    EXPECT_EQ(refused(text), "'" + std::string(text) +
                                 "' has no port from 1 to 65535, expected tcp://127.0.0.1:PORT");
}

TEST(Endpoint, RefusesIpcWithoutAFile) {
  EXPECT_EQ(refused("ipc://"), "'ipc://' names no file, expected ipc://PATH");
  EXPECT_EQ(refused("ipc:///run/"), "'ipc:///run/' names no file, expected ipc://PATH");
  EXPECT_EQ(refused("ipc://@abstract"),
            "'ipc://@abstract' is not a path, expected ipc://PATH of a file");
  EXPECT_EQ(refused("ipc://*"), "'ipc://*' is not a path, expected ipc://PATH of a file");
}

TEST(Endpoint, RefusesPathsLongerThanASocketMayHave) {
  const std::string exact = "/" + std::string(106, 'a');
  EXPECT_EQ(accepted("ipc://" + exact), "ipc://" + exact);
  EXPECT_THAT(refused("ipc://" + exact + "a"), testing::HasSubstr("is a path of 108 bytes"));
}

TEST(Endpoint, RefusesOtherTransports) {
  for (const char* text : {"", "inproc://x", "pgm://x:1", "TCP://127.0.0.1:80", "127.0.0.1:80"})
    EXPECT_EQ(refused(text), "'" + std::string(text) +
                                 "' is no endpoint, expected ipc://PATH or tcp://127.0.0.1:PORT");
}

}  // namespace
}  // namespace cambium::config
