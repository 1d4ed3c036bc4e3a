// core/check/child.hpp: one check in a process of its own: this program again, with a time limit.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/check/check.hpp"

namespace cambium::check {

/// Where the child writes its report: lines of "@what it tries", then "=VERDICT message".
inline constexpr int kReportDescriptor = 3;

/// The child's side: limits itself, runs the check, reports, and ends the process without running
/// static destructors (a plugin's would be a check of its own). [setup]
[[noreturn]] void run_as_child(const Check& check, const Subject& subject,
                               Context::Options options);

/// The parent's side. Killed with all that it started, by the destructor at the latest.
class Child {
 public:
  /// arguments  of this program, without its name
  static Result<Child> start(std::vector<std::string> arguments, base::Nanoseconds limit);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  /// What to wait for. [setup]
  void add_to(std::vector<pollfd>& list) const;
  base::Nanoseconds deadline() const noexcept { return deadline_; }
  double seconds() const noexcept;
  /// Reads what has come; true when it has ended or was ended at its deadline. [setup]
  bool done(base::Nanoseconds now);
  /// Once it is done.
  Finding finding() const;

 private:
  Child() = default;
  void swap(Child& other) noexcept;
  void read_all();
  void kill_group() noexcept;

  struct Pipe {
    int descriptor = -1;
    std::string text;
  };
  pid_t pid_ = -1;
  int process_ = -1;  // readable when it has ended
  int status_ = 0;
  bool timed_out_ = false;
  base::Nanoseconds start_ = 0, deadline_ = 0, end_ = 0;
  Pipe report_, error_;
};

}  // namespace cambium::check
