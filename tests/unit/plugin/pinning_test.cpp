#include "core/plugin/pinning.hpp"

#include <gmock/gmock.h>

#include "core/plugin/elf_file.hpp"
#include "core/plugin/plugin_library.hpp"
#include "tests/support/temporary.hpp"

namespace cambium::plugin {
namespace {

Result<ElfFacts> inspect(const char* file) {
  const std::string bytes = test::read_bytes(file);
  return inspect_elf(std::as_bytes(std::span(bytes)), file);
}

// A sanitizer's own imports are not the plugin's; there nothing is unmapped anyway.
#define SKIP_UNDER_SANITIZER() \
  if (!unmaps_libraries()) GTEST_SKIP() << "a sanitizer adds imports of its own"

TEST(Pinning, OrdinaryPluginMayLeave) {
  SKIP_UNDER_SANITIZER();
  const auto facts = inspect(SAMPLE_1);
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_FALSE(facts->needed.empty());
  EXPECT_THAT(facts->imports, testing::Contains(testing::Field(&Import::name, "_Znwm")))
      << "operator new: what it takes from others is read";
  EXPECT_EQ(facts->pinned, "");
}

TEST(Pinning, SystemLibrariesPinNothingAndEveryOtherOneDoes) {
  EXPECT_EQ(why_pinned({.needed = {"libstdc++.so.6", "libm.so.6", "libgcc_s.so.1", "libc.so.6",
                                   "ld-linux-x86-64.so.2"}}),
            "");
  EXPECT_EQ(why_pinned({.needed = {"libc.so.6", "libgomp.so.1"}}),
            "needs 'libgomp.so.1', which may keep pointers into it");
  EXPECT_EQ(why_pinned({.needed = {"libcrypt.so.1"}}),
            "needs 'libcrypt.so.1', which may keep pointers into it")
      << "a name that begins alike is another library";
}

TEST(Pinning, NamesTheFunctionByWhichCodeCanBeKept) {
  const auto why = [](const char* import) {
    return why_pinned({.imports = {{"memcpy", true}, {import, true}}});
  };
  EXPECT_EQ(why("memcpy"), "");
  EXPECT_EQ(why("__cxa_atexit"), "") << "run by dlclose()";
  EXPECT_EQ(why("pthread_create"), "can start threads ('pthread_create')");
  EXPECT_EQ(why("_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_"
                "EEPFvvE"),
            "can start threads ('std::thread')");
  EXPECT_EQ(why("__cxa_thread_atexit"), "runs code when a thread ends ('__cxa_thread_atexit')");
  EXPECT_EQ(why("on_exit"), "runs code when the process ends ('on_exit')");
  EXPECT_EQ(why("__register_atfork"), "runs code when the process forks ('__register_atfork')");
  EXPECT_EQ(why("sigaction"), "can install a signal handler ('sigaction')");
  EXPECT_EQ(why("timer_create"), "can have itself called when something is done ('timer_create')");
  EXPECT_EQ(why("_ZSt13set_terminatePFvvE"),
            "can replace a handler of the whole process ('std::set_terminate')");
  EXPECT_EQ(why("fopencookie"), "can put its code behind a stream that others use ('fopencookie')");
  EXPECT_EQ(why("putenv"), "can leave a pointer to its data with the C library ('putenv')");
  EXPECT_EQ(why("dlsym"), "can reach functions that it does not name ('dlsym')");
}

TEST(Pinning, ImportWithoutAVersionMayComeFromAnywhere) {
  EXPECT_EQ(why_pinned({.imports = {{"zmq_ctx_new", false}}}),
            "takes 'zmq_ctx_new' from a library that it does not name");
  EXPECT_EQ(why_pinned({.imports = {{"__gmon_start__", false}, {"__cxa_finalize", false}}}), "");
}

TEST(Pinning, ThreadLocalsAndTheLinkersOwnWordPin) {
  EXPECT_EQ(why_pinned({.thread_locals = true}), "has thread_local variables");
  EXPECT_EQ(why_pinned({.nodelete = true}), "is linked with -z nodelete");
}

// The robots of this tree must not be the ones that fill a host up.
TEST(Pinning, EveryPluginOfThisTreeMayLeave) {
  SKIP_UNDER_SANITIZER();
  std::size_t judged = 0;
  std::string files = OWN_PLUGINS;
  for (std::size_t end = 0; !files.empty(); files.erase(0, end == files.npos ? end : end + 1)) {
    end = files.find(',');
    const auto file = files.substr(0, end);
    const auto facts = inspect(file.c_str());
    ASSERT_TRUE(facts) << facts.error().message;
    EXPECT_EQ(facts->pinned, "") << file;
    ++judged;
  }
  EXPECT_GE(judged, 2u);
}

}  // namespace
}  // namespace cambium::plugin
