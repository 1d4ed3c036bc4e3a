// Every refusal of the plugin door: the code for programs, and the sentence shown to people.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "cambium/version.hpp"
#include "core/plugin/plugin_library.hpp"

namespace cambium::plugin {
namespace {

using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

std::string abi(int major, int minor) {
  return std::to_string(major) + "." + std::to_string(minor);
}

class BadPlugin : public testing::Test {
 protected:
  BadPlugin() : dir_(fs::path(testing::TempDir()) / ("bad_plugins." + std::to_string(getpid()))) {
    fs::create_directories(dir_);
  }
  ~BadPlugin() override { fs::remove_all(dir_); }

  static fs::path built(const std::string& name) {
    return fs::path(BAD_PLUGINS_DIR) / ("libbad_" + name + ".so");
  }
  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ / name, std::ios::binary) << text;
    return dir_ / name;
  }
  Result<std::shared_ptr<const PluginLibrary>> open(const fs::path& file) const {
    return open_library(file, {.run_dir = dir_ / "run"});
  }
  Error refusal(const fs::path& file) const {
    const std::size_t before = loaded_libraries().mapped;
    auto library = open(file);
    if (library) return {Code::ok, "was accepted"};
    EXPECT_THAT(library.error().message, HasSubstr("plugin '" + file.string() + "'"));
    if (unmaps_libraries()) {
      EXPECT_EQ(loaded_libraries().mapped, before);
    }
    EXPECT_TRUE(!fs::exists(dir_ / "run") || fs::is_empty(dir_ / "run")) << "the copy was left";
    return library.error();
  }
  std::shared_ptr<const PluginLibrary> accepted(const std::string& name) const {
    auto library = open(built(name));
    EXPECT_TRUE(library) << library.error().message;
    return *library;
  }

  fs::path dir_;
};

TEST_F(BadPlugin, MissingFileIsNotFound) {
  const Error error = refusal(dir_ / "arm.so");
  EXPECT_EQ(error.code, Code::not_found);
  EXPECT_THAT(error.message, HasSubstr("No such file"));
}

TEST_F(BadPlugin, DirectoryIsNoRegularFile) {
  const Error error = refusal(dir_);
  EXPECT_EQ(error.code, Code::bad_argument);
  EXPECT_THAT(error.message, HasSubstr("not a regular file"));
}

TEST_F(BadPlugin, NamedPipeIsRefusedWithoutWaitingForAWriter) {
  const fs::path pipe = dir_ / "pipe.so";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const Error error = refusal(pipe);
  EXPECT_EQ(error.code, Code::bad_argument);
  EXPECT_THAT(error.message, HasSubstr("not a regular file"));
}

TEST_F(BadPlugin, EmptyFileIsSaidToBeEmpty) {
  const Error error = refusal(write("empty.so", ""));
  EXPECT_EQ(error.code, Code::bad_data);
  EXPECT_THAT(error.message, HasSubstr("the file is empty"));
}

TEST_F(BadPlugin, TextFileIsNoSharedLibrary) {
  const Error error = refusal(write("notes.so", "#!/bin/sh\necho a script, not a library\n"));
  EXPECT_EQ(error.code, Code::bad_data);
  EXPECT_THAT(error.message,
              AllOf(HasSubstr("not a shared library"), HasSubstr("cambium_add_plugin")));
}

