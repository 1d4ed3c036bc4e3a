// A .npy file out of a message: an array that borrows it and ends where it does, or a sentence.
#include <vector>

#include "core/formats/npy.hpp"
#include "tests/fuzz/arrays.hpp"
#include "tests/fuzz/target.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cambium;
  const auto file = fuzz::bytes(data, size);
  const auto array = formats::read_npy(file);
  fuzz::says_why(array);
  if (array) fuzz::sound(*array, file);
  return 0;
}
