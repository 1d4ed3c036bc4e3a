// Positions, pooling, parameters and weights; the layers themselves are checked by tests/parity.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/nn/parameters.hpp"
#include "core/nn/pooling.hpp"
#include "core/nn/set_up.hpp"
#include "core/nn/sinusoid.hpp"
#include "core/nn/weights.hpp"
#include "tests/support/weights.hpp"

namespace cambium::nn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Sinusoid, InterleavesSinesAndCosines) {
  const SinusoidTable table(3, 5);
  for (std::uint32_t p = 0; p < 3; ++p) {
    EXPECT_FLOAT_EQ(table.row(p)[0], std::sin(static_cast<float>(p)));
    EXPECT_FLOAT_EQ(table.row(p)[1], std::cos(static_cast<float>(p)));
    EXPECT_FLOAT_EQ(table.row(p)[2], static_cast<float>(std::sin(p / std::pow(10000.0, 0.4))));
    EXPECT_FLOAT_EQ(table.row(p)[4], static_cast<float>(std::sin(p / std::pow(10000.0, 0.8))));
  }
}

TEST(Sinusoid, PositionsRestartWithEachSegment) {
  const SinusoidTable table(4, 2);
  std::vector<float> rows(5 * 2, 0.0f);
  add_sinusoid(table, rows.data(), 3);
  add_sinusoid(table, rows.data() + 6, 2);
  EXPECT_EQ(rows[6], rows[0]);
  EXPECT_EQ(rows[8], rows[2]);
  EXPECT_NE(rows[4], rows[2]);
}

TEST(Pooling, TakesWhatItsNameSays) {
  const float rows[] = {1, -2, 3, 5, 8, -7};  // (3, 2)
  const auto pooled = [&](Pooling pooling, std::uint32_t wanted) {
    std::vector<float> out(std::size_t{pooled_rows(pooling, 3, wanted)} * 2);
    pool(pooling, rows, 3, 2, wanted, out.data());
    return out;
  };
  EXPECT_THAT(pooled(Pooling::none, 1), ElementsAre(1, -2, 3, 5, 8, -7));
  EXPECT_THAT(pooled(Pooling::mean, 1), ElementsAre(4, testing::FloatEq(-4.0f / 3)));
  EXPECT_THAT(pooled(Pooling::last, 1), ElementsAre(8, -7));
  EXPECT_THAT(pooled(Pooling::max, 1), ElementsAre(8, 5));
  EXPECT_THAT(pooled(Pooling::action_token, 2), ElementsAre(3, 5, 8, -7));
}

TEST(Pooling, MaxKeepsNotANumberWhereverItIs) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float rows[] = {nan, 1, 2, nan, 3, 3};
  float out[2];
  pool(Pooling::max, rows, 3, 2, 1, out);
  EXPECT_TRUE(std::isnan(out[0]));
  EXPECT_TRUE(std::isnan(out[1]));
}

TEST(Pooling, HasAWordForEachAndNamesTheNearest) {
  for (const auto pooling :
       {Pooling::none, Pooling::mean, Pooling::last, Pooling::max, Pooling::action_token}) {
    EXPECT_EQ(*pooling_from(to_string(pooling)), pooling);
  }
  EXPECT_THAT(pooling_from("action_tokens").error().message, HasSubstr("'action_token'"));
}

TEST(ParameterReader, ReadsJsonText) {
  const Parameter parameters[] = {
      {"widths", "[3, 40]"}, {"heads", "8"}, {"ln", "true"}, {"kind", "\"b\""}};
  ParameterReader reader("stem 's'", parameters);
  EXPECT_THAT(reader.widths("widths", {}), ElementsAre(3, 40));
  EXPECT_EQ(reader.count("heads", 1), 8u);
  EXPECT_TRUE(reader.boolean("ln", false));
  EXPECT_EQ(reader.word("kind", "a", {"a", "b"}), "b");
  EXPECT_EQ(reader.count("not_given", 5), 5u);
  EXPECT_TRUE(reader.finish());
}

TEST(ParameterReader, KeepsTheFirstThingThatIsWrong) {
  const Parameter parameters[] = {{"heads", "-3"}, {"ln", "yes"}};
  ParameterReader reader("stem 's'", parameters);
  reader.count("heads", 1, 1, 64);
  reader.boolean("ln", true);
  EXPECT_EQ(reader.finish().error().message,
            "stem 's': parameter 'heads' is '-3', expected a whole number, 1 to 64");
}

TEST(ParameterReader, RefusesWidthsThatAreNotALists) {
  for (const char* text : {"7", "[0]", "[1.5]", "[99999999]", "[", "", "[\"3\"]"}) {
    const Parameter parameters[] = {{"widths", text}};
    ParameterReader reader("stem 's'", parameters);
    reader.widths("widths", {1});
    EXPECT_THAT(reader.finish().error().message, HasSubstr("'widths'")) << text;
  }
}

TEST(ParameterReader, RefusesAParameterWithoutText) {
  const Parameter parameters[] = {{"widths", nullptr}};
  ParameterReader reader("stem 's'", parameters);
  EXPECT_THAT(reader.finish().error().message, HasSubstr("parameter 0"));
}

TEST(WeightReader, NamesBothShapes) {
  test::WeightSet set;
  set.add("net.0.weight", {128, 7});
  const auto views = set.views();
  WeightReader reader("stem 's'", views);
  EXPECT_TRUE(reader.take("net.0.weight", {128, 9}).empty());
  EXPECT_EQ(reader.finish().error().message,
            "stem 's': tensor 'net.0.weight' has shape [128, 7], expected [128, 9]");
}

TEST(WeightReader, NamesTheMissingAndTheNearest) {
  test::WeightSet set;
  set.add("net.0.weights", {2});
  const auto views = set.views();
  WeightReader reader("stem 's'", views);
  reader.take("net.0.weight", {2});
  EXPECT_EQ(reader.finish().error().message,
            "stem 's': tensor 'net.0.weight' [2] is missing (nearest: 'net.0.weights')");
}

TEST(WeightReader, SurvivesARankThatNoTensorHas) {
  const float value = 0;
  const TensorView views[] = {{"a", &value, 9, {1, 1, 1, 1, 1}}};
  WeightReader reader("stem 's'", views);
  EXPECT_TRUE(reader.take("a", {1, 1, 1, 1, 1}).empty());
  EXPECT_FALSE(reader.ok());
}

TEST(SetUp, TurnsAnExceptionIntoAStatusAndASentence) {
  Message why;
  const Status done = set_up(why, []() -> Result<void> { throw std::runtime_error("no room"); });
  EXPECT_EQ(done.code(), Code::failed);
  EXPECT_STREQ(why.text, "no room");
}

TEST(SetUp, CutsALongSentence) {
  Message why;
  write_message(why, std::string(9999, 'x'));
  EXPECT_EQ(std::string(why.text).size(), sizeof(why.text) - 1);
}

}  // namespace
}  // namespace cambium::nn
