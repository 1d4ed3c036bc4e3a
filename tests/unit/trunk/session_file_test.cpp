#include "core/trunk/session_file.hpp"

#include <gmock/gmock.h>

#include <span>
#include <string>
#include <vector>

#include "core/nn/safetensors.hpp"
#include "tests/fuzz/memory_file.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/tokens.hpp"

namespace cambium::trunk {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr std::uint64_t kBytes = 256;

std::vector<std::byte> some_memory(std::size_t size = kBytes) {
  std::vector<std::byte> memory(size);
  for (std::size_t i = 0; i < size; ++i) memory[i] = static_cast<std::byte>(i * 37 + 11);
  return memory;
}

class SessionFileTest : public testing::Test {
 protected:
  SessionFileTest() { EXPECT_TRUE(write_session(file_, record_, memory_)); }

  Result<SessionRecord> read() { return read_session(file_, fit_, into_); }
  /// The same from memory, for files that are spoilt thousands of times.
  Result<SessionRecord> read(const std::string& bytes) {
    const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
    return read_session(unwritten_.hold(data, bytes.size()), fit_, into_);
  }
  /// The same file with other metadata, its checksum left as it was.
  void rewrite(const nn::Metadata& changes, const std::string& tensor = "memory") {
    auto metadata = nn::SafetensorsFile::open(file_)->metadata();
    for (const auto& [key, value] : changes) metadata[key] = value;
    const nn::TensorToWrite bytes{tensor, nn::DType::u8, {memory_.size()}, memory_.data()};
    ASSERT_TRUE(nn::write_safetensors(file_, {&bytes, 1}, metadata));
  }
  void expect_refused(Code code, const std::string& why) {
    const auto untouched = into_;
    const auto refused = read();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, code) << refused.error().message;
    EXPECT_THAT(refused.error().message, AllOf(HasSubstr(file_.string()), HasSubstr(why)));
    EXPECT_EQ(into_, untouched);
  }

  test::TemporaryFolder folder_;
  fuzz::MemoryFile unwritten_;
  const std::filesystem::path file_ = folder_ / "arm_1.safetensors";
  const std::vector<std::byte> memory_ = some_memory();
  std::vector<std::byte> into_ = std::vector<std::byte>(kBytes);
  const SessionRecord record_{.name = "arm_1",
                              .trunk = test::digest(0xab),
                              .architecture = "mamba",
                              .owner = 18'000'000'000'000'000'001U,
                              .robot_id = 7,
                              .episode = 3,
                              .steps = 12345,
                              .time_ns = -5,
                              .bytes = kBytes};
  SessionFit fit_{test::digest(0xab), "mamba", kBytes};
};

TEST_F(SessionFileTest, ComesBackBitForBit) {
  const auto record = read();
  ASSERT_TRUE(record) << record.error().message;
  EXPECT_EQ(*record, record_);
  EXPECT_EQ(into_, memory_);
}

TEST_F(SessionFileTest, IsASafetensorsFileThatOthersCanOpen) {
  const auto file = nn::SafetensorsFile::open(file_);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->metadata().at("cambium.kind"), "session");
  EXPECT_EQ(file->metadata().at("steps"), "12345");
  EXPECT_EQ(file->find("memory")->bytes.size(), kBytes);
}

TEST_F(SessionFileTest, EveryFlippedBitIsNoticed) {
  const std::string sound = test::read_bytes(file_);
  const auto untouched = into_;
  for (std::size_t at = 0; at < sound.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string spoilt = sound;
      spoilt[at] = static_cast<char>(spoilt[at] ^ (1 << bit));
      const auto refused = read(spoilt);
      ASSERT_FALSE(refused) << "bit " << bit << " of byte " << at;
      ASSERT_NE(refused.error().message, "");
      ASSERT_EQ(into_, untouched);
    }
}

TEST_F(SessionFileTest, EveryLengthItCouldBeCutToIsNoticed) {
  const std::string sound = test::read_bytes(file_);
  for (std::size_t size = 0; size < sound.size(); ++size) {
    ASSERT_FALSE(read(sound.substr(0, size))) << size;
  }
  EXPECT_FALSE(read(sound + '\0'));
  EXPECT_TRUE(read(sound));
}