TEST_F(BadPlugin, HalfWrittenLibraryIsRefusedAtEveryLength) {
  std::ifstream in(built("null_name"), std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  ASSERT_GT(whole.size(), 4096u);
  for (std::size_t size : {std::size_t{4}, std::size_t{63}, std::size_t{64}, std::size_t{1000},
                           whole.size() / 2, whole.size() - 1}) {
    const Error error = refusal(write("half.so", whole.substr(0, size)));
    EXPECT_EQ(error.code, Code::bad_data) << size;
    EXPECT_THAT(error.message, AllOf(HasSubstr("half written"),
                                     HasSubstr("(" + std::to_string(size) + " bytes)")));
  }
}

TEST_F(BadPlugin, LibraryWithoutEntryIsToldWhatToWrite) {
  const Error error = refusal(built("no_symbol"));
  EXPECT_EQ(error.code, Code::not_found);
  EXPECT_THAT(error.message,
              AllOf(HasSubstr("exports no symbol 'cambium_plugin'"), HasSubstr("CAMBIUM_PLUGIN(")));
}

TEST_F(BadPlugin, WrongMagicNamesBoth) {
  const Error error = refusal(built("wrong_magic"));
  EXPECT_EQ(error.code, Code::incompatible);
  EXPECT_THAT(error.message,
              AllOf(HasSubstr("magic 0x21444142"), HasSubstr("expected 0x314d4243")));
}

TEST_F(BadPlugin, NewerMajorNamesBoth) {
  const Error error = refusal(built("newer_major"));
  EXPECT_EQ(error.code, Code::incompatible);
  EXPECT_THAT(error.message, AllOf(HasSubstr("plugin ABI " + abi(kAbiMajor + 1, kAbiMinor) + ","),
                                   HasSubstr("this host speaks " + abi(kAbiMajor, kAbiMinor)),
                                   HasSubstr("use a newer host")));
}

TEST_F(BadPlugin, NewerMinorNamesBoth) {
  const Error error = refusal(built("newer_minor"));
  EXPECT_EQ(error.code, Code::incompatible);
  EXPECT_THAT(error.message, AllOf(HasSubstr("plugin ABI " + abi(kAbiMajor, kAbiMinor + 1) + ","),
                                   HasSubstr("this host speaks " + abi(kAbiMajor, kAbiMinor))));
}

TEST_F(BadPlugin, ShortEntryNamesBothSizes) {
  const Error error = refusal(built("short_entry"));
  EXPECT_EQ(error.code, Code::bad_data);
  EXPECT_THAT(error.message,
              AllOf(HasSubstr("its entry has 16 bytes"),
                    HasSubstr("needs " + std::to_string(sizeof(cambium_plugin_entry)))));
}

TEST_F(BadPlugin, OtherBuildNamesTheFlagThatDiffers) {
  const Error error = refusal(built("other_build"));
  EXPECT_EQ(error.code, Code::incompatible);
  EXPECT_THAT(error.message, AllOf(HasSubstr("built with 'simd=128', this host with 'simd="),
                                   HasSubstr("same compiler flags")));
}

TEST_F(BadPlugin, NoCodeOfARefusedPluginHasRun) {
  ::unsetenv("CAMBIUM_TEST_BAD_PLUGIN_RAN");
  for (const char* name :
       {"wrong_magic", "newer_major", "newer_minor", "short_entry", "other_build"})
    EXPECT_NE(refusal(built(name)).code, Code::ok);
  EXPECT_EQ(std::getenv("CAMBIUM_TEST_BAD_PLUGIN_RAN"), nullptr);
}

TEST_F(BadPlugin, MissingSymbolIsFoundWhenOpenedAndNamed) {
  const Error error = refusal(built("unresolved"));
  EXPECT_EQ(error.code, Code::failed);
  EXPECT_THAT(error.message, AllOf(HasSubstr("cambium_test_nobody_defines_this"),
                                   HasSubstr("link what is missing")));
}

TEST_F(BadPlugin, UniqueSymbolIsNamedWithItsCure) {
  const Error error = refusal(built("unique"));
  EXPECT_EQ(error.code, Code::incompatible);
  EXPECT_THAT(error.message,
              AllOf(HasSubstr("defines the GNU_UNIQUE symbol '_Z"), HasSubstr("-fno-gnu-unique")));
}

TEST_F(BadPlugin, DuplicateExportNamesBothPlaces) {
  const Error error = refusal(built("duplicate_export"));
  EXPECT_EQ(error.code, Code::bad_data);
  EXPECT_THAT(error.message, HasSubstr("exports 0 and 2 are both 'token' (cambium.stem/1)"));
}

TEST_F(BadPlugin, NamelessExportIsCounted) {
  const Error error = refusal(built("null_name"));
  EXPECT_EQ(error.code, Code::bad_data);
  EXPECT_THAT(error.message, HasSubstr("export 0 (cambium.head/1) has no name"));
}

TEST_F(BadPlugin, ExportWithoutCreateIsNamed) {
  const Error error = refusal(built("null_create"));
  EXPECT_EQ(error.code, Code::bad_data);
  EXPECT_THAT(error.message, HasSubstr("export 'mlp' (cambium.head/1) lacks its create"));
}

TEST_F(BadPlugin, PluginThatExportsNothingIsToldWhatToList) {
  const Error error = refusal(built("no_exports"));
  EXPECT_EQ(error.code, Code::bad_data);
  EXPECT_THAT(error.message, HasSubstr("it exports 0 things, expected 1 to 256; list embodiments, "
                                       "stems or heads in CAMBIUM_PLUGIN("));
}

TEST_F(BadPlugin, StateOfNothingIsRefusedWithTheNearestName) {
  const Error error = refusal(built("orphan_state"));
  EXPECT_EQ(error.code, Code::bad_data);
  EXPECT_THAT(error.message, HasSubstr("exports the state of 'head:wlak', but no such stem or head "
                                       "(did you mean 'head:walk'?)"));
}

TEST_F(BadPlugin, ExceptionFromCreateBecomesAnError) {
  const auto library = accepted("creates_badly");
  const auto stem = library->create_stem("throws");
  ASSERT_FALSE(stem);
  EXPECT_EQ(stem.error().code, Code::failed);
  EXPECT_THAT(stem.error().message,
              AllOf(HasSubstr("creating 'throws' (cambium.stem/1)"),
                    HasSubstr("threw 'thrown across the seam'"), HasSubstr("must not throw")));
  const auto other = library->create_stem("throws_a_number");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::failed);
  EXPECT_THAT(other.error().message, HasSubstr("threw; a create function must not throw"));
}

