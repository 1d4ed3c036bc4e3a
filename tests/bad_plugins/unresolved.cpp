// Calls what nobody defines; linked with the check for it switched off.
#include "tests/bad_plugins/entry.hpp"

extern "C" int cambium_test_nobody_defines_this();

static std::uint32_t call_it(const cambium_host*, void**) {
  return static_cast<std::uint32_t>(cambium_test_nobody_defines_this());
}

BAD_PLUGIN({cambium::kStemInterface, "token", call_it, destroy_nothing})
