// For x86-64-v3 processors.
#include "core/nn/kernels_standard.hpp"
#pragma GCC target("avx2,fma")
#define Eigen Eigen_avx2
#define CAMBIUM_ISA avx2
#define CAMBIUM_LANES 8
#include "core/nn/kernels_impl.hpp"
