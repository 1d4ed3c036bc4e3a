#include "core/plugin/elf_file.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

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
