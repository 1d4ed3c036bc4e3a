// core/plugin/elf_file.hpp: what a library file says about itself, read as bytes before any of its
// code can run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"

namespace cambium::plugin {

/// The numbers at the head of a plugin's entry; they are data, so the file already holds them.
struct Handshake {
  std::uint32_t magic = 0, struct_size = 0;
  std::uint16_t abi_major = 0, abi_minor = 0;
};

/// A function or variable that a library takes from another.
struct Import {
  std::string name;        ///< as the linker writes it
  bool versioned = false;  ///< bound to a version of one of the needed libraries
};

struct ElfFacts {
  Handshake handshake;
  std::string build;                ///< text of section cambium_build
  std::vector<std::string> needed;  ///< libraries that the loader brings with it
  std::vector<Import> imports;
  bool thread_locals = false;  ///< has a segment or a symbol of thread-local storage
  bool nodelete = false;       ///< asks the loader never to unmap it
  /// Why it stays mapped for ever, as the end of a sentence, shown to people; empty: it may be
  /// unmapped. See why_pinned().
  std::string pinned;
};

/// Reads a whole shared library of this machine. Every offset is checked against the file's size
/// before it is followed, and the time that it takes grows with the size alone. Refuses (bad_data,
/// not_found, incompatible) what is no ELF file, half written, for another machine, has tables that
/// no linker writes, lacks the symbol `cambium_plugin`, or defines GNU_UNIQUE symbols; the sentence
/// names `file`. [setup]
Result<ElfFacts> inspect_elf(std::span<const std::byte> bytes, std::string_view file);

/// Magic, size and ABI version against this host's. [setup]
Result<void> check_handshake(const Handshake& handshake, std::string_view file);

/// Build text against this host's; the sentence names the first part that differs. [setup]
Result<void> check_build(std::string_view build, std::string_view file);

/// The build text of this host, as CAMBIUM_PLUGIN would write it.
std::string_view host_build() noexcept;

}  // namespace cambium::plugin
