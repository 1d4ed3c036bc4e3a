#include "core/plugin/elf_file.hpp"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <type_traits>
#include <vector>

#include "abi/plugin.hpp"
#include "core/plugin/pinning.hpp"

namespace cambium::plugin {
namespace {

#if defined(__x86_64__)
constexpr unsigned kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kMachine = EM_AARCH64;
#else
#error "add this machine's ELF number"
#endif
static_assert(std::endian::native == std::endian::little, "ELFDATA2LSB below");

/// Bytes that are only ever copied out of, and only inside their bounds.
class Bytes {
 public:
  explicit Bytes(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool holds(std::uint64_t offset, std::uint64_t size) const noexcept {
    return offset <= bytes_.size() && size <= bytes_.size() - offset;
  }
  template <class T>
  std::optional<T> read(std::uint64_t offset) const noexcept {
    static_assert(std::is_trivially_copyable_v<T>);
    if (!holds(offset, sizeof(T))) return std::nullopt;
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof(T));
    return value;
  }
  /// Zero-terminated text at `offset`, not read past `end`; empty if it does not end there.
  std::string_view text(std::uint64_t offset, std::uint64_t end) const noexcept {
    if (end > bytes_.size() || offset >= end) return {};
    const auto* begin = reinterpret_cast<const char*>(bytes_.data() + offset);
    const auto* stop = static_cast<const char*>(std::memchr(begin, 0, end - offset));
    return stop == nullptr ? std::string_view{} : std::string_view(begin, stop);
  }
  std::uint64_t size() const noexcept { return bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
};

Error half_written(std::string_view file, std::uint64_t size, std::string_view what) {
  return {Code::bad_data,
          fmt::format("plugin '{}': half written: its {} lies beyond the end of the "
                      "file ({} bytes); wait until the linker or the copy is done",
                      file, what, size)};
}

Result<Elf64_Ehdr> read_header(const Bytes& bytes, std::string_view file) {
  if (bytes.size() == 0)
    return Error{Code::bad_data,
                 fmt::format("plugin '{}': the file is empty; build it again", file)};
  const auto magic = bytes.read<std::uint32_t>(0);
  if (!magic || std::memcmp(&*magic, ELFMAG, SELFMAG) != 0)
    return Error{Code::bad_data,
                 fmt::format("plugin '{}': not a shared library (no ELF file); give the .so that "
                             "cambium_add_plugin() built",
                             file)};
  const auto header = bytes.read<Elf64_Ehdr>(0);
  if (!header) return half_written(file, bytes.size(), "ELF header");
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
      header->e_machine != kMachine)
    return Error{Code::incompatible,
                 fmt::format("plugin '{}': built for another machine (ELF machine {}, class {}; "
                             "this host is machine {}, class {}); build it for this one",
                             file, header->e_machine, header->e_ident[EI_CLASS], kMachine,
                             static_cast<unsigned>(ELFCLASS64))};
  if (header->e_type != ET_DYN)
    return Error{Code::bad_data, fmt::format("plugin '{}': ELF type {}, but a shared library is "
                                             "{}; give the .so, not an object or a program",
                                             file, header->e_type, ET_DYN)};
  return *header;
}

struct Library {
  std::vector<Elf64_Phdr> segments;
  std::vector<Elf64_Shdr> sections;
  std::uint64_t names_at = 0, names_end = 0;
};

Result<Library> read_tables(const Bytes& bytes, const Elf64_Ehdr& header, std::string_view file) {
  Library library;
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    const auto segment = bytes.read<Elf64_Phdr>(header.e_phoff + i * sizeof(Elf64_Phdr));
    // A segment beyond the end would be mapped all the same, and kill the process when touched.
    if (!segment || !bytes.holds(segment->p_offset, segment->p_filesz))
      return half_written(file, bytes.size(), fmt::format("segment {}", i));
    library.segments.push_back(*segment);
  }
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    const auto section = bytes.read<Elf64_Shdr>(header.e_shoff + i * sizeof(Elf64_Shdr));
    if (!section ||
        (section->sh_type != SHT_NOBITS && !bytes.holds(section->sh_offset, section->sh_size)))
      return half_written(file, bytes.size(), fmt::format("section {}", i));
    library.sections.push_back(*section);
  }
  if (header.e_shstrndx >= library.sections.size())
    return Error{Code::bad_data,
                 fmt::format("plugin '{}': has no section names, so its build text cannot be read; "
                             "`strip` keeps them, do not use sstrip",
                             file)};
  const auto& names = library.sections[header.e_shstrndx];
  library.names_at = names.sh_offset;
  library.names_end = names.sh_offset + names.sh_size;
  if (names.sh_type == SHT_NOBITS || library.names_end > bytes.size())
    return half_written(file, bytes.size(), "table of section names");
  return library;
}

