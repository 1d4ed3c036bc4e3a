// A .safetensors file: header, ranges, and every tensor read as every type.
#include "core/nn/safetensors.hpp"
#include "tests/fuzz/memory_file.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cambium;
  static fuzz::MemoryFile file;
  const auto opened = nn::SafetensorsFile::open(file.hold(data, size));
  fuzz::says_why(opened);
  if (!opened) return 0;
  for (const auto& tensor : opened->tensors()) {
    fuzz::promise(tensor.bytes.size() == tensor.size() * nn::size_of(tensor.dtype),
                  "a tensor has the bytes of its shape");
    fuzz::promise(opened->find(tensor.name) == &tensor, "a tensor is found by its name");
    fuzz::says_why(opened->read_f32(tensor.name));
    fuzz::says_why(opened->read_f64(tensor.name));
    fuzz::says_why(opened->read_i64(tensor.name));
  }
  fuzz::says_why(opened->meta("architecture"));
  (void)opened->views("trunk.");
  return 0;
}
