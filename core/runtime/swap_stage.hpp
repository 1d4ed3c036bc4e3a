// core/runtime/swap_stage.hpp: the stages of a swap and what follows what; the whole machine.
#pragma once

#include <cstdint>

namespace cambium::runtime {

/// What a swap goes through, in ticks of its robot. [any]
struct SwapPlan {
  std::uint32_t shadow = 0;     ///< beside the old generation; 0: none
  std::uint32_t probation = 0;  ///< in its place, with the old one at hand; 0: none
  bool dry_run = false;         ///< ends before anything moves
  bool together = false;        ///< with others: those without a probation wait for those with one
};

enum class SwapStage : std::uint8_t {
  prepare,    ///< copy, inspect, load, create, check against spec and trunk, warm up
  shadow,     ///< both run, only the old one acts, the difference is measured
  commit,     ///< one message to the robot
  probation,  ///< the new one acts, the old one waits for its first fault
  rollback,   ///< the old one acts again; controllers are told whose body it is
  retire,     ///< the generation that does not act is put away
  // The ends.
  swapped,      ///< the new generation acts
  refused,      ///< nothing has moved
  rolled_back,  ///< it acted, failed, and the old one acts again
  rehearsed,    ///< a dry run that would have been committed
};

constexpr bool is_end(SwapStage stage) noexcept {
  return stage >= SwapStage::swapped;
}

/// The stage after `stage`, which went well or did not. An end follows itself. Rollback and retire
/// cannot fail: what they need was made before the commit.
constexpr SwapStage next(SwapStage stage, bool well, const SwapPlan& plan) noexcept {
  switch (stage) {
    case SwapStage::prepare:
      if (!well) return SwapStage::refused;
      if (plan.shadow != 0) return SwapStage::shadow;
      return plan.dry_run ? SwapStage::rehearsed : SwapStage::commit;
    case SwapStage::shadow:
      if (!well) return SwapStage::refused;
      return plan.dry_run ? SwapStage::rehearsed : SwapStage::commit;
    case SwapStage::commit:
      return plan.probation != 0 || plan.together ? SwapStage::probation : SwapStage::retire;
    case SwapStage::probation:
      return well ? SwapStage::retire : SwapStage::rollback;
    case SwapStage::rollback:
      return SwapStage::rolled_back;
    case SwapStage::retire:
      return SwapStage::swapped;
    case SwapStage::swapped:
    case SwapStage::refused:
    case SwapStage::rolled_back:
    case SwapStage::rehearsed:
      break;
  }
  return stage;
}

/// The word for a stage, for people, logs and JSON.
constexpr const char* to_string(SwapStage stage) noexcept {
  switch (stage) {
    case SwapStage::prepare:
      return "prepare";
    case SwapStage::shadow:
      return "shadow";
    case SwapStage::commit:
      return "commit";
    case SwapStage::probation:
      return "probation";
    case SwapStage::rollback:
      return "rollback";
    case SwapStage::retire:
      return "retire";
    case SwapStage::swapped:
      return "swapped";
    case SwapStage::refused:
      return "refused";
    case SwapStage::rolled_back:
      return "rolled back";
    case SwapStage::rehearsed:
      return "rehearsed";
  }
  return "unknown";
}

}  // namespace cambium::runtime
