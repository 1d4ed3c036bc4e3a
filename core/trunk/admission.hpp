// core/trunk/admission.hpp: which requests a trunk takes: those that verify, fit its weights and
// its bounds.
#pragma once

#include <cstdint>

#include "cambium/result.hpp"
#include "core/base/clock.hpp"
#include "core/base/sha256.hpp"
#include "core/trunk/request.hpp"

namespace cambium::wire {
struct Tokens;
}

namespace cambium::trunk {

/// What every request is held against.
struct Admission {
  base::Digest id{};  ///< of this trunk
  std::uint32_t width = 0;
  std::uint32_t max_tokens = 0;

  /// Checks `tokens` (already verified as a FlatBuffer) and copies them into `request`. The numbers
  /// that are echoed are copied even if the tokens are refused. incompatible: made for another
  /// trunk, width or bound; bad_data: sizes that contradict each other; not_finite. The sentence
  /// names both sides. [io]
  Result<void> admit(const wire::Tokens& tokens, base::Nanoseconds now, Request& request) const;
};

}  // namespace cambium::trunk
