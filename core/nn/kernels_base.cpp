// For every processor: what the compiler's default target has (SSE2 or NEON).
#include "core/nn/kernels_standard.hpp"
#define Eigen Eigen_base
#define CAMBIUM_ISA base
#define CAMBIUM_LANES 4
#include "core/nn/kernels_impl.hpp"
