// Observations of openpi clients: written here, and as the original clients wrote them.
#include "core/adapters/openpi/observation_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "tests/support/golden_tree.hpp"

namespace cambium::openpi {
namespace {

using formats::ArrayDialect;
using formats::MsgpackWriter;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> keys(const ObservationReader& reader) {
  std::vector<std::string> all;
  for (const auto& entry : reader.observation().entries) all.push_back(entry.key);
  return all;
}

std::vector<float> floats(const formats::ArrayView& array) {
  std::vector<float> all(array.count());
  EXPECT_TRUE(formats::to_floats(array, all));
  return all;
}

void write_numbers(MsgpackWriter& to, const std::vector<float>& numbers,
                   ArrayDialect dialect = ArrayDialect::openpi) {
  to.array(dialect, std::array<std::uint64_t, 1>{numbers.size()}, numbers);
}

TEST(OpenpiObservation, JoinsNestedKeysAndLeavesSlashesAlone) {
  MsgpackWriter to;
  to.map(4);
  to.text("observation/state"), write_numbers(to, {1, 2});
  to.text("images"), to.map(1), to.text("high"), write_numbers(to, {3});
  to.text("prompt"), to.text("fold the towel");
  to.text("note"), to.text("of no use");
  ObservationReader reader;
  const auto read = reader.read(to.bytes());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_THAT(keys(reader), ElementsAre("observation/state", "images/high"));
  EXPECT_EQ(floats(reader.observation().entries[0].array), (std::vector<float>{1, 2}));
  EXPECT_EQ(reader.observation().task, "fold the towel");
  EXPECT_EQ(reader.dialect(), ArrayDialect::openpi);
}

TEST(OpenpiObservation, TakesPlainNumbersAndListsOfThemAsArrays) {
  MsgpackWriter to;
  to.map(4);
  to.text("gripper"), to.number(0.25);
  to.text("open"), to.boolean(true);
  to.text("state"), to.list(3), to.integer(1), to.number(2.5), to.integer(-3);
  to.text("names"), to.list(1), to.text("of no use");
  ObservationReader reader;
  ASSERT_TRUE(reader.read(to.bytes()));
  EXPECT_THAT(keys(reader), ElementsAre("gripper", "open", "state"));
  EXPECT_EQ(floats(reader.observation().entries[0].array), std::vector<float>{0.25F});
  EXPECT_EQ(floats(reader.observation().entries[1].array), std::vector<float>{1});
  EXPECT_EQ(floats(reader.observation().entries[2].array), (std::vector<float>{1, 2.5F, -3}));
}

TEST(OpenpiObservation, KnowsTheDialectOfItsArrays) {
  ObservationReader reader;
  for (const auto dialect : {ArrayDialect::msgpack_numpy, ArrayDialect::openpi}) {
    MsgpackWriter to;
    to.map(1);
    to.text("state"), write_numbers(to, {1}, dialect);
    ASSERT_TRUE(reader.read(to.bytes()));
    EXPECT_EQ(reader.dialect(), dialect);
  }
}

TEST(OpenpiObservation, WithoutATaskHasAnEmptyOne) {
  MsgpackWriter to;
  to.map(0);
  ObservationReader reader;
  ASSERT_TRUE(reader.read(to.bytes()));
  EXPECT_EQ(reader.observation().task, "");
  EXPECT_TRUE(reader.observation().entries.empty());
}

TEST(OpenpiObservation, RefusesAKeyThatWouldMeanTwoThings) {
  MsgpackWriter to;
  to.map(2);
  to.text("a/b"), write_numbers(to, {1});
  to.text("a"), to.map(1), to.text("b"), write_numbers(to, {2});
  ObservationReader reader;
  const auto read = reader.read(to.bytes());
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("'a/b' comes twice"));
}

TEST(OpenpiObservation, RefusesWhatIsNoDictionaryOfTexts) {
  ObservationReader reader;
  MsgpackWriter list;
  list.list(0);
  EXPECT_THAT(reader.read(list.bytes()).error().message, HasSubstr("dictionary"));
  MsgpackWriter keyed;
  keyed.map(1);
  keyed.binary(std::as_bytes(std::span(std::string_view("state")))), write_numbers(keyed, {1});
  EXPECT_THAT(reader.read(keyed.bytes()).error().message, HasSubstr("texts"));
}

// Each of many values would repeat the key that they are nested in.
TEST(OpenpiObservation, RefusesKeysThatWouldTakeMuchMemory) {
  MsgpackWriter to;
  to.map(1);
  to.text(std::string(200, 'a')), to.map(1), to.text(std::string(200, 'b')), to.number(1);
  ObservationReader reader;
  EXPECT_THAT(reader.read(to.bytes()).error().message, HasSubstr("256 bytes"));
}

TEST(OpenpiObservation, OfTheOriginalClientsHasTheirKeys) {
  const auto folder = std::filesystem::path(CAMBIUM_GOLDEN) / "wire" / "openpi";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no captures in " << folder;
  ObservationReader reader;
  const auto read = [&](const char* name) {
    static std::vector<std::byte> bytes;  // borrowed until the next
    bytes = test::golden_bytes(folder / (std::string(name) + ".req.bin"));
    const auto done = reader.read(bytes);
    EXPECT_TRUE(done) << name << ": " << done.error().message;
  };
  read("aloha_real");
  EXPECT_THAT(keys(reader), ElementsAre("state", "images/cam_high", "images/cam_low",
                                        "images/cam_left_wrist", "images/cam_right_wrist"));
  EXPECT_EQ(reader.observation().task, "");
  read("droid_robot");
  EXPECT_THAT(keys(reader),
              ElementsAre("observation/exterior_image_1_left", "observation/wrist_image_left",
                          "observation/joint_position", "observation/gripper_position"));
  EXPECT_EQ(reader.observation().task, "fold the towel");
  read("dialect_pypi_msgpack_numpy");
  EXPECT_EQ(reader.dialect(), ArrayDialect::msgpack_numpy);
  EXPECT_THAT(keys(reader), ElementsAre("state", "image", "np_f4"));
}

}  // namespace
}  // namespace cambium::openpi
