// tests/support/malloc_guard.hpp: the guard of core/check by the name that tests know.
#pragma once

#include "core/check/malloc_guard.hpp"

namespace cambium::test {

using check::MallocGuard;

}  // namespace cambium::test
