#include "core/base/available_memory.hpp"

#include <gtest/gtest.h>

#include "tests/support/temporary.hpp"

namespace cambium::base {
namespace {

class AvailableMemory : public testing::Test {
 protected:
  std::uint64_t left() const { return available_memory_kb(folder_ / "meminfo", folder_.path()); }
  test::TemporaryFolder folder_;
};

TEST_F(AvailableMemory, IsWhatTheMachineHasLeft) {
  test::write_bytes(folder_ / "meminfo",
                    "MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable: 4000 kB\n");
  EXPECT_EQ(left(), 4000U);
  test::write_bytes(folder_ / "memory.max", "max\n");
  EXPECT_EQ(left(), 4000U);
}

TEST_F(AvailableMemory, IsWhatTheControlGroupAllowsIfThatIsLess) {
  test::write_bytes(folder_ / "meminfo", "MemAvailable: 4000 kB\n");
  test::write_bytes(folder_ / "memory.max", "2048000\n");
  test::write_bytes(folder_ / "memory.current", "1024000\n");
  EXPECT_EQ(left(), 1000U);
  test::write_bytes(folder_ / "memory.stat", "anon 1000\ninactive_file 512000\n");
  EXPECT_EQ(left(), 1500U) << "the file cache gives way";
  test::write_bytes(folder_ / "memory.current", "4096000\n");
  EXPECT_EQ(left(), 0U);
}

TEST_F(AvailableMemory, IsVeryLargeWhereNobodyTells) {
  EXPECT_GT(left(), std::uint64_t{1} << 50);
}

TEST(AvailableMemoryHere, IsSome) {
  EXPECT_GT(available_memory_kb(), 1000U);
}

}  // namespace
}  // namespace cambium::base
