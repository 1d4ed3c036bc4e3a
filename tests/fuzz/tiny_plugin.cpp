// The smallest library that a host would take for a plugin: a seed. Nobody opens it.
#include "abi/plugin.hpp"

namespace {
std::uint32_t make_nothing(const cambium_host*, void**) {
  return 1;
}
void destroy_nothing(void*) {}
}  // namespace

CAMBIUM_PLUGIN("tiny", "1.0.0", {cambium::kHeadInterface, "none", make_nothing, destroy_nothing})
