// core/plugin/elf_symbols.hpp: what a library file defines for others, read as bytes.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace cambium::plugin {

struct DefinedSymbol {
  std::string name;
  bool unique = false;  ///< STB_GNU_UNIQUE
};

/// The dynamic symbols that others can see. Bytes that inspect_elf() refuses may give nothing; none
/// are read out of bounds. [setup]
std::vector<DefinedSymbol> defined_symbols(std::span<const std::byte> bytes);

}  // namespace cambium::plugin
