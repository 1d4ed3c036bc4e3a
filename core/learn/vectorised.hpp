// core/learn/vectorised.hpp: one function, compiled for several instruction sets and chosen at
// start.
#pragma once

// Not under sanitizers: the chooser runs before their runtime is ready.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CAMBIUM_VECTORISED \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CAMBIUM_VECTORISED
#endif
// Inlined into each of its callers' versions.
#define CAMBIUM_INLINE inline __attribute__((always_inline))
