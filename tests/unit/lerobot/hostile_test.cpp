// 380 payloads made to break a reader of pickles (../shared/golden/wire/lerobot/hostile), each as
// an observation and as policy instructions, in a child that has little memory and a second.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>

#include "core/adapters/lerobot/messages.hpp"
#include "tests/support/golden_tree.hpp"
#include "tests/support/sanitized.hpp"
#include "tests/support/temporary.hpp"

namespace cambium::adapters {
namespace {

namespace fs = std::filesystem;

enum Verdict : int { kRefused = 10, kAccepted = 11, kSilent = 12 };

// As a listener reads it whose robot has one joint, "a.pos", of at most this.
constexpr double kFurthest = 1e6;

int verdict_on(const std::vector<std::byte>& bytes) {
  const auto setup = read_setup(bytes);
  if (!setup && setup.error().message.empty()) return kSilent;
  const auto observation = read_observation(bytes);
  if (!observation && observation.error().message.empty()) return kSilent;
  if (setup) return kAccepted;
  if (!observation) return kRefused;
  for (const auto& entry : observation->what.entries) {
    float value = 0;
    if (entry.key == "a.pos" && formats::to_floats(entry.array, {&value, 1}) &&
        std::isfinite(value) && std::abs(value) < kFurthest)
      return kAccepted;
  }
  return kRefused;  // by the mapping: the joint is missing, or no number that it could have
}

// In `folder`; the status of the child, and how it ended.
int in_a_child(const fs::path& folder, const std::vector<std::byte>& bytes) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::chdir(folder.c_str()) != 0) ::_exit(1);
    const rlimit second = {1, 1}, memory = {512U << 20, 512U << 20};
    ::setrlimit(RLIMIT_CPU, &second);
    if (!test::kSanitized) ::setrlimit(RLIMIT_AS, &memory);  // their shadows are larger
    ::alarm(test::kSanitized ? 10 : 1);
    ::_exit(verdict_on(bytes));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(LerobotHostile, EveryPayloadIsRefusedWithoutEffect) {
  const fs::path folder = fs::path(CAMBIUM_GOLDEN) / "wire" / "lerobot" / "hostile";
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not here";
  const auto index = test::golden_json(folder / "index.json");
  const test::TemporaryFolder working;
  std::size_t offered = 0;
  for (const auto& entry : index["files"]) {
    const std::string file = entry["file"], expect = entry["expect"];
    const int status = in_a_child(working.path(), test::golden_bytes(folder / file));
    ASSERT_TRUE(WIFEXITED(status)) << file << " ended its reader by signal " << WTERMSIG(status);
    const int verdict = WEXITSTATUS(status);
    ASSERT_TRUE(verdict == kRefused || verdict == kAccepted) << file;
    // Only the control is accepted; where either would do, nothing must have happened.
    const bool refuse = expect == "refuse" || expect.starts_with("refuse:") ||
                        expect.starts_with("accept by the reader, refuse");
    if (expect == "accept") {
      EXPECT_EQ(verdict, kAccepted) << file;
    } else if (refuse) {
      EXPECT_EQ(verdict, kRefused) << file << ": " << entry["why"];
    }
    ++offered;
  }
  EXPECT_EQ(offered, 380u);
  EXPECT_TRUE(fs::is_empty(working.path()))
      << "something was executed: " << index["canary"].get<std::string>();
}

}  // namespace
}  // namespace cambium::adapters
