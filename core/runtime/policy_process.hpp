// core/runtime/policy_process.hpp: the process that runs one robot's stems and head: started,
// watched and ended by the host.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include "cambium/result.hpp"
#include "core/base/clock.hpp"
#include "core/base/descriptor.hpp"
#include "core/runtime/policy_channel.hpp"
#include "core/runtime/policy_child.hpp"
#include "core/runtime/policy_report.hpp"

namespace cambium::runtime {

struct PolicyProcessOptions {
  std::filesystem::path program;  ///< the `cambium` to run; a host passes its own
  PolicySource source;            ///< `run_dir`: a folder inside it is used, and removed again
  int wake = -1;  ///< eventfd of the robot's worker (Waker::descriptor()), written at each answer
                  ///< and when the process has ended; borrowed for start(). Negative: nobody waits
  base::Nanoseconds answer_within = 200 * base::kMillisecond;  ///< else it is stuck
  base::Nanoseconds load_within = 5 * base::kSecond;           ///< from start to report
  std::uint64_t max_floats = std::uint64_t{1} << 24;  ///< tokens, features or chunk of the policy
};

/// A child process that has a robot's plugin open, which this process never has.
///
/// Threads    The robot's worker uses channel() and lost(). One other thread at a time, the keeper,
///            watches: descriptor(), ended(), obituary(), stuck(), kill().
/// Lifetime   The destructor ends and reaps the child; when the host dies, the child ends itself.
class PolicyProcess {
 public:
  /// Starts the child and waits for its report. What it could not load is the error that a host
  /// would give that loads the plugin itself; a child that died, said nothing in time or said
  /// nonsense is `failed` or `bad_data`, with a sentence. Safe beside other threads, whatever
  /// their priority and memory locks: the child has neither. [setup]
  static Result<std::unique_ptr<PolicyProcess>> start(const PolicyProcessOptions& options);
  /// At most 100 ms for the child to go by itself. [setup]
  ~PolicyProcess();
  PolicyProcess(const PolicyProcess&) = delete;
  PolicyProcess& operator=(const PolicyProcess&) = delete;

  const PolicyReport& report() const noexcept { return report_; }
  pid_t pid() const noexcept { return pid_; }
  /// Null if the report has no policy: then the child has ended already. [any]
  HostEnd* channel() const noexcept { return channel_.get(); }
  /// Whether the child is known to have ended; the channel is silent for ever. [any, rt]
  bool lost() const noexcept { return lost_.load(std::memory_order_acquire); }

  /// For polling: readable when the child has ended. [setup]
  int descriptor() const noexcept { return pidfd_.get(); }
  /// Looks, never waits. When it has ended, reaps it, sets lost() and wakes the worker. [setup]
  bool ended();
  /// How it ended: "killed by signal 11 (SIGSEGV)", "exit code 3", "threw std::bad_alloc: memory
  /// limit 64 MB", "ended by the host: no answer for 200 ms"; empty before ended(). [setup]
  const std::string& obituary() const noexcept { return obituary_; }
  /// Whether a job has been waiting for longer than `answer_within`. [any, rt]
  bool stuck(base::Nanoseconds now) const noexcept;
  /// Ends the child at once; ended() tells when it has. [setup]
  void kill();

 private:
  PolicyProcess() = default;
  Result<void> spawn(const PolicyProcessOptions& options, const std::filesystem::path& scratch);
  Result<void> hear(const PolicyProcessOptions& options);
  Result<void> open_channel(const PolicyProcessOptions& options);
  void wait(base::Nanoseconds patience);
  void reap(int code, int status);

  pid_t pid_ = -1;
  base::Descriptor pidfd_, memory_, job_, wake_;
  base::Descriptor reports_;    // read end
  base::Descriptor life_line_;  // write end; nothing is ever written
  base::Nanoseconds answer_within_ = 0;
  PolicyReport report_;
  std::unique_ptr<HostEnd> channel_;
  std::atomic<bool> lost_{false};
  bool ended_ = false;
  std::string killed_because_, obituary_;
};

}  // namespace cambium::runtime
