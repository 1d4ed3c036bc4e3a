#include "bench/fault_book.hpp"

#include <algorithm>

namespace cambium::bench {
namespace {

constexpr base::Nanoseconds kBackWithin = 5 * base::kSecond;
// A robot may miss ticks for this long after a fault of its own, and for as long as it is not
// driven.
constexpr base::Nanoseconds kExcused = base::kSecond;
// What a fault does shows after the chunk in hand at the earliest, and after a hang was noticed and
// a controller was given up at the latest.
constexpr base::Nanoseconds kShowsWithin = 2 * base::kSecond;

}  // namespace

void RobotBook::seen(const Seen& seen) {
  for (const auto& outage : seen.outages) {
    // One that a killed controller left open is gone on with by the next.
    if (!outages_.empty() && outages_.back().end == 0)
      outages_.back().end = outage.end;
    else
      outages_.push_back(outage);
  }
  missed_at_.insert(missed_at_.end(), seen.missed_at.begin(), seen.missed_at.end());
}

void RobotBook::host_missed(base::Nanoseconds from, base::Nanoseconds to, std::uint64_t missed) {
  if (missed != 0) host_missed_.push_back({from, to, missed});
}

base::Nanoseconds RobotBook::driven_after(base::Nanoseconds time) const {
  for (const auto& outage : outages_)
    if (outage.end == 0 || outage.end > time)
      return outage.begin > time + kShowsWithin ? time : outage.end;
  return time;
}

bool RobotBook::healthy(base::Nanoseconds from, base::Nanoseconds to) const {
  return std::none_of(faults_.begin(), faults_.end(), [&](const Fault& fault) {
    if (!fault.own || fault.time > to) return false;
    const base::Nanoseconds driven = driven_after(fault.time);
    return driven == 0 || from < std::max(fault.time + kExcused, driven);
  });
}

RobotBook::Account RobotBook::account(base::Nanoseconds end) {
  std::sort(faults_.begin(), faults_.end(),
            [](const Fault& a, const Fault& b) { return a.time < b.time; });
  Account account;
  for (const auto& span : host_missed_) {
    account.missed += span.missed;
    if (healthy(span.begin, span.end)) account.missed_while_healthy += span.missed;
  }
  for (const auto time : missed_at_) {
    ++account.unanswered;
    account.unanswered_while_healthy += healthy(time, time);
  }
  for (const auto& outage : outages_) {
    const base::Nanoseconds over = outage.end == 0 ? end : outage.end;
    const Fault* cause = nullptr;
    base::Nanoseconds last = outage.begin;  // the last fault that could keep it down
    for (const auto& fault : faults_) {
      if (fault.time <= outage.begin && fault.time > outage.begin - kShowsWithin) cause = &fault;
      if (fault.time <= over) last = std::max(last, fault.time);
    }
    account.lost = account.lost || over - last > kBackWithin;
    if (!cause)
      ++account.unexplained;
    else if (outage.end != 0)
      account.recovery_ms.push_back(static_cast<double>(over - cause->time) * 1e-6);
  }
  return account;
}

}  // namespace cambium::bench
