// A message of an openpi or GR00T client: a tree within its limits whose arrays lie in the message,
// or a sentence.
#include "core/formats/msgpack.hpp"
#include "tests/fuzz/arrays.hpp"
#include "tests/fuzz/target.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cambium;
  const auto bytes = fuzz::bytes(data, size);
  const formats::Limits limits{.depth = 12, .values = 500};
  const auto message = formats::read_msgpack(bytes, limits);
  fuzz::says_why(message);
  if (!message) return 0;
  std::uint32_t values = 0;
  fuzz::sound(message->root, bytes, limits.depth, values);
  fuzz::promise(values <= limits.values, "a tree has no more values than allowed");
  return 0;
}
