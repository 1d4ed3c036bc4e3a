// A plugin's file, looked at before its code may run.
#include "core/plugin/elf_file.hpp"
#include "tests/fuzz/target.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cambium;
  const auto facts = plugin::inspect_elf(fuzz::bytes(data, size), "lib.so");
  fuzz::says_why(facts);
  if (!facts) return 0;
  fuzz::says_why(plugin::check_handshake(facts->handshake, "lib.so"));
  fuzz::says_why(plugin::check_build(facts->build, "lib.so"));
  return 0;
}
