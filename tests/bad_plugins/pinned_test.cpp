// Plugins that are accepted but can never leave: kept, counted, and told why.
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <ostream>
#include <thread>

#include "core/plugin/plugin_library.hpp"
#include "tests/support/temporary.hpp"

namespace cambium::plugin {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Field;
namespace fs = std::filesystem;

fs::path built(const std::string& name) {
  return fs::path(BAD_PLUGINS_DIR) / ("libbad_pins_" + name + ".so");
}

class PinnedPlugin : public testing::Test {
 protected:
  std::shared_ptr<const PluginLibrary> open(const fs::path& file) const {
    auto library = open_library(file, {.run_dir = folder_ / "run", .host = &kHost});
    EXPECT_TRUE(library) << library.error().message;
    return *library;
  }

  static inline std::atomic<int> heard = 0;
  static constexpr cambium_host kHost = {
      sizeof(cambium_host), [](const cambium_host*, std::uint32_t, const char*) { ++heard; }};
  test::TemporaryFolder folder_;
};

struct Reason {
  const char* name;
  const char* sentence;
  friend void PrintTo(const Reason& reason, std::ostream* out) { *out << reason.name; }
};

class PinReason : public PinnedPlugin, public testing::WithParamInterface<Reason> {};

TEST_P(PinReason, IsToldCountedAndTheLibraryStays) {
  if (!unmaps_libraries()) GTEST_SKIP() << "under a sanitizer all are kept for another reason";
  const auto file = built(GetParam().name);
  auto library = open(file);
  EXPECT_EQ(library->pinned(), GetParam().sentence);
  const auto name = library->mapped_as();
  { const auto head = library->create_head("nothing"); }
  library.reset();
  EXPECT_TRUE(is_mapped(name));
  EXPECT_THAT(loaded_libraries().kept,
              Contains(AllOf(Field(&KeptLibrary::file, file),
                             Field(&KeptLibrary::reason, GetParam().sentence))));
  EXPECT_EQ(open(file)->mapped_as(), name) << "opened again, it is the one that was kept";
}

INSTANTIATE_TEST_SUITE_P(
    All, PinReason,
    testing::Values(Reason{"thread", "can start threads ('pthread_create')"},
                    Reason{"callback", "can install a signal handler ('sigaction')"},
                    Reason{"thread_local", "has thread_local variables"},
                    Reason{"nodelete", "is linked with -z nodelete"},
                    Reason{"needs", "needs 'libbad_companion.so', which may keep pointers into it"},
                    Reason{"unnamed",
                           "takes 'cambium_test_somewhere' from a library that it does not name"}),
    [](const auto& one) { return std::string(one.param.name); });

bool heard_more_than(int count, std::atomic<int>& heard) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (heard <= count && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  return heard > count;
}

TEST_F(PinnedPlugin, ThreadThatWasLeftBehindStillHasItsCode) {
  { const auto head = open(built("thread"))->create_head("nothing"); }
  EXPECT_TRUE(heard_more_than(heard + 3, heard));
}

TEST_F(PinnedPlugin, CallbackThatWasKeptStillHasItsCode) {
  { const auto head = open(built("callback"))->create_head("nothing"); }
  const int before = heard;
  ASSERT_EQ(std::raise(SIGUSR2), 0);
  EXPECT_TRUE(heard_more_than(before, heard));
  std::signal(SIGUSR2, SIG_DFL);
}

TEST_F(PinnedPlugin, KeepsNoOtherLibraryFromLeaving) {
  if (!unmaps_libraries()) GTEST_SKIP() << "under a sanitizer all are kept";
  const auto pinned = open(built("nodelete"));
  auto other = open(MISBEHAVING);
  const auto name = other->mapped_as();
  ASSERT_TRUE(is_mapped(name));
  other.reset();
  EXPECT_FALSE(is_mapped(name));
  EXPECT_TRUE(is_mapped(pinned->mapped_as()));
}

// In a process of its own: what it keeps mapped would use up the places of the other tests.
using PinnedPluginDeathTest = PinnedPlugin;
TEST_F(PinnedPluginDeathTest, OneTooManyIsRefusedAndTheOthersGoOn) {
  if (!unmaps_libraries()) GTEST_SKIP() << "under a sanitizer there is no bound";
  const auto file = folder_ / "arm.so";
  const auto install = [&](const fs::path& plugin, std::size_t variant) {
    test::write_bytes(file, test::read_bytes(plugin) + std::string(variant, '\0'));
  };
  const auto try_all = [&] {
    for (std::size_t i = loaded_libraries().kept.size(); i < kMaxKept; ++i) {
      install(built("nodelete"), i);
      if (!open(file)) std::exit(2);
    }
    if (loaded_libraries().kept.size() != kMaxKept) std::exit(3);
    if (!open(file)) std::exit(4);  // bytes that are mapped cost nothing
    install(MISBEHAVING, 0);
    if (!open(file)) std::exit(5);  // what will leave again is welcome
    install(built("nodelete"), kMaxKept);
    const auto refused = open_library(file, {.run_dir = folder_ / "run"});
    if (refused) std::exit(6);
    std::fprintf(stderr, "%s: %s\n", to_string(refused.error().code),
                 refused.error().message.c_str());
    std::exit(0);
  };
  EXPECT_EXIT(try_all(), testing::ExitedWithCode(0),
              "limit: plugin '.*arm.so': would stay mapped for ever, because it .*; 32 such "
              "libraries are kept already, which is the most; restart this process");
}

}  // namespace
}  // namespace cambium::plugin
