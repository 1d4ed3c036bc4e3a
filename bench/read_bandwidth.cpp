#include "bench/read_bandwidth.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "bench/pages.hpp"
#include "bench/pinned.hpp"
#include "bench/quantile.hpp"

namespace cambium::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLine = 64;  ///< [B]
using Quarter [[gnu::vector_size(16)]] = std::uint64_t;

/// Added in eight chains, so that no addition waits for another one. Nobody needs the sum, which
/// the compiler must not see.
void read(const std::byte* from, std::size_t lines) noexcept {
  Quarter a{}, b{}, c{}, d{}, e{}, f{}, g{}, h{};
  const auto* q = reinterpret_cast<const Quarter*>(from);  // pages, so aligned
  for (std::size_t i = 0; i + 2 <= lines; i += 2, q += 8) {
    a += q[0], b += q[1], c += q[2], d += q[3];
    e += q[4], f += q[5], g += q[6], h += q[7];
  }
  Quarter sum = a + b + c + d + e + f + g + h;
  asm volatile("" : : "m"(sum));
}

}  // namespace

double read_bandwidth(std::size_t size, std::span<const std::uint32_t> cores) {
  // The first pass brings the buffer where it will stay; below a millisecond the clock's own noise
  // would count, so small buffers are read several times a pass.
  constexpr int kPasses = 9;
  const std::size_t lines = size / kLine / cores.size();
  const std::size_t repeat = std::max<std::size_t>(1, (std::size_t{16} << 20) / size);
  Pages pages(size);
  std::memset(pages.data(), 1, size);
  SpinBarrier barrier(cores.size());
  std::vector<double> seconds;
  on_cores(cores, [&](std::size_t part) {
    for (int pass = -1; pass < kPasses; ++pass) {
      barrier.wait();
      const auto begin = Clock::now();
      for (std::size_t i = 0; i < repeat; ++i) read(pages.data() + part * lines * kLine, lines);
      barrier.wait();
      const std::chrono::duration<double> time = Clock::now() - begin;
      if (part == 0 && pass >= 0) seconds.push_back(time.count());
    }
  });
  return static_cast<double>(lines * kLine * cores.size() * repeat) / quantile(seconds, 0.5);
}

}  // namespace cambium::bench
