// Memory between two processes: what may be opened, and what a slot says when it was overtaken.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <limits>
#include <thread>
#include <vector>

#include "core/base/sealed_memory.hpp"
#include "core/base/shared_slot.hpp"
#include "tests/support/temporary.hpp"

namespace cambium::base {
namespace {

using testing::HasSubstr;

constexpr std::size_t kBytes = 4096;

MemoryHolder here(int descriptor) {
  return {.process = static_cast<std::uint32_t>(::getpid()),
          .descriptor = static_cast<std::uint32_t>(descriptor)};
}

std::string why_not(MemoryHolder holder, std::size_t bytes = kBytes) {
  const auto opened = open_memory_of(holder, bytes);
  return opened ? "" : opened.error().message;
}

TEST(SealedMemory, IsReadByAnotherMappingAndKnowsItsHolder) {
  auto memory = make_memory("test");
  ASSERT_TRUE(memory);
  ASSERT_TRUE(seal_memory(memory->get(), kBytes));
  auto writer = Mapping::map(memory->get(), kBytes, Mapping::Access::write);
  ASSERT_TRUE(writer);
  auto holder = here(memory->get());
  const auto opened = open_memory_of(holder, kBytes);
  ASSERT_TRUE(opened) << opened.error().message;
  const auto reader = Mapping::map(opened->get(), kBytes, Mapping::Access::read);
  ASSERT_TRUE(reader);
  writer->data()[17] = std::byte{7};
  EXPECT_EQ(reader->data()[17], std::byte{7});
  EXPECT_TRUE(holder.still_holds());
  const int number = memory->get();
  memory->reset();
  EXPECT_FALSE(holder.still_holds());
  const auto another = make_memory("test");
  ASSERT_EQ(another->get(), number) << "the lowest free number";
  EXPECT_FALSE(holder.still_holds()) << "another memory under the same number";
  EXPECT_EQ(reader->data()[17], std::byte{7}) << "it lives as long as it is mapped";
}

TEST(SealedMemory, CannotBeCutShortOrWrittenByItsReader) {
  auto memory = make_memory("test");
  ASSERT_TRUE(seal_memory(memory->get(), kBytes));
  EXPECT_NE(::ftruncate(memory->get(), 0), 0);
  auto holder = here(memory->get());
  const auto opened = open_memory_of(holder, kBytes);
  EXPECT_FALSE(Mapping::map(opened->get(), kBytes, Mapping::Access::write));
}

TEST(SealedMemory, RefusesWhatItCannotTrust) {
  const auto unsealed = make_memory("test");
  ASSERT_EQ(::ftruncate(unsealed->get(), kBytes), 0);
  EXPECT_THAT(why_not(here(unsealed->get())), HasSubstr("is not sealed"));

  const auto sealed = make_memory("test");
  ASSERT_TRUE(seal_memory(sealed->get(), kBytes));
  EXPECT_THAT(why_not(here(sealed->get()), kBytes + 1),
              HasSubstr("has 4096 bytes, it was said to have 4097"));

  const test::TemporaryFolder folder;
  test::write_bytes(folder / "file", std::string(kBytes, 'x'));
  const Descriptor file(::open((folder / "file").c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_THAT(why_not(here(file.get())),
              testing::AnyOf(HasSubstr("not a memfd"), HasSubstr("sealed")));

  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  const Descriptor read_end(pipe[0]), write_end(pipe[1]);
  EXPECT_THAT(why_not(here(pipe[0])), HasSubstr("is no memory"));

  EXPECT_THAT(why_not({.process = 0x7fff'ffff, .descriptor = 3}), HasSubstr("is not there"));
  EXPECT_THAT(why_not(here(100'000)), HasSubstr("is not there"));
}

class SharedSlotTest : public testing::Test {
 protected:
  SharedSlotTest() : memory_(slot_bytes(kMost)) {}
  static constexpr std::size_t kMost = 1000;

  std::byte* slot() { return reinterpret_cast<std::byte*>(memory_.data()); }

  struct alignas(64) Line {
    std::byte bytes[64] = {};
  };
  std::vector<Line> memory_;
};

TEST_F(SharedSlotTest, NumbersArriveExactWhateverTheirCount) {
  for (const std::size_t size : {1, 2, 3, 64, 999, 1000}) {
    std::vector<float> in(size), out(size, -1.0F);
    for (std::size_t i = 0; i < size; ++i) in[i] = 0.1F * static_cast<float>(i) - 3.0F;
    write_slot(slot(), in, 2 * size);
    const auto copy = read_slot(slot(), 2 * size, out);
    EXPECT_TRUE(copy.whole);
    EXPECT_TRUE(copy.finite);
    EXPECT_EQ(in, out);
  }
}

TEST_F(SharedSlotTest, SeesANumberThatIsNoneWhereverItIs) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const std::size_t size : {3, 4}) {
    for (std::size_t at = 0; at < size; ++at) {
      for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity}) {
        std::vector<float> in(size, std::numeric_limits<float>::max()), out(size);
        in[at] = bad;
        write_slot(slot(), in, 2);
        const auto copy = read_slot(slot(), 2, out);
        EXPECT_TRUE(copy.whole);
        EXPECT_FALSE(copy.finite) << at << " of " << size;
      }
    }
  }
  // What lies behind the last of an odd count is nobody's number.
  const std::vector<float> nan(4, std::numeric_limits<float>::quiet_NaN()), one(3, 1.0F);
  write_slot(slot(), nan, 2);
  std::memcpy(slot() + kSlotGrain, one.data(), 3 * sizeof(float));
  std::vector<float> out(3);
  EXPECT_TRUE(read_slot(slot(), 2, out).finite);
}

TEST_F(SharedSlotTest, IsNotWholeUnderAnotherSequence) {
  const std::vector<float> in(8, 1.0F);
  std::vector<float> out(8);
  write_slot(slot(), in, 4);
  EXPECT_TRUE(read_slot(slot(), 4, out).whole);
  EXPECT_FALSE(read_slot(slot(), 2, out).whole) << "overwritten since";
  EXPECT_FALSE(read_slot(slot(), 6, out).whole) << "not there yet";
}

// The writer never waits, so that the reader is overtaken at every possible place.
TEST_F(SharedSlotTest, AnOvertakenReaderNeverTakesAMixtureForWhole) {
  constexpr std::uint64_t kWrites = 20'000;
  std::atomic<std::uint64_t> written{0};
  std::thread writer([&] {
    std::vector<float> in(kMost);
    for (std::uint64_t i = 1; i <= kWrites; ++i) {
      std::ranges::fill(in, static_cast<float>(i));
      write_slot(slot(), in, 2 * i);
      written.store(i, std::memory_order_release);
    }
  });
  std::vector<float> out(kMost);
  std::uint64_t whole = 0, overtaken = 0;
  for (std::uint64_t i = 0; i < kWrites;) {
    i = written.load(std::memory_order_acquire);
    if (i == 0) continue;
    if (!read_slot(slot(), 2 * i, out).whole) {
      ++overtaken;
      continue;
    }
    ++whole;
    EXPECT_THAT(out, testing::Each(static_cast<float>(i)));
  }
  writer.join();
  EXPECT_GT(whole, 0U);
  RecordProperty("overtaken", static_cast<int>(overtaken));
}

}  // namespace
}  // namespace cambium::base