/// Where the byte at virtual address `address` lies in the file.
std::optional<std::uint64_t> offset_of(const Library& library, std::uint64_t address) {
  for (const auto& segment : library.segments)
    if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
        address - segment.p_vaddr < segment.p_filesz)
      return segment.p_offset + (address - segment.p_vaddr);
  return std::nullopt;
}

/// The only section of this type; null if there is none. A linker writes one, and each more would
/// be a whole file to read again.
Result<const Elf64_Shdr*> only_section(const Library& library, std::uint32_t type,
                                       std::string_view title, std::string_view file) {
  const auto is = [&](const Elf64_Shdr& section) { return section.sh_type == type; };
  const auto count = std::ranges::count_if(library.sections, is);
  if (count > 1)
    return Error{Code::bad_data, fmt::format("plugin '{}': has {} tables {}; a linker writes one, "
                                             "build it again",
                                             file, count, title)};
  const auto found = std::ranges::find_if(library.sections, is);
  return found == library.sections.end() ? nullptr : &*found;
}

/// The texts of one table of names. They may share bytes (a name can be the end of another), but
/// not so that few bytes become gigabytes.
class Names {
 public:
  static Result<Names> of(const Bytes& bytes, const Library& library, const Elf64_Shdr& table,
                          std::string_view file) {
    Names names(bytes, file);
    if (table.sh_link >= library.sections.size()) return names;
    const auto& section = library.sections[table.sh_link];
    if (section.sh_type == SHT_NOBITS || section.sh_size == 0) return names;
    names.begin_ = section.sh_offset;
    names.end_ = section.sh_offset + section.sh_size;
    if (bytes.read<char>(names.end_ - 1) != '\0')
      return Error{
          Code::bad_data,
          fmt::format("plugin '{}': the names of its symbols have no end; build it again", file)};
    return names;
  }
  /// Empty if it does not lie in the table.
  Result<std::string_view> at(std::uint64_t offset) {
    if (offset >= end_ - begin_) return std::string_view();
    const auto name = bytes_.text(begin_ + offset, end_);
    read_ += name.size();
    if (read_ > kMostForOneByte * bytes_.size())
      return Error{Code::bad_data,
                   fmt::format("plugin '{}': the names of its symbols take more than {} times the "
                               "file's {} bytes; build it again",
                               file_, kMostForOneByte, bytes_.size())};
    return name;
  }

 private:
  static constexpr std::uint64_t kMostForOneByte = 4;  // of a linker's file it is less than one

  Names(const Bytes& bytes, std::string_view file) : bytes_(bytes), file_(file) {}

  const Bytes& bytes_;
  std::string_view file_;
  std::uint64_t begin_ = 0, end_ = 0, read_ = 0;
};

struct Symbols {
  std::optional<Elf64_Sym> entry;
  std::string unique;  ///< first GNU_UNIQUE symbol that the library defines
};

/// Versions of the dynamic symbols, one number each: 0 and 1 stand for "none".
const Elf64_Shdr* version_table(const Library& library) {
  for (const auto& section : library.sections)
    if (section.sh_type == SHT_GNU_versym) return &section;
  return nullptr;
}

