// For x86-64-v4 processors.
#include "core/nn/kernels_standard.hpp"
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,prefer-vector-width=512")
#define Eigen Eigen_avx512
#define CAMBIUM_ISA avx512
#define CAMBIUM_LANES 16
#include "core/nn/kernels_impl.hpp"