TEST_F(BadPlugin, ThrowingConstructorIsCaughtInsideThePlugin) {
  const auto head = accepted("creates_badly")->create_head("throws_when_made");
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, Code::failed);
  EXPECT_THAT(head.error().message, HasSubstr("was refused by the plugin: failed"));
}

TEST_F(BadPlugin, NoObjectIsAnErrorAlthoughThePluginSaidOk) {
  const auto stem = accepted("creates_badly")->create_stem("gives_nothing");
  ASSERT_FALSE(stem);
  EXPECT_EQ(stem.error().code, Code::failed);
  EXPECT_THAT(stem.error().message, HasSubstr("gave no object although it said ok"));
}

TEST_F(BadPlugin, RefusalKeepsThePluginsCodeAndItsWordsReachTheHostsLog) {
  static std::string logged;
  static const cambium_host host = {sizeof(cambium_host),
                                    [](const cambium_host*, std::uint32_t level, const char* text) {
                                      logged = std::to_string(level) + " " + text;
                                    }};
  auto library = open_library(built("creates_badly"),
                              {.run_dir = dir_ / "run", .host = &host, .reuse = false});
  ASSERT_TRUE(library) << library.error().message;
  const auto head = (*library)->create_head("refuses");
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, Code::unavailable);
  EXPECT_EQ(logged, "3 no licence for this head");
}

TEST_F(BadPlugin, ImpossibleEmbodimentsAreRefusedByNameFieldAndValue) {
  const auto library = accepted("embodiment");
  const auto why = [&](std::string_view name) {
    const auto embodiment = library->embodiment(name);
    EXPECT_FALSE(embodiment);
    EXPECT_EQ(embodiment.error().code, Code::bad_data);
    return embodiment.error().message;
  };
  EXPECT_THAT(why("reversed_limits"),
              AllOf(HasSubstr(built("embodiment").string()),
                    HasSubstr("embodiment 'reversed_limits': joint 'elbow': position_min 1.5 is "
                              "not below position_max -1.5")));
  EXPECT_THAT(why("nameless_joint"), HasSubstr("joint 0: name '' is not lower_snake_case"));
  EXPECT_THAT(why("nan_limit"), HasSubstr("joint 'elbow': velocity_max is nan, expected a finite"));
  EXPECT_THAT(why("huge_rank"), HasSubstr("sensor 'camera': rank 7 is not 1 to 4"));
}

}  // namespace
}  // namespace cambium::plugin
