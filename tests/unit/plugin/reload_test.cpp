// A thousand code reloads of one head, as a lab does that rebuilds it all day: each time other
// code, the old head alive until the new one has taken over, and nothing left behind.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

#include "core/plugin/plugin_library.hpp"
#include "tests/support/temporary.hpp"

namespace cambium::plugin {
namespace {

/// What its head decodes becomes `number`.
std::string patched(std::string library, std::uint32_t number) {
  const std::string mark("number follows:\0", 16);
  const auto at = library.find(mark);
  EXPECT_NE(at, std::string::npos);
  EXPECT_EQ(library.find(mark, at + 1), std::string::npos);
  std::memcpy(library.data() + at + mark.size(), &number, sizeof number);
  return library;
}

float number_of(const HeadHandle& head) {
  float number = -1;
  EXPECT_TRUE(head->decode({}, {&number, 1, 1}).ok());
  return number;
}

/// Private copies that this process has mapped: their names are all below `folder`.
std::size_t mapped_below(const std::filesystem::path& folder) {
  std::ifstream maps("/proc/self/maps");
  std::string last, line;
  std::size_t files = 0;
  while (std::getline(maps, line)) {
    const auto at = line.find(folder.string());
    if (at == std::string::npos || line.substr(at) == last) continue;
    last = line.substr(at);  // a library's segments follow each other
    ++files;
  }
  return files;
}

/// Without what has been freed and only not been given back yet.
std::size_t resident_bytes() {
  ::malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  std::size_t all = 0, resident = 0;
  statm >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

TEST(CodeReload, ThousandVersionsOfOneHeadComeAndGo) {
  // Where huge pages are `always`, the kernel may make one of small ones at any time: 2 MB at once.
  ::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  const unsigned rounds = unmaps_libraries() ? 1000 : 100;
  const test::TemporaryFolder folder;
  const std::string built = test::read_bytes(RELOAD_SAMPLE);
  const auto file = folder / "head.so", run_dir = folder / "run";
  const std::size_t kept_before = loaded_libraries().kept.size();
  HeadHandle running;
  std::size_t after_fifty = 0;
  for (unsigned round = 1; round <= rounds; ++round) {
    test::write_bytes(file, patched(built, round));  // in place, as a linker does
    const auto library = open_library(file, {.run_dir = run_dir});
    ASSERT_TRUE(library) << library.error().message;
    auto fresh = (*library)->create_head("number");
    ASSERT_TRUE(fresh) << fresh.error().message;
    ASSERT_EQ(number_of(*fresh), static_cast<float>(round)) << "the new file's code runs";
    if (running) {
      ASSERT_EQ(number_of(running), static_cast<float>(round - 1)) << "beside the old";
    }
    if (unmaps_libraries()) {
      ASSERT_LE(loaded_libraries().mapped, 2u) << round;
      ASSERT_LE(mapped_below(run_dir), 2u) << round;
    }
    running = std::move(*fresh);
    if (round == 50) after_fifty = resident_bytes();
  }
  running = {};
  if (!unmaps_libraries()) {
    EXPECT_EQ(loaded_libraries().kept.size(), kept_before + rounds) << "kept and counted";
    return;
  }
  EXPECT_EQ(loaded_libraries().mapped, 0u);
  EXPECT_EQ(mapped_below(run_dir), 0u);
  const std::size_t at_end = resident_bytes();
  RecordProperty("resident_after_50", std::to_string(after_fifty));
  RecordProperty("resident_at_end", std::to_string(at_end));
  EXPECT_LT(static_cast<double>(at_end), 1.02 * static_cast<double>(after_fifty));
}

}  // namespace
}  // namespace cambium::plugin
