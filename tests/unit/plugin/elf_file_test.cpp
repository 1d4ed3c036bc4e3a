#include "core/plugin/elf_file.hpp"

#include <elf.h>
#include <gmock/gmock.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "abi/plugin.hpp"

namespace cambium::plugin {
namespace {

using testing::HasSubstr;

std::vector<char> sample() {
  std::ifstream in(SAMPLE_1, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Result<ElfFacts> inspect(const std::vector<char>& bytes) {
  return inspect_elf(std::as_bytes(std::span(bytes)), "arm.so");
}

// The sample with tables of sections, symbols and names that no linker writes.
class CraftedElf : public testing::Test {
 protected:
  CraftedElf() {
    std::memcpy(&header_, bytes_.data(), sizeof header_);
    sections_.resize(header_.e_shnum);
    std::memcpy(sections_.data(), bytes_.data() + header_.e_shoff,
                sections_.size() * sizeof(Elf64_Shdr));
  }
  Elf64_Shdr& section(std::uint32_t type) {
    for (auto& one : sections_)
      if (one.sh_type == type) return one;
    throw std::runtime_error("the sample has no such section");
  }
  /// Puts `size` bytes at the end of the file and lets the section begin there.
  void move(Elf64_Shdr& section, const void* data, std::size_t size) {
    section.sh_offset = bytes_.size();
    section.sh_size = size;
    const auto* begin = static_cast<const char*>(data);
    bytes_.insert(bytes_.end(), begin, begin + size);
  }
  Error refusal() {
    header_.e_shoff = bytes_.size();
    header_.e_shnum = static_cast<Elf64_Half>(sections_.size());
    const auto* table = reinterpret_cast<const char*>(sections_.data());
    bytes_.insert(bytes_.end(), table, table + sections_.size() * sizeof(Elf64_Shdr));
    std::memcpy(bytes_.data(), &header_, sizeof header_);
    const auto facts = inspect(bytes_);
    return facts ? Error{Code::ok, "accepted"} : facts.error();
  }

  std::vector<char> bytes_ = sample();
  Elf64_Ehdr header_ = {};
  std::vector<Elf64_Shdr> sections_;
};

// Each would be read in full: 65,000 of them over one file are hours.
TEST_F(CraftedElf, SecondTableOfSymbolsIsRefused) {
  for (const std::uint32_t type : {SHT_DYNSYM, SHT_DYNAMIC}) {
    const auto all = sections_;
    sections_.push_back(section(type));
    const Error error = refusal();
    EXPECT_EQ(error.code, Code::bad_data);
    EXPECT_THAT(error.message,
                HasSubstr(type == SHT_DYNSYM ? "has 2 tables of dynamic symbols, expected 1"
                                             : "has 2 tables for the loader, expected at most 1"));
    sections_ = all;
  }
}

TEST_F(CraftedElf, NamesThatShareTheirBytesWithoutMeasureAreRefused) {
  std::vector<char> text(100'000, 'a');
  text.back() = 0;
  std::vector<Elf64_Sym> symbols(2000);
  for (std::size_t i = 0; i < symbols.size(); ++i) symbols[i].st_name = static_cast<unsigned>(i);
  auto& table = section(SHT_DYNSYM);
  move(sections_[table.sh_link], text.data(), text.size());
  move(table, symbols.data(), symbols.size() * sizeof(Elf64_Sym));
  const Error error = refusal();
  EXPECT_EQ(error.code, Code::bad_data);
  EXPECT_THAT(error.message, HasSubstr("names of its symbols take more than"));
}

TEST_F(CraftedElf, NamesWithoutAnEndAreRefused) {
  const std::vector<char> text(1000, 'a');
  move(sections_[section(SHT_DYNSYM).sh_link], text.data(), text.size());
  const Error error = refusal();
  EXPECT_EQ(error.code, Code::bad_data);
  EXPECT_THAT(error.message, HasSubstr("names of its symbols have no end"));
}

TEST_F(CraftedElf, IsAcceptedWhenNothingIsCrafted) {
  EXPECT_EQ(refusal().message, "accepted");
}

TEST(ElfFile, ReadsHandshakeAndBuildTextWithoutLoading) {
  const auto facts = inspect(sample());
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->handshake.magic, CAMBIUM_PLUGIN_MAGIC);
  EXPECT_EQ(facts->handshake.struct_size, sizeof(cambium_plugin_entry));
  EXPECT_EQ(facts->handshake.abi_major, kAbiMajor);
  EXPECT_EQ(facts->handshake.abi_minor, kAbiMinor);
  EXPECT_EQ(facts->build, CAMBIUM_BUILD_TEXT);
}

TEST(ElfFile, RefusesAnotherMachineAndNamesBoth) {
  auto bytes = sample();
  bytes[18] = 8;  // e_machine: MIPS
  const auto facts = inspect(bytes);
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().code, Code::incompatible);
  EXPECT_THAT(facts.error().message, HasSubstr("ELF machine 8"));
}

TEST(ElfFile, RefusesAnObjectFile) {
  auto bytes = sample();
  bytes[16] = 1;  // e_type: relocatable
  const auto facts = inspect(bytes);
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().code, Code::bad_data);
  EXPECT_THAT(facts.error().message, HasSubstr("give the .so, not an object"));
}

TEST(ElfFile, EveryShorterFileIsRefused) {
  const auto bytes = sample();
  for (std::size_t size = 0; size < bytes.size(); size += size < 128 ? 1 : 97)
    EXPECT_FALSE(inspect({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}))
        << size;
}

// Under AddressSanitizer this proves that no damaged offset is followed out of the file.
TEST(ElfFile, DamagedFileIsJudgedInsideItsBounds) {
  const auto sound = sample();
  std::size_t refused = 0;
  for (std::size_t at = 0; at < sound.size(); ++at) {
    for (const char value : {'\0', '\x7f', '\xff'}) {
      auto bytes = sound;
      bytes[at] = value;
      const auto facts = inspect(bytes);
      if (facts) continue;
      ++refused;
      ASSERT_THAT(facts.error().message, HasSubstr("plugin 'arm.so': ")) << at;
    }
    if (at > 1024 && at + 4096 < sound.size()) at += 31;  // dense where the tables are
  }
  EXPECT_GT(refused, 100u);
}

TEST(ElfFile, BuildTextsAreComparedPartByPart) {
  EXPECT_TRUE(check_build(host_build(), "arm.so"));
  const auto shorter = check_build("cxx11abi=1", "arm.so");
  ASSERT_FALSE(shorter);
  EXPECT_THAT(shorter.error().message, HasSubstr("built with '', this host with 'simd="));
  const auto longer = check_build(std::string(host_build()) + ";lto=1", "arm.so");
  ASSERT_FALSE(longer);
  EXPECT_THAT(longer.error().message, HasSubstr("built with 'lto=1', this host with ''"));
  const auto none = check_build("", "arm.so");
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("has no build text"));
}

}  // namespace
}  // namespace cambium::plugin
