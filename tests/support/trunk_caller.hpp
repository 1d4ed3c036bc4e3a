// tests/support/trunk_caller.hpp: a host's end of the trunk's socket, as tests need it.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/transport/socket.hpp"
#include "core/transport/verify.hpp"
#include "wire/features_generated.h"
#include "wire/hello_generated.h"
#include "wire/notice_generated.h"
#include "wire/trunk_info_generated.h"

namespace cambium::test {

/// Sends bytes and hands out the answers in their order. Waits by polling, at most ten seconds.
class TrunkCaller {
 public:
  explicit TrunkCaller(const std::string& endpoint)
      : socket_(transport::Socket::connect(context_, transport::SocketKind::dealer, endpoint,
                                           {1 << 20, 10'000})
                    .value()) {
    poller_.add(socket_);
  }

  template <class Bytes>
  void send(const Bytes& bytes) {
    const auto end = base::monotonic_ns() + 10 * base::kSecond;
    // Nothing is queued before the connection stands.
    while (!socket_.send(std::as_bytes(std::span(bytes))).ok()) {
      ASSERT_LT(base::monotonic_ns(), end) << "nobody listens";
      poller_.wait(base::kMillisecond);
    }
  }
  void send_hello(std::uint32_t protocol = 1) {
    flatbuffers::FlatBufferBuilder builder;
    wire::FinishHelloBuffer(builder, wire::CreateHelloDirect(builder, protocol, "test"));
    send(std::vector<std::uint8_t>(builder.GetBufferPointer(),
                                   builder.GetBufferPointer() + builder.GetSize()));
  }

  /// The next message of any kind; false if none came in time.
  bool receive(base::Nanoseconds patience = 10 * base::kSecond) {
    const auto end = base::monotonic_ns() + patience;
    transport::Peer nobody;
    while (!socket_.receive(nobody, bytes_).ok()) {
      if (base::monotonic_ns() > end) return false;
      poller_.wait(10 * base::kMillisecond);
    }
    return true;
  }
  /// The message that was received last, or null if it is of another kind.
  const wire::Features* features() const { return as<wire::Features>(wire::FeaturesIdentifier()); }
  const wire::Notice* notice() const { return as<wire::Notice>(wire::NoticeIdentifier()); }
  const wire::TrunkInfo* trunk_info() const {
    return as<wire::TrunkInfo>(wire::TrunkInfoIdentifier());
  }

  /// Features of the next message, which must be that; never null.
  const wire::Features* receive_features() {
    if (!receive() || features() == nullptr) throw std::runtime_error("no Features came");
    return features();
  }
  /// Returns when the trunk has read everything that was sent before.
  void settle() {
    send_hello();
    if (!receive() || trunk_info() == nullptr) throw std::runtime_error("no TrunkInfo came");
  }

 private:
  template <class Table>
  const Table* as(const char* identifier) const {
    return transport::verify<Table>(bytes_, identifier);
  }

  transport::Context context_;
  transport::Socket socket_;
  transport::Poller poller_;
  std::span<const std::byte> bytes_;
};

inline std::vector<float> values(const wire::Features& features) {
  if (features.values() == nullptr) return {};  // a refusal
  return {features.values()->begin(), features.values()->end()};
}

}  // namespace cambium::test
