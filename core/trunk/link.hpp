// core/trunk/link.hpp: a host's end of the socket to the trunk process.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "core/base/clock.hpp"
#include "core/base/sha256.hpp"
#include "core/transport/socket.hpp"

namespace flatbuffers {
class FlatBufferBuilder;
}

namespace cambium::trunk {

/// Who the trunk is, as it says itself.
struct TrunkInfo {
  base::Digest id{};
  std::string architecture, backend;
  std::uint32_t width = 0, blocks = 0, heads = 0, max_tokens = 0;
  std::uint64_t served = 0, resident_kb = 0, weights_kb = 0;
};

/// One robot's tokens on their way; views are borrowed for the call.
struct TokensRequest {
  std::uint64_t request = 0, generation = 0;
  std::uint32_t robot_id = 0;
  base::Digest trunk{};
  std::uint32_t deadline_us = 0;  ///< 0: none
  std::uint8_t pooling = 0;       ///< wire::Pooling
  std::uint32_t pooled = 1;
  std::uint32_t count = 0, width = 0;
  std::span<const float> values;  ///< (count, width)
};

/// The answer; `values` is borrowed until the next receive().
struct FeaturesReply {
  std::uint64_t request = 0, generation = 0;
  std::uint32_t robot_id = 0;
  Code code = Code::ok;
  std::uint32_t count = 0, width = 0;
  std::span<const float> values;  ///< (count, width)
  float queue_us = 0, compute_us = 0;
  std::uint32_t batch = 0;
  std::uint8_t bound = 0;      ///< wire::Bound: which one it ran into if `busy`
  std::uint32_t retry_us = 0;  ///< with `busy`: after this it may fit
};

/// One thread's connection. Survives the trunk: it says hello until it is answered, and again all
/// the time. Requests that were on their way when the trunk went away are answered `unavailable` as
/// soon as there is one again, so that nobody waits out his own clock for what is lost.
class TrunkLink {
 public:
  static Result<TrunkLink> open(transport::Context& context, const std::string& endpoint,
                                std::string client, std::size_t max_message_bytes);
  TrunkLink(TrunkLink&&) noexcept;
  TrunkLink& operator=(TrunkLink&&) noexcept;
  ~TrunkLink();

  transport::Socket& socket() noexcept { return socket_; }

  /// Says hello if it is time to. Call at least every 100 ms. [rt]
  void heartbeat(base::Nanoseconds now) noexcept;
  /// Sends one request; unavailable or busy if it did not go out. [rt]
  Status send(const TokensRequest& request) noexcept;
  /// The next answer, if there is one; handles everything else that the trunk says. [rt]
  bool receive(FeaturesReply& reply, base::Nanoseconds now);

  /// Empty until the trunk has spoken.
  const std::optional<TrunkInfo>& identity() const noexcept { return identity_; }
  /// It spoke within the last second.
  bool alive(base::Nanoseconds now) const noexcept;

 private:
  /// Sent, or to be sent, and not answered.
  struct Asked {
    std::uint64_t request = 0, generation = 0;
    std::uint32_t robot_id = 0;
    bool lost = false;
  };

  TrunkLink(transport::Socket socket, std::string client);
  void remember(const TokensRequest& request, bool lost) noexcept;
  bool take_lost(FeaturesReply& reply) noexcept;

  transport::Socket socket_;
  std::string client_;
  std::unique_ptr<flatbuffers::FlatBufferBuilder> builder_;
  std::optional<TrunkInfo> identity_;
  std::vector<Asked> asked_;  ///< one for each robot; never grows
  bool away_ = true;          ///< nobody is connected, or he has not said who he is
  base::Nanoseconds next_hello_ = 0, last_heard_ = 0;
};

/// The id of the trunk that serves `endpoint`, 64 hex digits; empty if it does not say within
/// `timeout`. [setup]
std::string who_is(transport::Context& context, const std::string& endpoint,
                   base::Nanoseconds timeout);

/// One request and its answer, waiting for both the trunk and the reply up to `timeout`; for set-up
/// code that wants real features. `receive`d values are copied to `values`. [setup]
Result<FeaturesReply> ask_once(transport::Context& context, const std::string& endpoint,
                               const TokensRequest& request, std::span<float> values,
                               base::Nanoseconds timeout);

}  // namespace cambium::trunk
