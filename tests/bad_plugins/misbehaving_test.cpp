// The heads of the library `misbehaving` do what other tests rely on: sound for two chunks, then
// each in its own way not. What ends a process is run in one of its own.
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cmath>
#include <csignal>
#include <string>

#include "core/plugin/plugin_library.hpp"
#include "tests/support/temporary.hpp"

namespace cambium::plugin {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // its signal handlers and memory are not those of the system
#else
constexpr bool kSanitized = false;
#endif

class Misbehaving : public testing::Test {
 protected:
  /// Decodes `count` chunks; the last first number.
  float decode(const char* name, int count) const {
    const auto library = open_library(MISBEHAVING, {.run_dir = folder_ / "run"});
    EXPECT_TRUE(library) << library.error().message;
    const auto head = (*library)->create_head(name);
    EXPECT_TRUE(head) << head.error().message;
    const float value[] = {0.5F, -0.5F};
    const TensorView tensor = {"value", value, 1, {2}};
    Message why;
    EXPECT_TRUE(
        (*head)->activate({.width = 8, .horizon = 1, .dof = 2, .weights = {&tensor, 1}}, why).ok())
        << why.text;
    std::array<float, 2> action = {};
    for (int i = 0; i < count; ++i) EXPECT_TRUE((*head)->decode({}, {action.data(), 1, 2}).ok());
    return action[0];
  }

  static void limit(decltype(RLIMIT_AS) what, rlim_t most) {
    const rlimit both = {.rlim_cur = most, .rlim_max = most};
    ::setrlimit(what, &both);
  }

  test::TemporaryFolder folder_;
};
using MisbehavingDeathTest = Misbehaving;

TEST_F(Misbehaving, EveryHeadIsSoundForTwoChunks) {
  for (const char* name :
       {"throws", "nan", "sleeps", "loops", "eats_memory", "crashes", "aborts", "exits"})
    EXPECT_EQ(decode(name, 2), 0.5F) << name;
}

TEST_F(Misbehaving, NanComesWithTheThirdChunk) {
  EXPECT_TRUE(std::isnan(decode("nan", 3)));
}

TEST_F(Misbehaving, SleepsThreeSeconds) {
  const auto start = std::chrono::steady_clock::now();
  decode("sleeps", 3);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::seconds(3));
}

TEST_F(MisbehavingDeathTest, ExceptionEndsTheProcessBecauseDecodeIsNoexcept) {
  EXPECT_EXIT(decode("throws", 3), testing::KilledBySignal(SIGABRT), "the third chunk");
}

TEST_F(MisbehavingDeathTest, LoopUsesUpItsProcessorTime) {
  EXPECT_EXIT(
      {
        limit(RLIMIT_CPU, 1);
        decode("loops", 3);
      },
      testing::KilledBySignal(SIGKILL), "");
}

TEST_F(MisbehavingDeathTest, MemoryRunsOutAtTheLimit) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's shadow does not fit below a limit";
  EXPECT_EXIT(
      {
        limit(RLIMIT_AS, 512 << 20);
        decode("eats_memory", 3);
      },
      testing::KilledBySignal(SIGABRT), "terminate called");
}

TEST_F(MisbehavingDeathTest, WriteToNullIsASegmentationFault) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer reports it and exits";
  EXPECT_EXIT(decode("crashes", 3), testing::KilledBySignal(SIGSEGV), "");
}

TEST_F(MisbehavingDeathTest, AbortAndExitEndTheProcess) {
  EXPECT_EXIT(decode("aborts", 3), testing::KilledBySignal(SIGABRT), "");
  EXPECT_EXIT(decode("exits", 3), testing::ExitedWithCode(3), "");
}

}  // namespace
}  // namespace cambium::plugin
