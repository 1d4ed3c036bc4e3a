// A robot's memory as a file: taken whole, and only if it is for this trunk, or refused in a
// sentence with nothing copied.
#include <algorithm>
#include <array>

#include "core/trunk/session_file.hpp"
#include "tests/fuzz/memory_file.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cambium;
  static fuzz::MemoryFile file;
  constexpr auto kUntouched = std::byte{0x5a};
  const trunk::SessionFit fit{.trunk = {}, .architecture = "remembering", .bytes = 64};
  std::array<std::byte, 64> memory;
  memory.fill(kUntouched);
  const auto path = file.hold(data, size);
  const auto record = trunk::read_session(path, fit, memory);
  fuzz::says_why(record);
  if (!record) {
    fuzz::promise(std::ranges::all_of(memory, [](std::byte b) { return b == kUntouched; }),
                  "a file that is refused leaves the memory alone");
    (void)trunk::claims_to_be_session(path);
    return 0;
  }
  fuzz::promise(trunk::claims_to_be_session(path), "what is taken is a session");
  fuzz::promise(record->trunk == fit.trunk && record->architecture == fit.architecture &&
                    record->bytes == fit.bytes,
                "what is taken is for this trunk");
  return 0;
}
