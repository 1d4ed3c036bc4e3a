// A bundle.
#include "core/nn/bundle.hpp"
#include "tests/fuzz/memory_file.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cambium;
  static fuzz::MemoryFile file;
  const auto bundle = nn::Bundle::open(file.hold(data, size));
  fuzz::says_why(bundle);
  if (!bundle) return 0;
  for (const auto& entry : bundle->spec().layout) {
    std::uint64_t product = 1;
    for (const auto extent : entry.shape) product *= extent;
    fuzz::promise(entry.size() == product, "the size of an observation fits its type");
    (void)bundle->stem_weights(entry.sensor);
  }
  (void)bundle->head_weights();
  (void)bundle->spec().features();
  return 0;
}