// A flipped bit in some place of a memory of real size.
TEST_F(SessionFileTest, DamageAnywhereInALargeMemoryIsNoticed) {
  const auto memory = some_memory(1 << 20);
  auto record = record_;
  record.bytes = fit_.bytes = memory.size();
  into_.assign(memory.size(), {});
  ASSERT_TRUE(write_session(file_, record, memory));
  const std::string sound = test::read_bytes(file_);
  for (std::size_t at = 0; at < sound.size(); at += 40'009) {
    std::string spoilt = sound;
    spoilt[at] = static_cast<char>(spoilt[at] ^ 1);
    ASSERT_FALSE(read(spoilt)) << at;
  }
}

TEST_F(SessionFileTest, AnotherTrunkIsRefusedAndBothAreNamed) {
  fit_.trunk = test::digest(0xcd);
  expect_refused(Code::incompatible, "session 'arm_1' is of trunk " + base::to_hex(record_.trunk) +
                                         ", this trunk is " + base::to_hex(fit_.trunk));
}

TEST_F(SessionFileTest, AnotherArchitectureIsRefusedAndBothAreNamed) {
  fit_.architecture = "retnet";
  expect_refused(Code::incompatible,
                 "session 'arm_1' is of architecture 'mamba', this trunk is of 'retnet'");
}

TEST_F(SessionFileTest, AnotherSizeIsRefusedAndBothAreNamed) {
  fit_.bytes = 128;
  expect_refused(Code::incompatible, "session 'arm_1' is 256 bytes, this trunk keeps 128");
}

TEST_F(SessionFileTest, OneThatIsFarTooLargeIsNotReadToSayWhatItIs) {
  const auto memory = some_memory(3 << 20);
  auto record = record_;
  record.bytes = memory.size();
  ASSERT_TRUE(write_session(file_, record, memory));
  expect_refused(Code::incompatible, "is 3145728 bytes, this trunk keeps 256");
}

TEST_F(SessionFileTest, ALaterFormatIsRefusedAndBothAreNamed) {
  rewrite({{"format", "2"}});
  expect_refused(Code::incompatible, "is a session of format '2', this version reads '1'");
}

TEST_F(SessionFileTest, AFileOfAnotherKindIsRefused) {
  rewrite({{"cambium.kind", "stock"}});
  expect_refused(Code::bad_data,
                 "is not a session: metadata 'cambium.kind' is 'stock', expected 'session'");
  EXPECT_FALSE(claims_to_be_session(file_));
  test::write_bytes(file_, "hello");
  expect_refused(Code::bad_data, "holds 5 bytes");
  EXPECT_FALSE(claims_to_be_session(file_));
}

TEST_F(SessionFileTest, WhatWasChangedByHandIsToldByName) {
  rewrite({{"steps", "9"}});
  expect_refused(Code::bad_data, "is damaged: metadata 'checksum' is '");
  rewrite({{"steps", "012345"}});
  expect_refused(Code::bad_data, "metadata 'steps' is '012345', by its contents it should be");
  rewrite({{"steps", "many"}});
  expect_refused(Code::bad_data, "metadata 'steps' is 'many', expected a whole number");
  rewrite({{"steps", "12345"}, {"setps", "1"}});
  expect_refused(Code::bad_data, "is damaged: metadata 'setps' is unknown");
}

TEST_F(SessionFileTest, AnotherTensorInsteadIsRefused) {
  rewrite({}, "memroy");
  expect_refused(Code::bad_data, "expected one tensor 'memory'");
}

TEST_F(SessionFileTest, AFileThatIsNotThereIsNotFound) {
  std::filesystem::remove(file_);
  expect_refused(Code::not_found, "cannot open");
}

TEST_F(SessionFileTest, NeverWritesANameThatLeadsOutOfItsFolder) {
  auto record = record_;
  for (const char* name : {"", "../arm", "a/b", ".arm", "a b"}) {
    record.name = name;
    const auto refused = write_session(folder_ / "other", record, memory_);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, Code::bad_argument);
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "other"));
}

TEST_F(SessionFileTest, AFailedWriteLeavesTheOldFileAndNothingElse) {
  auto record = record_;
  record.bytes = 1;
  EXPECT_FALSE(write_session(file_, record, memory_));
  EXPECT_FALSE(write_session(folder_ / "no/such/folder", record_, memory_));
  EXPECT_TRUE(read());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
}

TEST_F(SessionFileTest, KnowsItsOwnKindEvenIfDamaged) {
  EXPECT_TRUE(claims_to_be_session(file_));
  rewrite({{"checksum", ""}});
  EXPECT_TRUE(claims_to_be_session(file_));
  EXPECT_FALSE(claims_to_be_session(folder_ / "none"));
}

}  // namespace
}  // namespace cambium::trunk
