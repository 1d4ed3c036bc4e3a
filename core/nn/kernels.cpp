#include "core/nn/kernels.hpp"

namespace cambium::nn {

namespace base {
extern const Kernels kKernels;
}
#ifdef CAMBIUM_KERNELS_X86
namespace avx2 {
extern const Kernels kKernels;
}
namespace avx512 {
extern const Kernels kKernels;
}
#endif

namespace {

struct Runnable {
  const Kernels* sets[4] = {&base::kKernels};  // null-terminated
  const Kernels* best = &base::kKernels;

  Runnable() noexcept {
#ifdef CAMBIUM_KERNELS_X86
    __builtin_cpu_init();
    int count = 1;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
      best = sets[count++] = &avx2::kKernels;
    }
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
      best = sets[count++] = &avx512::kKernels;
    }
#endif
  }
};

const Runnable& runnable() noexcept {
  static const Runnable found;
  return found;
}

}  // namespace

const Kernels& kernels() noexcept {
  return *runnable().best;
}

const Kernels* const* all_kernels() noexcept {
  return runnable().sets;
}

}  // namespace cambium::nn
