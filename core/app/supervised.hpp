// core/app/supervised.hpp: what host and trunk do for whoever supervises them: systemd, or
// `cambium up`.
#pragma once

#include <string>

#include "core/base/notify.hpp"

namespace cambium::app {

/// The variable by which `cambium up` tells its children its process id.
inline constexpr const char* kSupervisorVariable = "CAMBIUM_SUPERVISOR";

/// One per process, made before other threads start; after StopSignal.
class Supervised {
 public:
  /// Asks the kernel for a SIGTERM should `cambium up` die. [setup]
  Supervised();

  /// It serves from now on; `text` is shown to people. [setup]
  void ready(const std::string& text) { notifier_.ready(text); }
  void status(const std::string& text) { notifier_.status(text); }
  /// It was told to stop; should it hang while it does, the kernel ends it. [setup]
  void stopping();

  /// True if somebody waits for signs of life.
  bool watched() const noexcept { return notifier_.beat() > 0; }
  /// Says that the process is well if it is time to and `well()` agrees. What is not well stays
  /// silent, and is killed by its supervisor when it has been so for too long. [setup]
  template <class Well>
  void beat(base::Nanoseconds now, Well well) {
    if (!watched() || now < next_) return;
    if (!well()) return;  // looked at again at the next call
    next_ = now + notifier_.beat();
    notifier_.alive();
  }

 private:
  base::Notifier notifier_;
  base::Nanoseconds next_ = 0;
};

}  // namespace cambium::app
