// core/trunk/link.hpp: a host's end of the socket to the trunk process.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"
#include "core/base/clock.hpp"
#include "core/base/sha256.hpp"
#include "core/transport/socket.hpp"
#include "core/trunk/recall.hpp"

namespace flatbuffers {
class FlatBufferBuilder;
}

namespace cambium::wire {
struct Notice;
struct TrunkInfo;
struct TrunkLoadReply;
}  // namespace cambium::wire

namespace cambium::trunk {

/// Who the trunk is, as it says itself.
struct TrunkInfo {
  base::Digest id{};
  std::string architecture, backend;
  std::uint32_t width = 0, blocks = 0, heads = 0, max_tokens = 0;
  std::uint64_t served = 0, resident_kb = 0, weights_kb = 0;
  std::vector<base::Digest> ids;    ///< all that are served; `id` is the first
  std::uint64_t session_bytes = 0;  ///< [B] 0: it remembers nothing

  bool serves(const base::Digest& wanted) const noexcept {
    return std::find(ids.begin(), ids.end(), wanted) != ids.end();
  }
};

/// What became of an order to load a stock.
struct LoadReply {
  std::uint64_t request = 0;
  Code code = Code::ok;
  std::string text;  ///< why not
  base::Digest id{};
  std::string architecture, chosen;  ///< chosen: what computes it, in words
  std::uint32_t width = 0, blocks = 0, heads = 0;
  std::uint64_t weights_kb = 0;
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
  // What a trunk that remembers is to remember by; as in tokens.fbs.
  std::string_view session;  ///< empty: an empty memory for this request alone
  std::uint64_t owner = 0, episode = 0;
  std::int64_t time_ns = 0;
  bool peek = false;
};

/// A sentence of the trunk to a robot: why it refused a request, or that the robot's memory had to
/// leave.
struct TrunkNotice {
  Code code = Code::ok;
  std::uint32_t robot_id = 0;
  std::uint64_t request = 0;     ///< that was refused; 0: it is about none
  std::array<char, 512> text{};  ///< ends with a zero; a longer one is cut
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
  Recall recall = Recall::none;
  std::uint64_t steps = 0;  ///< requests that the memory holds, with this one
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
  /// Ids that every hello names from now on: the trunk keeps what somebody needs. [setup]
  void need(std::vector<base::Digest> ids) { needed_ = std::move(ids); }
  /// Asks for a stock to be served; id null: whatever the file is. unavailable or busy if it did
  /// not go out; the answer is load_reply(). [setup]
  Status order(std::uint64_t request, const std::filesystem::path& stock, const base::Digest* id);
  /// The last answer to an order, once. [setup]
  std::optional<LoadReply> load_reply() { return std::exchange(load_reply_, std::nullopt); }
  /// The next answer, if there is one; handles everything else that the trunk says. [rt]
  bool receive(FeaturesReply& reply, base::Nanoseconds now);

  /// The next sentence of the trunk, once. A few wait; who does not look loses what comes beyond.
  /// [rt]
  std::optional<TrunkNotice> notice() noexcept;

  /// Empty until the trunk has spoken.
  const std::optional<TrunkInfo>& identity() const noexcept { return identity_; }
  /// As Socket::trouble().
  const char* trouble() const noexcept { return socket_.trouble(); }
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
  void on_info(const wire::TrunkInfo& info, base::Nanoseconds now);
  void on_notice(const wire::Notice& notice) noexcept;
  void on_load_reply(const wire::TrunkLoadReply& reply);
  void remember(const TokensRequest& request, bool lost) noexcept;
  bool take_lost(FeaturesReply& reply) noexcept;

  transport::Socket socket_;
  std::string client_;
  std::unique_ptr<flatbuffers::FlatBufferBuilder> builder_;
  std::optional<TrunkInfo> identity_;
  std::vector<base::Digest> needed_;
  std::optional<LoadReply> load_reply_;
  std::vector<TrunkNotice> notices_;  ///< never grows
  std::vector<Asked> asked_;          ///< one for each robot; never grows
  bool away_ = true;                  ///< nobody is connected, or he has not said who he is
  base::Nanoseconds next_hello_ = 0, last_heard_ = 0;
};

/// The trunk that serves `endpoint`; nothing if it does not say within `timeout`. [setup]
std::optional<TrunkInfo> who_is(transport::Context& context, const std::string& endpoint,
                                base::Nanoseconds timeout);

/// Has a stock served and waits until it is; the sentence of an error is the trunk's own. id null:
/// whatever the file is. unavailable: there is no trunk, or it went away meanwhile, or `give_up`
/// said so. [setup]
Result<LoadReply> load_stock(transport::Context& context, const std::string& endpoint,
                             const std::filesystem::path& stock, const base::Digest* id,
                             base::Nanoseconds timeout, const std::function<bool()>& give_up);

/// One request and its answer, waiting for both the trunk and the reply up to `timeout`; for set-up
/// code that wants real features. `receive`d values are copied to `values`. [setup]
Result<FeaturesReply> ask_once(transport::Context& context, const std::string& endpoint,
                               const TokensRequest& request, std::span<float> values,
                               base::Nanoseconds timeout);

}  // namespace cambium::trunk
