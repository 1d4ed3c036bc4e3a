// core/trunk/replies.hpp: what a trunk says: features, who it is, and why not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "cambium/frame.hpp"
#include "cambium/status.hpp"
#include "core/base/sha256.hpp"
#include "core/transport/verify.hpp"
#include "core/trunk/model.hpp"
#include "core/trunk/request.hpp"
#include "core/trunk/scheduler.hpp"

namespace cambium::trunk {

/// Who a trunk is, beside what its model knows of itself.
struct ServerIdentity {
  base::Digest id{};             ///< SHA-256 of shape and weights
  std::string backend;           ///< "onednn" or "eigen"
  std::uint32_t max_tokens = 0;  ///< of one request
};

/// Writes messages into one buffer that only ever grows.
///
/// Threads    One, the io thread's.
/// Memory     A returned message is borrowed until the next call.
class Replies {
 public:
  /// What a batch cost, told with the features of each of its requests.
  struct Cost {
    base::Nanoseconds queued = 0, computed = 0;
    std::uint32_t batch = 0;  ///< requests in it
  };

  /// Values only if `status` is ok.
  std::span<const std::byte> features(const Request& request, Status status,
                                      const FeaturesView& values, const Cost& cost,
                                      const Busy& busy = {});
  /// A refusal without a sentence, in place of features.
  std::span<const std::byte> refusal(const Request& request, Code code, const Busy& busy = {});
  /// A refusal in a sentence; `request` may be null if the bytes never became one.
  std::span<const std::byte> notice(const Error& error, const Request* request);
  /// To a robot, about no request of it.
  std::span<const std::byte> notice(const Error& error, std::uint32_t robot_id);
  /// ids: of all that are served, one after the other. sessions: that are kept.
  std::span<const std::byte> trunk_info(const ServerIdentity& identity, const ModelInfo& model,
                                        std::uint64_t served, std::span<const std::uint8_t> ids,
                                        std::uint32_t sessions);
  /// The stock that was asked for is served.
  std::span<const std::byte> loaded(std::uint64_t request, const ServerIdentity& identity,
                                    const ModelInfo& model);
  /// It is not.
  std::span<const std::byte> not_loaded(std::uint64_t request, const Error& error);

 private:
  flatbuffers::FlatBufferBuilder builder_;
};

}  // namespace cambium::trunk
