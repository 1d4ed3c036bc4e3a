// A static local of an inline function is a GNU_UNIQUE symbol when it is neither hidden nor built
// with -fno-gnu-unique.
#include "tests/bad_plugins/entry.hpp"

inline int& shared_by_all_versions() {
  static int count = 0;
  return count;
}

static std::uint32_t count_up(const cambium_host*, void**) {
  return static_cast<std::uint32_t>(++shared_by_all_versions());
}

BAD_PLUGIN({cambium::kStemInterface, "token", count_up, destroy_nothing})
