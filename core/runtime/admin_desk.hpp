// core/runtime/admin_desk.hpp: answers the command line of a running host, on threads of its own.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cambium/result.hpp"
#include "core/base/waker.hpp"
#include "core/runtime/host.hpp"
#include "core/transport/socket.hpp"

namespace cambium::runtime {

/// What the command line asks; empty fields are not given. As AdminRequest on the wire.
struct AdminCall {
  std::string verb;  ///< status, add, remove, swap, reload, rollback, swaps, trunk-swap,
                     ///< record, record-take, record-stop
  std::string robot, embodiment, plugin, stem_plugin, head_plugin, head, bundle;
  std::optional<std::uint32_t> shadow, probation;  ///< [ticks]
  std::optional<double> shadow_bound;
  bool dry_run = false, no_wait = false, isolate = false, fresh = false;
  std::string session;               ///< of add; empty: the robot's name
  std::string stock;                 ///< of trunk-swap, as what follows
  std::vector<std::string> bundles;  ///< "ROBOT=FILE"
  double keep_old_s = 0;
  std::uint64_t ticket = 0;  ///< of record-take and record-stop
};

/// `text` is one sentence for people, `json` one object for programs.
struct AdminAnswer {
  Code code = Code::ok;
  std::string text, json;
  std::vector<float> rows = {};           ///< of record-take: as TakenRows
  std::vector<std::uint8_t> begins = {};  ///< one a row
};

/// Serves the admin endpoint. `status` and the rows of a recording are answered at once by the
/// desk's own thread, which shares nothing with a tick; what takes longer is done by a few threads
/// beside it, so that a swap of one robot does not keep another waiting.
class AdminDesk {
 public:
  /// What others in the process add to the answer to `status`: called on the desk's own thread,
  /// must not wait.
  using AddStatus = std::function<void(nlohmann::json& status)>;

  /// `host`, and what `add` borrows, must outlive the desk. [setup]
  static Result<std::unique_ptr<AdminDesk>> start(Host& host, AddStatus add = {});
  /// Before the host's end: a change that is under way is hurried (Host::hurry()), one that has not
  /// begun is not made. Answers are sent, but not waited for. [setup]
  ~AdminDesk();

  /// Where it listens, with the port that was chosen. [any]
  const std::string& endpoint() const noexcept { return endpoint_; }

 private:
  struct Job {
    transport::Peer peer;
    AdminCall call;
    AdminAnswer answer;
  };

  AdminDesk(Host& host, AddStatus add) : host_(host), add_status_(std::move(add)) {}
  void serve(transport::Socket socket);
  void work();
  AdminAnswer change(const AdminCall& call);
  AdminAnswer swap_trunk(const AdminCall& call);

  Host& host_;
  std::string endpoint_;
  const AddStatus add_status_;
  base::Waker waker_;
  std::mutex mutex_;  // guards the five below
  std::condition_variable work_there_;
  std::deque<Job> jobs_, done_;
  bool stopping_ = false, closing_ = false;  // no new changes; no answers any more
  std::vector<std::thread> workers_;
  std::thread server_;
};

/// Asks a running host and waits for its answer. unavailable if nobody answers in time, or it does
/// not let us in. keyring: null, or whose server is the host. [setup]
Result<AdminAnswer> ask_admin(const std::string& endpoint, const AdminCall& call,
                              base::Nanoseconds timeout, transport::Keyring* keyring = nullptr);

}  // namespace cambium::runtime