/// Fills in imports and thread-local definitions on the way.
Result<Symbols> read_symbols(const Bytes& bytes, const Library& library, std::string_view file,
                             ElfFacts& facts) {
  Symbols symbols;
  const auto table = only_section(library, SHT_DYNSYM, "of dynamic symbols, expected 1", file);
  if (!table) return table.error();
  if (*table == nullptr) return symbols;
  const Elf64_Shdr& section = **table;
  auto names = Names::of(bytes, library, section, file);
  if (!names) return names.error();
  const Elf64_Shdr* versions = version_table(library);
  for (std::uint64_t i = 0; (i + 1) * sizeof(Elf64_Sym) <= section.sh_size; ++i) {
    const auto symbol = bytes.read<Elf64_Sym>(section.sh_offset + i * sizeof(Elf64_Sym));
    if (!symbol) break;
    const auto name = names->at(symbol->st_name);
    if (!name) return name.error();
    if (symbol->st_shndx == SHN_UNDEF) {
      const auto version =
          versions && (i + 1) * sizeof(Elf64_Versym) <= versions->sh_size
              ? bytes.read<Elf64_Versym>(versions->sh_offset + i * sizeof(Elf64_Versym))
              : std::nullopt;
      if (!name->empty())
        facts.imports.push_back(
            {std::string(*name), version && (*version & 0x7fff) > VER_NDX_GLOBAL});
      continue;
    }
    if (*name == "cambium_plugin") symbols.entry = *symbol;
    if (ELF64_ST_TYPE(symbol->st_info) == STT_TLS) facts.thread_locals = true;
    if (ELF64_ST_BIND(symbol->st_info) == STB_GNU_UNIQUE && symbols.unique.empty())
      symbols.unique = *name;
  }
  return symbols;
}

/// What the library asks of the loader.
Result<void> read_dynamic(const Bytes& bytes, const Library& library, std::string_view file,
                          ElfFacts& facts) {
  for (const auto& segment : library.segments)
    if (segment.p_type == PT_TLS) facts.thread_locals = true;
  const auto table = only_section(library, SHT_DYNAMIC, "for the loader, expected at most 1", file);
  if (!table) return table.error();
  if (*table == nullptr) return {};
  const Elf64_Shdr& section = **table;
  auto names = Names::of(bytes, library, section, file);
  if (!names) return names.error();
  for (std::uint64_t at = 0; at + sizeof(Elf64_Dyn) <= section.sh_size; at += sizeof(Elf64_Dyn)) {
    const auto entry = bytes.read<Elf64_Dyn>(section.sh_offset + at);
    if (!entry || entry->d_tag == DT_NULL) break;
    if (entry->d_tag == DT_FLAGS_1 && (entry->d_un.d_val & DF_1_NODELETE) != 0)
      facts.nodelete = true;
    if (entry->d_tag != DT_NEEDED) continue;
    const auto name = names->at(entry->d_un.d_val);
    if (!name) return name.error();
    if (!name->empty()) facts.needed.emplace_back(*name);
  }
  return {};
}

/// The build text of the first section that is named so.
std::string_view build_text(const Bytes& bytes, const Library& library) {
  constexpr std::string_view kName = "cambium_build";
  for (const auto& section : library.sections) {
    const std::uint64_t at = library.names_at + section.sh_name;
    const std::uint64_t end = std::min(library.names_end, at + kName.size() + 1);
    if (section.sh_type != SHT_NOBITS && bytes.text(at, end) == kName)
      return bytes.text(section.sh_offset, section.sh_offset + section.sh_size);
  }
  return {};
}

}  // namespace

