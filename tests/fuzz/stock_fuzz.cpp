// A stock, and the model that is made of it.
#include "core/nn/stock.hpp"
#include "core/trunk/model.hpp"
#include "tests/fuzz/memory_file.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cambium;
  static fuzz::MemoryFile file;
  const auto stock = nn::Stock::open(file.hold(data, size));
  fuzz::says_why(stock);
  if (!stock) return 0;
  fuzz::promise(stock->trunk_id().size() == 64, "a stock has an id");
  for (const auto& stem : stock->shared_stems()) {
    fuzz::promise(stock->find_stem(stem.sensor) == &stem, "a shared stem is found by its sensor");
    (void)stock->stem_weights(stem.sensor);
    fuzz::promise(stem.shape.empty() == stem.each_number(),
                  "a stem knows its tokens or makes one each");
  }
  (void)stock->shared_head_weights();
  fuzz::says_why(trunk::load_model(stock->file(), {.backend = nn::Backend::eigen, .max_rows = 64}));
  return 0;
}
