// tests/support/sanitized.hpp: whether this build is run by a sanitizer, which handles signals and
// memory in its own way.
#pragma once

namespace cambium::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace cambium::test
