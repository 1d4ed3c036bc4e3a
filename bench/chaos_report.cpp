#include "bench/chaos_report.hpp"

#include <fmt/format.h>

#include "bench/table.hpp"

namespace cambium::bench {

nlohmann::json json_of(const ChaosReport& r) {
  return {{"robots", r.robots},
          {"isolated", r.isolated},
          {"seconds", r.seconds},
          {"seed", r.seed},
          {"faults", r.faults},
          {"missed_on_healthy_robots", r.missed_while_healthy},
          {"robots_lost", r.robots_lost},
          {"out_of_limit_actions", r.out_of_limit_actions},
          {"recovery_ms_p50", r.recovery_ms_p50},
          {"recovery_ms_p99", r.recovery_ms_p99},
          {"recovery_ms_max", r.recovery_ms_max},
          {"recoveries", r.recoveries},
          {"unexplained_outages", r.unexplained_outages},
          {"ticks", r.ticks},
          {"policy_ticks", r.policy_ticks},
          {"missed", r.missed},
          {"late_at_controllers", r.unanswered},
          {"late_at_controllers_of_healthy_robots", r.unanswered_while_healthy},
          {"swap_ends", r.swap_ends},
          {"first_out_of_limit", r.first_fault},
          {"realtime", r.realtime},
          {"load", r.load}};
}

std::string text_of(const ChaosReport& r) {
  std::string text = fmt::format("{} robots, {} of them isolated, {:g} s, seed {}; load {:.1f}{}\n",
                                 r.robots, r.isolated, r.seconds, r.seed, r.load,
                                 r.realtime ? "" : "; no real-time priority");
  int faults = 0;
  for (const auto& [kind, n] : r.faults) faults += n;
  text += row("faults", std::to_string(faults));
  for (const auto& [kind, n] : r.faults) text += row("  " + kind, std::to_string(n));
  text += row("missed ticks on healthy robots", std::to_string(r.missed_while_healthy), "0",
              r.missed_while_healthy == 0);
  text += row("late at their controllers", std::to_string(r.unanswered_while_healthy));
  text += row("  of ticks", std::to_string(r.ticks));
  text += row("robots lost", std::to_string(r.robots_lost), "0", r.robots_lost == 0);
  text += row("actions beyond a limit", std::to_string(r.out_of_limit_actions), "0",
              r.out_of_limit_actions == 0);
  if (!r.first_fault.empty()) text += "  first: " + r.first_fault + "\n";
  text += row("times a policy stopped driving", std::to_string(r.recoveries));
  text += row("  without a fault", std::to_string(r.unexplained_outages));
  text += row("back again after, p50 [ms]", fmt::format("{:.0f}", r.recovery_ms_p50));
  text += row("back again after, p99 [ms]", fmt::format("{:.0f}", r.recovery_ms_p99), "<= 5000",
              r.recovery_ms_p99 <= 5000);
  text += "bad plugins and bundles:\n";
  for (const auto& [end, n] : r.swap_ends) text += row("  " + end, std::to_string(n));
  return text;
}

}  // namespace cambium::bench
