// What the three 224 x 224 pictures of one observation cost: to become a sensor's numbers, and to
// be laid where the robot reads them.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "core/base/shared_slot.hpp"
#include "core/gateway/picture.hpp"

namespace {

using cambium::config::Fit;
using cambium::formats::ArrayView;
using cambium::formats::Element;
using cambium::gateway::PictureReader;
using cambium::gateway::PictureShape;

constexpr int kPictures = 3;
constexpr std::uint32_t kSide = 224;
constexpr std::size_t kNumbers = std::size_t{kSide} * kSide * 3;

ArrayView view(const std::vector<std::byte>& bytes, bool colours_first, std::uint64_t rows,
               std::uint64_t columns) {
  ArrayView array;
  array.element = Element::u8;
  array.element_bytes = 1;
  array.rank = 3;
  array.shape = {rows, columns, 3};
  if (colours_first) array.shape = {3, rows, columns};
  array.data = bytes;
  return array;
}

void convert(benchmark::State& state, bool theirs_first, bool ours_first, std::uint32_t rows,
             std::uint32_t columns) {
  cambium::config::SensorMapping how;
  how.fit = rows == kSide ? Fit::exact : Fit::stretch;
  std::vector<std::vector<std::byte>> bytes(
      kPictures, std::vector<std::byte>(std::size_t{rows} * columns * 3, std::byte{99}));
  std::vector<std::vector<float>> out(kPictures, std::vector<float>(kNumbers));
  std::vector<PictureReader> readers(kPictures, PictureReader({kSide, kSide, 3, ours_first}, how));
  for (auto _ : state) {
    for (int i = 0; i < kPictures; ++i) {
      const auto done = readers[i].read(view(bytes[i], theirs_first, rows, columns), out[i]);
      if (!done) state.SkipWithError(done.error().message.c_str());
    }
    benchmark::ClobberMemory();
  }
}
BENCHMARK_CAPTURE(convert, hwc_to_hwc, false, false, kSide, kSide)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(convert, hwc_to_chw, false, true, kSide, kSide)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(convert, chw_to_chw, true, true, kSide, kSide)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(convert, chw_to_hwc, true, false, kSide, kSide)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(convert, hwc_640x480, false, false, 480, 640)->Unit(benchmark::kMicrosecond);

// What Client::set() does with the numbers afterwards.
void lay_down(benchmark::State& state) {
  const std::size_t bytes = cambium::base::slot_bytes(kNumbers);
  std::vector<std::vector<float>> from(kPictures, std::vector<float>(kNumbers, 0.5F));
  std::vector<std::uint64_t> memory(kPictures * bytes / 8 + 8);
  auto* const slots = reinterpret_cast<std::byte*>(memory.data());
  std::uint64_t sequence = 0;
  for (auto _ : state) {
    sequence += 2;
    for (int i = 0; i < kPictures; ++i)
      cambium::base::write_slot(slots + i * bytes, from[i], sequence);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(lay_down)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
