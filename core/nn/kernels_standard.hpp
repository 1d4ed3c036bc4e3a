// core/nn/kernels_standard.hpp: every standard header that Eigen and kernels_impl.hpp use, to be
// included before a kernels_<isa>.cpp switches the target: a std template compiled for AVX-512
// could else be the copy that the linker keeps for the whole program.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <climits>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iosfwd>
#include <limits>
#include <new>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
