// A .safetensors file: header, ranges, and every tensor read as every type and as stored weights.
#include <algorithm>
#include <vector>

#include "core/nn/safetensors.hpp"
#include "core/nn/stored_weights.hpp"
#include "tests/fuzz/memory_file.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cambium;
  static fuzz::MemoryFile file;
  const auto path = file.hold(data, size);
  const auto opened = nn::SafetensorsFile::open(path);
  fuzz::says_why(opened);
  const auto whole = nn::SafetensorsFile::open_mapped(path);
  fuzz::says_why(whole);
  fuzz::promise(static_cast<bool>(whole) == static_cast<bool>(opened), "both ways check the same");
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
  const auto stored = whole->stored_views("");
  fuzz::promise(stored.size() == opened->tensors().size(), "every tensor is a stored view");
  for (const auto& tensor : stored) {
    fuzz::promise(std::ranges::equal(tensor.bytes, opened->find(tensor.name)->bytes),
                  "both ways hold the same bytes");
    if (tensor.shape.size() != 2 || tensor.bytes.empty()) continue;
    nn::StoredWeights weights("it", stored);
    const auto matrix = weights.matrix(tensor.name, tensor.shape[0], tensor.shape[1]);
    if (!weights.ok()) continue;
    std::vector<float> row(matrix.columns());
    for (std::uint64_t i = 0; i < matrix.rows(); ++i) matrix.read_rows(i, 1, row.data());
  }
  return 0;
}