Result<ElfFacts> inspect_elf(std::span<const std::byte> span, std::string_view file) {
  const Bytes bytes(span);
  const auto header = read_header(bytes, file);
  if (!header) return header.error();
  const auto library = read_tables(bytes, *header, file);
  if (!library) return library.error();

  ElfFacts facts;
  const auto symbols = read_symbols(bytes, *library, file, facts);
  if (!symbols) return symbols.error();
  if (!symbols->entry)
    return Error{Code::not_found,
                 fmt::format("plugin '{}': a shared library, but it exports no symbol "
                             "'cambium_plugin'; write CAMBIUM_PLUGIN(…) in one of its sources",
                             file)};
  const auto entry_at = offset_of(*library, symbols->entry->st_value);
  const auto handshake = entry_at ? bytes.read<Handshake>(*entry_at) : std::nullopt;
  if (!handshake)
    return Error{Code::bad_data,
                 fmt::format("plugin '{}': its symbol 'cambium_plugin' is no constant data; "
                             "make it with CAMBIUM_PLUGIN(…)",
                             file)};
  facts.handshake = *handshake;
  facts.build = build_text(bytes, *library);
  if (!symbols->unique.empty())
    return Error{Code::incompatible,
                 fmt::format("plugin '{}': defines the GNU_UNIQUE symbol '{}', which would share "
                             "its state with every later version; build it with "
                             "cambium_add_plugin() or -fno-gnu-unique, and do not export it",
                             file, symbols->unique)};
  if (auto done = read_dynamic(bytes, *library, file, facts); !done) return done.error();
  facts.pinned = why_pinned(facts);
  return facts;
}

Result<void> check_handshake(const Handshake& handshake, std::string_view file) {
  if (handshake.magic != CAMBIUM_PLUGIN_MAGIC)
    return Error{Code::incompatible,
                 fmt::format("plugin '{}': magic {:#010x}, expected {:#010x}; make its entry with "
                             "CAMBIUM_PLUGIN(…)",
                             file, handshake.magic, CAMBIUM_PLUGIN_MAGIC)};
  if (handshake.abi_major != kAbiMajor || handshake.abi_minor > kAbiMinor)
    return Error{Code::incompatible,
                 fmt::format("plugin '{}': plugin ABI {}.{}, this host speaks {}.{}{}; {}", file,
                             handshake.abi_major, handshake.abi_minor, kAbiMajor, kAbiMinor,
                             handshake.abi_major == kAbiMajor ? " and older minors" : "",
                             handshake.abi_major < kAbiMajor ? "build it with this host's SDK"
                                                             : "use a newer host or an older SDK")};
  if (handshake.struct_size < sizeof(cambium_plugin_entry))
    return Error{
        Code::bad_data,
        fmt::format("plugin '{}': its entry has {} bytes, ABI {}.{} needs {}; make it with "
                    "CAMBIUM_PLUGIN(…)",
                    file, handshake.struct_size, handshake.abi_major, handshake.abi_minor,
                    sizeof(cambium_plugin_entry))};
  return {};
}

std::string_view host_build() noexcept {
  return CAMBIUM_BUILD_TEXT;
}

Result<void> check_build(std::string_view build, std::string_view file) {
  if (build.empty())
    return Error{Code::incompatible,
                 fmt::format("plugin '{}': has no build text (section cambium_build); make its "
                             "entry with CAMBIUM_PLUGIN(…)",
                             file)};
  if (build == host_build()) return {};
  const auto part = [](std::string_view& rest) {
    const auto cut = std::min(rest.find(';'), rest.size());
    const auto first = rest.substr(0, cut);
    rest.remove_prefix(std::min(cut + 1, rest.size()));
    return first;
  };
  std::string_view theirs = build, ours = host_build(), their_part, our_part;
  do {
    their_part = part(theirs);
    our_part = part(ours);
  } while (their_part == our_part && !(theirs.empty() && ours.empty()));
  return Error{Code::incompatible,
               fmt::format("plugin '{}': built with '{}', this host with '{}' (plugin: {}; host: "
                           "{}); build both with the same compiler flags",
                           file, their_part, our_part, build, host_build())};
}

}  // namespace cambium::plugin
