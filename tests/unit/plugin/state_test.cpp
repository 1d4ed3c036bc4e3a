// What an object remembers, found through the export table and handed from one version of a plugin
// to the next. The head is the toy's "counting": the third chunk is 1.2 times the first.
#include "cambium/state.hpp"

#include <gmock/gmock.h>

#include <array>
#include <iterator>
#include <random>
#include <vector>

#include "abi/plugin.hpp"
#include "core/plugin/plugin_library.hpp"
#include "tests/support/malloc_guard.hpp"
#include "tests/support/temporary.hpp"

namespace cambium::plugin {
namespace {

using testing::HasSubstr;

class StateTest : public testing::Test {
 protected:
  /// A head "counting" of a toy plugin, active, with its state.
  struct Counting {
    HeadHandle head;
    State* state = nullptr;

    float next_action() {
      std::array<float, 2> action = {};
      EXPECT_TRUE(head->decode({}, {action.data(), 1, 2}).ok());
      return action[0];
    }
    std::vector<std::byte> saved() {
      std::vector<std::byte> bytes(kMaxStateBytes);
      std::uint32_t size = 0;
      EXPECT_TRUE(state->save(bytes, size).ok());
      bytes.resize(size);
      return bytes;
    }
  };

  std::shared_ptr<const PluginLibrary> open(const char* file) const {
    auto library = open_library(file, {.run_dir = folder_ / "run"});
    EXPECT_TRUE(library) << library.error().message;
    return *library;
  }
  Counting make(const char* file) const {
    const auto library = open(file);
    auto head = library->create_head("counting");
    EXPECT_TRUE(head) << head.error().message;
    const float value[] = {1, 1};
    const TensorView tensor = {"value", value, 1, {2}};
    Message why;
    EXPECT_TRUE(
        (*head)->activate({.width = 8, .horizon = 1, .dof = 2, .weights = {&tensor, 1}}, why).ok())
        << why.text;
    const auto state = library->state_of(**head, "counting");
    EXPECT_TRUE(state) << state.error().message;
    EXPECT_NE(*state, nullptr);
    return {std::move(*head), *state};
  }

