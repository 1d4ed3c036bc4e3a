// core/trunk/server.hpp: the trunk process: a model behind one socket, for many hosts; two while
// they change over.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "core/base/clock.hpp"
#include "core/trunk/batch.hpp"
#include "core/trunk/model.hpp"
#include "core/trunk/opened_stock.hpp"
#include "core/trunk/replies.hpp"
#include "core/trunk/tally.hpp"

namespace cambium::transport {
struct Trust;
}

namespace cambium::trunk {

struct ServerOptions {
  std::string endpoint;                    ///< "ipc://…" or tcp
  std::uint32_t queue = 64;                ///< requests that may wait
  std::uint32_t max_batch = 16;            ///< robots in one forward pass
  std::uint32_t max_tokens = 256;          ///< of one request
  std::optional<std::uint32_t> core = {};  ///< that the compute thread stays on
  /// Makes the model of a stock that a host asks for; empty: there is only the first one.
  OpenStock open = {};
  std::uint32_t max_width = 2048;  ///< of a model that is loaded so
  base::Nanoseconds lease =
      5 * base::kSecond;  ///< of two models, one that nobody needs leaves after it
  std::uint64_t session_memory = std::uint64_t{256} << 20;  ///< [B] of the sessions of each model
  base::Nanoseconds session_lease =
      2 * base::kSecond;                   ///< a name is its robot's so long; see Sessions
  std::filesystem::path session_dir = {};  ///< where sessions outlive this process; empty: nowhere
  base::Nanoseconds snapshot_period = base::kSecond;  ///< of a session, there
  /// Told, on the io thread, when a model came or left, and what is wrong with session_dir. [io]
  std::function<void(const std::string&)> log = {};
  transport::Trust* trust = nullptr;  ///< borrowed for the server's life; null: no keys

  /// Rows of the largest batch; the model's ModelOptions::max_rows has to be at least this.
  std::uint32_t max_rows() const noexcept;
};

/// Counts since the start.
struct ServerStats {
  std::uint64_t served = 0;      ///< requests answered with features
  std::uint64_t batches = 0;     ///< forward passes
  std::uint64_t busy = 0;        ///< refused by a bound of the queue, or as too late to be in time
  std::uint64_t expired = 0;     ///< dropped because their deadline had passed
  std::uint64_t refused = 0;     ///< did not verify or did not fit
  std::uint64_t queue_high = 0;  ///< most that ever waited
  std::uint64_t sessions_made = 0, sessions_evicted = 0;
  std::uint64_t sessions_refused = 0;  ///< requests, of `refused`, for what they said of a session
  std::uint64_t snapshots = 0, snapshots_failed = 0;  ///< files of session_dir
  double queue_p50_us = 0, queue_p99_us = 0;
  double compute_p50_us = 0, compute_p99_us = 0;
};

/// Serves from start() until stop().
///
/// An io thread owns the socket, admits requests and decides what is computed next; a compute
/// thread runs the model and nothing else; only a pass for one robot that was seen to be quicker
/// than a wake of that thread runs on the io thread. One batch goes to and fro between them, while
/// a second one is being answered. When the model is idle, whatever is there runs at once: nothing
/// waits for company. A second model is loaded beside the first on a thread of its own; each
/// request runs on the one whose id it names, and only one of them computes at a time.
class TrunkServer {
 public:
  /// Returns when the endpoint is bound, or says why it is not, why sessions do not fit, or who
  /// else has session_dir. [setup]
  static Result<TrunkServer> start(ServerOptions options, ServerIdentity identity,
                                   std::unique_ptr<TrunkModel> model);
  TrunkServer(TrunkServer&&) noexcept;
  TrunkServer& operator=(TrunkServer&&) noexcept;
  ~TrunkServer();

  /// Finishes the forward pass that runs, writes sessions to session_dir, closes the socket and
  /// removes its file. Requests that still wait are not answered. Does nothing the second time.
  /// [setup]
  void stop();
  /// [any]
  ServerStats stats() const;
  /// The robots that asked last, each with its own counts; after stop(). [setup]
  std::vector<RobotCounts> robots() const;
  const std::string& endpoint() const noexcept;

 private:
  class Impl;
  explicit TrunkServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cambium::trunk
