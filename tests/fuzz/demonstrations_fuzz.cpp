// A file of demonstrations.
#include "core/learn/demonstrations.hpp"
#include "tests/fuzz/memory_file.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cambium;
  static fuzz::MemoryFile file;
  const auto read = learn::read_demonstrations(file.hold(data, size));
  fuzz::says_why(read);
  if (!read) return 0;
  fuzz::promise(learn::check(*read).has_value(), "what was read makes sense");
  fuzz::promise(read->actions.size() == read->rows() * read->horizon * read->dof,
                "there is a chunk for each row");
  return 0;
}