  test::TemporaryFolder folder_;
  Message why_;
};

TEST_F(StateTest, IsNullForWhatRemembersNothing) {
  const auto library = open(TOY_ARM);
  const auto head = library->create_head("constant");
  const auto stem = library->create_stem("pass");
  const auto of_head = library->state_of(**head, "constant");
  ASSERT_TRUE(of_head) << of_head.error().message;
  EXPECT_EQ(*of_head, nullptr);
  const auto of_stem = library->state_of(**stem, "counting");
  ASSERT_TRUE(of_stem) << of_stem.error().message;
  EXPECT_EQ(*of_stem, nullptr) << "a head's name is no stem's";
}

TEST_F(StateTest, GoesOnWhereTheOldObjectStood) {
  Counting old = make(TOY_ARM), fresh = make(TOY_ARM);
  EXPECT_FLOAT_EQ(old.next_action(), 1.0F);
  EXPECT_FLOAT_EQ(old.next_action(), 1.1F);
  ASSERT_TRUE(fresh.state->load(old.saved(), why_).ok()) << why_.text;
  EXPECT_FLOAT_EQ(fresh.next_action(), 1.2F);
  EXPECT_FLOAT_EQ(old.next_action(), 1.2F) << "saving changed nothing";
}

TEST_F(StateTest, SavesTheSameBytesThatItLoaded) {
  Counting old = make(TOY_ARM), fresh = make(TOY_ARM);
  old.next_action();
  const auto bytes = old.saved();
  EXPECT_LE(bytes.size(), kMaxStateBytes);
  ASSERT_TRUE(fresh.state->load(bytes, why_).ok());
  EXPECT_EQ(fresh.saved(), bytes);
  EXPECT_EQ(old.saved(), bytes);
}

TEST_F(StateTest, SaysHowMuchRoomItNeeds) {
  Counting counting = make(TOY_ARM);
  std::array<std::byte, 4> small = {};
  std::uint32_t size = 0;
  EXPECT_EQ(counting.state->save(small, size).code(), Code::limit);
  EXPECT_EQ(size, counting.saved().size());
}

TEST_F(StateTest, RefusesEmptyRandomAndDamagedBytesAndStaysAsItWas) {
  Counting counting = make(TOY_ARM);
  counting.next_action();
  const auto sound = counting.saved();
  const auto refused = [&](std::span<const std::byte> bytes) {
    why_ = {};
    EXPECT_EQ(counting.state->load(bytes, why_).code(), Code::bad_data);
    EXPECT_THAT(why_.text, HasSubstr("state of 'counting'"));
    EXPECT_EQ(counting.saved(), sound);
  };
  refused({});
  std::mt19937 random(7);
  for (int i = 0; i < 1000; ++i) {
    std::vector<std::byte> bytes(i % 2 == 0 ? sound.size() : random() % 100);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random());
    refused(bytes);
  }
  for (std::size_t at = 0; at < sound.size(); ++at) {
    auto bytes = sound;
    bytes[at] ^= std::byte{0x10};
    refused(bytes);
  }
  EXPECT_FLOAT_EQ(counting.next_action(), 1.1F);
}

TEST_F(StateTest, NewerVersionConvertsTheOlderOnesBytes) {
  Counting old = make(TOY_ARM), newer = make(TOY_ARM_2);
  ASSERT_EQ(old.state->version(), 1u);
  ASSERT_EQ(newer.state->version(), 2u);
  old.next_action();
  const auto bytes = old.saved();
  EXPECT_EQ(newer.state->load(bytes, why_).code(), Code::bad_data) << "not without conversion";
  std::vector<std::byte> converted(kMaxStateBytes);
  std::uint32_t size = 0;
  ASSERT_TRUE(newer.state->convert(1, bytes, converted, size, why_).ok()) << why_.text;
  EXPECT_FLOAT_EQ(newer.next_action(), 2.0F) << "converting changed nothing";
  ASSERT_TRUE(newer.state->load({converted.data(), size}, why_).ok()) << why_.text;
  EXPECT_FLOAT_EQ(newer.next_action(), 2 * 1.1F);
}

TEST_F(StateTest, VersionsThatNobodyKnowsAreIncompatible) {
  Counting old = make(TOY_ARM), newer = make(TOY_ARM_2);
  std::vector<std::byte> room(kMaxStateBytes);
  std::uint32_t size = 0;
  EXPECT_EQ(old.state->convert(2, newer.saved(), room, size, why_).code(), Code::incompatible);
  EXPECT_THAT(why_.text, HasSubstr("version 1 is the first"));
  EXPECT_EQ(newer.state->convert(7, old.saved(), room, size, why_).code(), Code::incompatible);
  EXPECT_THAT(why_.text, HasSubstr("knows version 1 alone"));
  EXPECT_EQ(newer.state->convert(1, {}, room, size, why_).code(), Code::bad_data);
}

TEST_F(StateTest, HandsOverWithoutAllocating) {
  if (!test::MallocGuard::works()) GTEST_SKIP() << "the sanitizer has its own malloc";
  Counting old = make(TOY_ARM), newer = make(TOY_ARM_2);
  std::array<std::byte, 256> bytes = {}, converted = {};
  std::uint32_t size = 0, converted_size = 0;
  const test::MallocGuard guard;
  const Status saved = old.state->save(bytes, size);
  const Status made = newer.state->convert(old.state->version(), {bytes.data(), size}, converted,
                                           converted_size, why_);
  const Status loaded = newer.state->load({converted.data(), converted_size}, why_);
  const Status refused = newer.state->load({bytes.data(), size}, why_);
  EXPECT_EQ(guard.allocations(), 0u);
  EXPECT_TRUE(saved.ok() && made.ok() && loaded.ok() && !refused.ok());
}

// Without the pointer's way down to the object and up again this would call the wrong table.
class RememberingStem final : public Stem, public State {
 public:
  Status activate(const StemSpec&, Message&) noexcept override { return {}; }
  Status encode(SensorWindow, TokensView) noexcept override { return {}; }
  void deactivate() noexcept override {}
  std::uint32_t version() const noexcept override { return 41; }
  Status save(std::span<std::byte>, std::uint32_t&) noexcept override { return {}; }
  Status load(std::span<const std::byte>, Message&) noexcept override { return {}; }
  Status convert(std::uint32_t, std::span<const std::byte>, std::span<std::byte>, std::uint32_t&,
                 Message&) noexcept override {
    return {};
  }
};

template <const auto& kExports>
Result<std::shared_ptr<const PluginLibrary>> linked() {
  static constexpr cambium_plugin_entry kEntry = {
      CAMBIUM_PLUGIN_MAGIC, sizeof kEntry, kAbiMajor, kAbiMinor, std::size(kExports),
      CAMBIUM_BUILD_TEXT,   "linked",      "0.0.1",   kExports};
  return linked_library(kEntry);
}

TEST(StateExport, WorksForStemsAndInLinkedPlugins) {
  static constexpr cambium_export kExports[] = {stem<RememberingStem>("walk"),
                                                stem_state<RememberingStem, "walk">()};
  const auto library = linked<kExports>();
  ASSERT_TRUE(library) << library.error().message;
  EXPECT_EQ((*library)->exports()[1].name, "stem:walk");
  const auto stem = (*library)->create_stem("walk");
  ASSERT_TRUE(stem);
  const auto state = (*library)->state_of(**stem, "walk");
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_EQ((*state)->version(), 41u);
}

TEST(StateExport, OfAStemThatIsNotExportedIsRefusedWithTheNearestName) {
  static constexpr cambium_export kExports[] = {stem<RememberingStem>("walk"),
                                                stem_state<RememberingStem, "wakl">()};
  const auto library = linked<kExports>();
  ASSERT_FALSE(library);
  EXPECT_EQ(library.error().code, Code::bad_data);
  EXPECT_THAT(library.error().message,
              HasSubstr("exports the state of 'stem:wakl', but no such stem or head (did you mean "
                        "'stem:walk'?)"));
}

TEST(StateExport, ThatGivesTheObjectBackInsteadOfItsStateIsAnError) {
  static constexpr cambium_export kExports[] = {
      stem<RememberingStem>("walk"),
      {kStateInterface, "stem:walk", [](const cambium_host*, void**) -> std::uint32_t { return 0; },
       [](void*) {}}};
  const auto library = linked<kExports>();
  ASSERT_TRUE(library) << library.error().message;
  const auto stem = (*library)->create_stem("walk");
  const auto state = (*library)->state_of(**stem, "walk");
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, Code::failed);
  EXPECT_THAT(state.error().message, HasSubstr("creating 'stem:walk' (cambium.state/1) gave no"));
}

}  // namespace
}  // namespace cambium::plugin
