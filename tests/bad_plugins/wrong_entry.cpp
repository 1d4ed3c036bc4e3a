// One number or text of the entry is wrong; which one, the build says (BAD_MAGIC, BAD_MAJOR, …).
// Its constructor would be noticed if the host ran a line of it before it refused.
#include <cstdlib>

#include "tests/bad_plugins/entry.hpp"

BAD_PLUGIN({cambium::kStemInterface, "token", make_nothing, destroy_nothing})

__attribute__((constructor)) static void run_too_early() {
  setenv("CAMBIUM_TEST_BAD_PLUGIN_RAN", "1", 1);
}
