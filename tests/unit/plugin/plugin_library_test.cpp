#include "core/plugin/plugin_library.hpp"

#include <gmock/gmock.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "abi/plugin.hpp"

namespace cambium::plugin {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

class PluginLibraryTest : public testing::Test {
 protected:
  PluginLibraryTest()
      : dir_(fs::path(testing::TempDir()) / ("plugin_library." + std::to_string(getpid()))),
        file_(dir_ / "arm.so") {
    fs::create_directories(dir_);
    install(1);
  }
  ~PluginLibraryTest() override { fs::remove_all(dir_); }

  /// Overwrites the file in place, as a linker does. The name of the test behind it makes other
  /// bytes of it than those of the test before, which a sanitizer may have kept.
  void install(int version) const {
    std::ifstream in(version == 1 ? SAMPLE_1 : SAMPLE_2, std::ios::binary);
    std::ofstream out(file_, std::ios::binary);
    out << in.rdbuf() << testing::UnitTest::GetInstance()->current_test_info()->name();
  }
  std::shared_ptr<const PluginLibrary> open(OpenOptions options = {}) const {
    options.run_dir = dir_ / "run";
    auto library = open_library(file_, options);
    EXPECT_TRUE(library) << library.error().message;
    return library ? *library : nullptr;
  }
  std::size_t mapped() const { return loaded_libraries().mapped - before_; }
  static float token_of(const PluginLibrary& library) {
    const auto stem = library.create_stem("token");
    EXPECT_TRUE(stem);
    float token = 0;
    EXPECT_TRUE((*stem)->encode({}, {&token, 1, 1}).ok());
    return token;
  }

