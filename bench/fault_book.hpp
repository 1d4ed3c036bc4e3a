// bench/fault_book.hpp: which fault hit whom and when, and what may be put down to it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "bench/controller.hpp"

namespace cambium::bench {

/// A robot in the book: faults that may stop its policy from driving, and all that its controllers
/// saw.
class RobotBook {
 public:
  /// own: it was aimed at this robot alone, which may miss ticks for it; else at what all share.
  void fault(base::Nanoseconds time, bool own) { faults_.push_back({time, own}); }
  /// Of a controller that has ended, in the order in which they drove.
  void seen(const Seen& seen);
  /// The host counted `missed` more in this time.
  void host_missed(base::Nanoseconds from, base::Nanoseconds to, std::uint64_t missed);

  /// When all is over, `end` being the last moment at which anything was seen.
  struct Account {
    std::uint64_t missed = 0, missed_while_healthy = 0;          ///< by the host's count
    std::uint64_t unanswered = 0, unanswered_while_healthy = 0;  ///< by the controllers'
    std::vector<double> recovery_ms;  ///< of each outage, from the last fault before it
    int unexplained = 0;              ///< outages without a fault
    bool lost = false;                ///< not driven again in time
  };
  Account account(base::Nanoseconds end);

 private:
  struct Fault {
    base::Nanoseconds time = 0;
    bool own = false;
  };
  struct Span {
    base::Nanoseconds begin = 0, end = 0;
    std::uint64_t missed = 0;
  };
  bool healthy(base::Nanoseconds from, base::Nanoseconds to) const;
  base::Nanoseconds driven_after(base::Nanoseconds time) const;

  std::vector<Fault> faults_;
  std::vector<Seen::Outage> outages_;
  std::vector<base::Nanoseconds> missed_at_;
  std::vector<Span> host_missed_;
};

}  // namespace cambium::bench
