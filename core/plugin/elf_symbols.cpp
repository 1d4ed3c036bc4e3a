#include "core/plugin/elf_symbols.hpp"

#include <elf.h>

#include <cstring>
#include <optional>

namespace cambium::plugin {
namespace {

template <class T>
std::optional<T> read(std::span<const std::byte> bytes, std::uint64_t offset) noexcept {
  if (offset > bytes.size() || sizeof(T) > bytes.size() - offset) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

std::string text(std::span<const std::byte> bytes, std::uint64_t offset) {
  if (offset >= bytes.size()) return {};
  const auto* begin = reinterpret_cast<const char*>(bytes.data() + offset);
  return {begin, ::strnlen(begin, bytes.size() - offset)};
}

bool seen_by_others(const Elf64_Sym& symbol) noexcept {
  const auto bind = ELF64_ST_BIND(symbol.st_info);
  const auto visibility = ELF64_ST_VISIBILITY(symbol.st_other);
  return symbol.st_shndx != SHN_UNDEF && bind != STB_LOCAL &&
         (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

}  // namespace

std::vector<DefinedSymbol> defined_symbols(std::span<const std::byte> bytes) {
  std::vector<DefinedSymbol> symbols;
  const auto header = read<Elf64_Ehdr>(bytes, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return symbols;
  const auto section = [&](std::uint64_t index) {
    return read<Elf64_Shdr>(bytes, header->e_shoff + index * sizeof(Elf64_Shdr));
  };
  for (unsigned i = 0; i < header->e_shnum; ++i) {
    const auto table = section(i);
    if (!table || table->sh_type != SHT_DYNSYM) continue;
    const auto strings = section(table->sh_link);
    if (!strings) continue;
    for (std::uint64_t at = 0; at + sizeof(Elf64_Sym) <= table->sh_size; at += sizeof(Elf64_Sym)) {
      const auto symbol = read<Elf64_Sym>(bytes, table->sh_offset + at);
      if (!symbol) break;
      if (!seen_by_others(*symbol)) continue;
      symbols.push_back({text(bytes, strings->sh_offset + symbol->st_name),
                         ELF64_ST_BIND(symbol->st_info) == STB_GNU_UNIQUE});
    }
    break;  // a library has one such table
  }
  return symbols;
}

}  // namespace cambium::plugin