  const std::size_t before_ = loaded_libraries().mapped;
  fs::path dir_, file_;
};

TEST_F(PluginLibraryTest, TellsWhoThePluginIs) {
  const auto library = open();
  EXPECT_EQ(library->name(), "sample");
  EXPECT_EQ(library->version(), "1.0.0");
  EXPECT_EQ(library->build(), CAMBIUM_BUILD_TEXT);
  EXPECT_EQ(library->file(), file_);
  EXPECT_EQ(library->sha256().size(), 64u);
  ASSERT_EQ(library->exports().size(), 5u);
  EXPECT_EQ(library->exports()[2].interface_id, "cambium.stem/1");
  EXPECT_EQ(library->exports()[2].name, "token");
}

TEST_F(PluginLibraryTest, ListsInterfacesThatItDoesNotKnow) {
  EXPECT_EQ(open()->exports()[4].interface_id, "cambium.from_the_future/3");
}

TEST_F(PluginLibraryTest, LeavesNoFileBehind) {
  const auto library = open();
  EXPECT_TRUE(fs::is_empty(dir_ / "run"));
  EXPECT_EQ(token_of(*library), 1.0f) << "and works on without its file";
  fs::remove_all(dir_ / "run");
  fs::remove(file_);
  EXPECT_EQ(token_of(*library), 1.0f);
}

TEST_F(PluginLibraryTest, CopiesTheEmbodimentWhole) {
  auto library = open();
  const auto left = library->embodiment("left_arm");
  ASSERT_TRUE(left) << left.error().message;
  library.reset();
  EXPECT_EQ(mapped(), unmaps_libraries() ? 0u : 1u);
  EXPECT_EQ(left->summary, "a sample");
  ASSERT_EQ(left->dof(), 2u);
  EXPECT_EQ(left->joints[0].name, "shoulder");
  EXPECT_EQ(left->joints[0].home, 0.25);
  EXPECT_EQ(left->joints[1].kind, JointKind::prismatic);
  EXPECT_EQ(left->joints[1].velocity_max, 0.2);
  EXPECT_EQ(left->sensors[1].shape, (std::vector<std::uint32_t>{2, 49, 512}));
  EXPECT_EQ(left->sensors[1].size(), 2u * 49 * 512);
  EXPECT_EQ(left->action, ActionKind::joint_position);
  EXPECT_EQ(left->control_hz, 250);
  EXPECT_EQ(left->home_tool[2], 0.3);
  EXPECT_EQ(left->reach, 0.7);
  EXPECT_EQ(left->safe_pose, (std::vector<double>{0, 0.1}));
}

TEST_F(PluginLibraryTest, SaysWhichEmbodimentsThereAreToChooseFrom) {
  const auto unsaid = open()->embodiment();
  ASSERT_FALSE(unsaid);
  EXPECT_EQ(unsaid.error().code, Code::bad_argument);
  EXPECT_THAT(unsaid.error().message,
              HasSubstr("exports 2 embodiments ('left_arm', 'right_arm'); say which"));
}

TEST_F(PluginLibraryTest, NamesTheNearestOfWhatItExports) {
  const auto library = open();
  const auto embodiment = library->embodiment("left_hand");
  ASSERT_FALSE(embodiment);
  EXPECT_EQ(embodiment.error().code, Code::not_found);
  EXPECT_THAT(embodiment.error().message,
              AllOf(HasSubstr(file_.string()), HasSubstr("no embodiment 'left_hand'"),
                    HasSubstr("did you mean 'left_arm'?")));
  const auto stem = library->create_stem("tokn");
  ASSERT_FALSE(stem);
  EXPECT_THAT(stem.error().message, HasSubstr("no stem 'tokn' (did you mean 'token'?)"));
  const auto head = library->create_head("diffusion");
  ASSERT_FALSE(head);
  EXPECT_THAT(head.error().message, HasSubstr("no head 'diffusion' (valid: 'mlp')"));
}

TEST_F(PluginLibraryTest, HandleDestroysItsObjectThenReleasesTheLibrary) {
  auto library = open();
  const auto name = library->mapped_as();
  auto head = library->create_head("mlp");
  float alive = -1;
  const auto count = [&] {
    EXPECT_TRUE((*head)->decode({}, {&alive, 1, 1}).ok());
    return alive;
  };
  EXPECT_EQ(count(), 0);
  {
    auto stem = library->create_stem("token");
    StemHandle moved = std::move(*stem);
    EXPECT_FALSE(*stem);  // NOLINT(bugprone-use-after-move): that is what is tested
    EXPECT_EQ(count(), 1);
    moved = *library->create_stem("token");
    EXPECT_EQ(count(), 1) << "the assigned-to object was destroyed";
  }
  EXPECT_EQ(count(), 0);
  library.reset();
  EXPECT_TRUE(is_mapped(name)) << "the handle holds the library";
  head = HeadHandle();
  EXPECT_EQ(is_mapped(name), !unmaps_libraries()) << "and was the last to do so";
}

TEST_F(PluginLibraryTest, ReplacedFileYieldsTheNewCodeBesideTheOld) {
  const auto old = open();
  install(2);
  const auto fresh = open();
  EXPECT_EQ(fresh->version(), "2.0.0");
  EXPECT_EQ(token_of(*fresh), 2.0f);
  EXPECT_EQ(token_of(*old), 1.0f);
  EXPECT_NE(fresh->sha256(), old->sha256());
  EXPECT_EQ(mapped(), 2u);
}

TEST_F(PluginLibraryTest, TwoVersionsShareNoStatics) {
  const auto old = open();
  const auto object = old->create_stem("token");
  install(2);
  const auto head = open()->create_head("mlp");
  float alive = -1;
  EXPECT_TRUE((*head)->decode({}, {&alive, 1, 1}).ok());
  EXPECT_EQ(alive, 0) << "the object of the old version is not counted by the new one";
}

TEST_F(PluginLibraryTest, SameBytesAreOneLibraryUnlessToldOtherwise) {
  const auto first = open();
  EXPECT_EQ(open(), first);
  EXPECT_EQ(mapped(), 1u);
  const auto separate = open({.reuse = false});
  EXPECT_NE(separate, first);
  EXPECT_NE(separate->mapped_as(), first->mapped_as());
  EXPECT_EQ(mapped(), 2u);
}

TEST_F(PluginLibraryTest, SameBytesThatCameBackAfterTheyHadLeftStartAnew) {
  if (!unmaps_libraries()) GTEST_SKIP() << "kept for the sanitizer, statics and all";
  auto library = open();
  const auto first = library->mapped_as();
  library.reset();
  EXPECT_FALSE(is_mapped(first));
  library = open();
  EXPECT_NE(library->mapped_as(), first);
  EXPECT_EQ(token_of(*library), 1.0f);
  EXPECT_EQ(library->pinned(), "");
  EXPECT_TRUE(loaded_libraries().kept.empty());
}

TEST_F(PluginLibraryTest, ThreadsThatOpenTheSameFileGetOneLibrary) {
  std::vector<std::shared_ptr<const PluginLibrary>> opened(4);
  {
    std::vector<std::jthread> threads;
    for (auto& slot : opened) threads.emplace_back([&slot, this] { slot = open(); });
  }
  for (const auto& library : opened) EXPECT_EQ(library, opened.front());
}

TEST_F(PluginLibraryTest, SaysWhereItCannotWrite) {
  const fs::path blocked = dir_ / "blocked";
  std::ofstream(blocked) << "a file where the folder should be";
  const auto library = open_library(file_, {.run_dir = blocked / "run"});
  ASSERT_FALSE(library);
  EXPECT_EQ(library.error().code, Code::failed);
  EXPECT_THAT(library.error().message, AllOf(HasSubstr(file_.string()), HasSubstr(blocked.string()),
                                             HasSubstr("make the run directory writable")));
}

constexpr JointSpec kLinkedJoints[] = {{"hinge", JointKind::revolute, -1, 1, 1, 1, 0}};
constexpr SensorSpec kLinkedSensors[] = {{"joint_position", "rad", "joint", 1, {1}}};
constexpr RobotSpec kLinkedRobot = {
    .name = "linked", .joints = kLinkedJoints, .sensors = kLinkedSensors};
constexpr cambium_export kLinkedExports[] = {embodiment<kLinkedRobot>()};
constexpr cambium_plugin_entry kLinkedEntry = {CAMBIUM_PLUGIN_MAGIC,
                                               sizeof(cambium_plugin_entry),
                                               kAbiMajor,
                                               kAbiMinor,
                                               1,
                                               CAMBIUM_BUILD_TEXT,
                                               "linked",
                                               "0.0.1",
                                               kLinkedExports};

TEST(LinkedLibrary, IsAPluginLikeAnyOther) {
  const auto library = linked_library(kLinkedEntry);
  ASSERT_TRUE(library) << library.error().message;
  EXPECT_EQ((*library)->name(), "linked");
  const auto only = (*library)->embodiment();
  ASSERT_TRUE(only) << only.error().message;
  EXPECT_EQ(only->joints[0].name, "hinge");
  const auto stem = (*library)->create_stem("token");
  ASSERT_FALSE(stem);
  EXPECT_THAT(stem.error().message, HasSubstr("exports no stem at all"));
}

// A RobotSpec as plugins of minor 0 have it; what follows in memory is somebody else's.
struct OldPluginsMemory {
  std::array<std::byte, offsetof(RobotSpec, jerk_max)> spec{};
  std::array<std::uint64_t, 2> others = {0x10, 99};  // read as a span: 99 numbers at address 16
};
static_assert(offsetof(OldPluginsMemory, others) == offsetof(RobotSpec, jerk_max));
alignas(RobotSpec) OldPluginsMemory old_memory;

TEST(LinkedLibrary, OfAnOlderMinorIsNotAskedForFieldsThatItDoesNotHave) {
  std::memcpy(old_memory.spec.data(), &kLinkedRobot, sizeof old_memory.spec);
  const cambium_export exports[] = {{kEmbodimentInterface, "linked",
                                     [](const cambium_host*, void** out) noexcept -> std::uint32_t {
                                       *out = &old_memory;
                                       return 0;
                                     },
                                     [](void*) noexcept {}}};
  cambium_plugin_entry entry = kLinkedEntry;
  entry.exports = exports;
  entry.abi_minor = 0;
  const auto library = linked_library(entry);
  ASSERT_TRUE(library) << library.error().message;
  const auto body = (*library)->embodiment();
  ASSERT_TRUE(body) << body.error().message;
  EXPECT_TRUE(body->jerk_max.empty());
}

// As above, of minor 1: what follows jerk_max is somebody else's.
struct Minor1Memory {
  std::array<std::byte, offsetof(RobotSpec, axes)> spec{};
  std::array<std::uint64_t, 2> others = {0x10, 99};
};
static_assert(offsetof(Minor1Memory, others) == offsetof(RobotSpec, axes));
alignas(RobotSpec) Minor1Memory minor1_memory;

TEST(LinkedLibrary, OfMinor1IsNotAskedForAxes) {
  std::memcpy(minor1_memory.spec.data(), &kLinkedRobot, sizeof minor1_memory.spec);
  const cambium_export exports[] = {{kEmbodimentInterface, "linked",
                                     [](const cambium_host*, void** out) noexcept -> std::uint32_t {
                                       *out = &minor1_memory;
                                       return 0;
                                     },
                                     [](void*) noexcept {}}};
  cambium_plugin_entry entry = kLinkedEntry;
  entry.exports = exports;
  entry.abi_minor = 1;
  const auto library = linked_library(entry);
  ASSERT_TRUE(library) << library.error().message;
  const auto body = (*library)->embodiment();
  ASSERT_TRUE(body) << body.error().message;
  EXPECT_TRUE(body->axes.empty());
}

TEST(LinkedLibrary, OfThisMinorMaySayWhereItsJointsLie) {
  static constexpr cambium::JointAxis kAxes[] = {{{0, 0.5, 0.25}, {0, 0, -1}}};
  static constexpr RobotSpec kRobot = {
      .name = "linked", .joints = kLinkedJoints, .sensors = kLinkedSensors, .axes = kAxes};
  static constexpr cambium_export kExports[] = {embodiment<kRobot>()};
  cambium_plugin_entry entry = kLinkedEntry;
  entry.exports = kExports;
  const auto library = linked_library(entry);
  ASSERT_TRUE(library) << library.error().message;
  const auto body = (*library)->embodiment();
  ASSERT_TRUE(body) << body.error().message;
  ASSERT_EQ(body->axes.size(), 1U);
  EXPECT_THAT(body->axes[0].point, ElementsAre(0, 0.5, 0.25));
  EXPECT_THAT(body->axes[0].direction, ElementsAre(0, 0, -1));
}

TEST(LinkedLibrary, OfThisMinorMayLimitJerk) {
  static constexpr double kJerk[] = {250};
  static constexpr RobotSpec kRobot = {
      .name = "linked", .joints = kLinkedJoints, .sensors = kLinkedSensors, .jerk_max = kJerk};
  static constexpr cambium_export kExports[] = {embodiment<kRobot>()};
  cambium_plugin_entry entry = kLinkedEntry;
  entry.exports = kExports;
  const auto library = linked_library(entry);
  ASSERT_TRUE(library) << library.error().message;
  const auto body = (*library)->embodiment();
  ASSERT_TRUE(body) << body.error().message;
  EXPECT_THAT(body->jerk_max, ElementsAre(250));
}

TEST(LinkedLibrary, PassesTheSameChecks) {
  cambium_plugin_entry entry = kLinkedEntry;
  entry.build = "cxx11abi=0;simd=16;sanitizer=none";
  EXPECT_FALSE(linked_library(entry));
  entry = kLinkedEntry;
  entry.export_count = 0;
  const auto empty = linked_library(entry);
  ASSERT_FALSE(empty);
  EXPECT_THAT(empty.error().message, HasSubstr("exports 0 things"));
}

}  // namespace
}  // namespace cambium::plugin
