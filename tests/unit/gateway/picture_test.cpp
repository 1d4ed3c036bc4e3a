#include "core/gateway/picture.hpp"

#include <gmock/gmock.h>

#include <limits>
#include <numeric>

#include "tests/support/foreign_message.hpp"

namespace cambium::gateway {
namespace {

using config::Colours;
using config::Fit;
using config::PixelLayout;
using config::PixelRange;
using test::ForeignMessage;
using testing::FloatNear;
using testing::HasSubstr;

constexpr std::uint32_t kRows = 4, kColumns = 5;

// Colour c of the pixel in row y and column x.
std::uint8_t pixel(std::size_t y, std::size_t x, std::size_t c) {
  return static_cast<std::uint8_t>(40 * y + 7 * x + 80 * c);
}

std::vector<std::uint8_t> picture(bool colours_first, std::size_t rows = kRows,
                                  std::size_t columns = kColumns) {
  std::vector<std::uint8_t> bytes(rows * columns * 3);
  for (std::size_t y = 0; y < rows; ++y)
    for (std::size_t x = 0; x < columns; ++x)
      for (std::size_t c = 0; c < 3; ++c)
        bytes[colours_first ? (c * rows + y) * columns + x : (y * columns + x) * 3 + c] =
            pixel(y, x, c);
  return bytes;
}

ForeignMessage message(bool colours_first) {
  ForeignMessage message;
  if (colours_first)
    message.add_bytes("camera", picture(true), {3, kRows, kColumns});
  else
    message.add_bytes("camera", picture(false), {kRows, kColumns, 3});
  return message;
}

struct Reads {
  std::vector<float> out;
  std::string why;
};
Reads read(const formats::ArrayView& array, const config::SensorMapping& how,
           PictureShape to = {kRows, kColumns, 3, false}) {
  PictureReader reader(to, how);
  Reads reads{std::vector<float>(std::size_t{to.rows} * to.columns * to.colours), ""};
  const auto done = reader.read(array, reads.out);
  if (!done) reads.why = done.error().message;
  return reads;
}

class PictureLayouts : public testing::TestWithParam<std::tuple<bool, bool, Colours, bool>> {};

// Theirs and ours, woven or in planes, in either order of colours, in either order of memory.
TEST_P(PictureLayouts, EveryPixelArrivesWhereItBelongs) {
  const auto [theirs_first, ours_first, colours, transposed] = GetParam();
  auto sent = message(theirs_first);
  auto& array = sent.last().array;
  std::vector<std::byte> columns;
  if (transposed) {  // the same array as Fortran has it
    array.column_major = true;
    columns.resize(array.data.size());
    const auto shape = array.shape;
    std::size_t at = 0;
    for (std::size_t k = 0; k < shape[2]; ++k)
      for (std::size_t j = 0; j < shape[1]; ++j)
        for (std::size_t i = 0; i < shape[0]; ++i)
          columns[at++] = array.data[(i * shape[1] + j) * shape[2] + k];
    array.data = columns;
  }
  config::SensorMapping how;
  how.colours = colours;
  how.range = PixelRange::bytes;
  const auto got = read(array, how, {kRows, kColumns, 3, ours_first});
  ASSERT_EQ(got.why, "");
  for (std::size_t y = 0; y < kRows; ++y)
    for (std::size_t x = 0; x < kColumns; ++x)
      for (std::size_t c = 0; c < 3; ++c)
        ASSERT_EQ(got.out[ours_first ? (c * kRows + y) * kColumns + x : (y * kColumns + x) * 3 + c],
                  pixel(y, x, colours == Colours::bgr ? 2 - c : c))
            << y << " " << x << " " << c;
}
INSTANTIATE_TEST_SUITE_P(All, PictureLayouts,
                         testing::Combine(testing::Bool(), testing::Bool(),
                                          testing::Values(Colours::rgb, Colours::bgr),
                                          testing::Bool()));

TEST(Picture, PixelsBecomeTheRangeThatTheSensorHas) {
  ForeignMessage sent;
  sent.add_bytes("camera", {0, 255, 51}, {1, 1, 3});
  config::SensorMapping how;
  EXPECT_THAT(read(sent.last().array, how, {1, 1, 3, false}).out,
              testing::ElementsAre(0, 1, FloatNear(0.2F, 1e-7F)));
  how.range = PixelRange::symmetric;
  EXPECT_THAT(read(sent.last().array, how, {1, 1, 3, false}).out,
              testing::ElementsAre(-1, 1, FloatNear(-0.6F, 1e-6F)));
  how.range = PixelRange::bytes;
  EXPECT_THAT(read(sent.last().array, how, {1, 1, 3, false}).out, testing::ElementsAre(0, 255, 51));
}

TEST(Picture, FloatsFromNoughtToOneAreTheSamePicture) {
  std::vector<float> floats;
  for (const auto byte : picture(true)) floats.push_back(static_cast<float>(byte) / 255);
  ForeignMessage sent;
  sent.add("camera", floats, {1, 1, 3, kRows, kColumns});  // batch and time
  const config::SensorMapping how;
  const auto from_floats = read(sent.last().array, how);
  ASSERT_EQ(from_floats.why, "");
  const auto bytes = message(false);
  const auto from_bytes = read((*bytes).entries[0].array, how);
  for (std::size_t i = 0; i < from_bytes.out.size(); ++i)
    EXPECT_NEAR(from_floats.out[i], from_bytes.out[i], 1e-6);
}

TEST(Picture, AnotherSizeIsRefusedStretchedOrPadded) {
  ForeignMessage sent;
  sent.add_bytes("camera", picture(false, 8, 10), {8, 10, 3});
  config::SensorMapping how;
  EXPECT_EQ(read(sent.last().array, how).why,
            "is uint8 (8, 10, 3) and fit = \"exact\", expected uint8 (4, 5, 3) or (3, 4, 5) or "
            "floats from 0 to 1");
  how.fit = Fit::stretch;
  how.range = PixelRange::bytes;
  const auto half = read(sent.last().array, how);
  ASSERT_EQ(half.why, "");
  for (std::size_t y = 0; y < kRows; ++y)
    for (std::size_t x = 0; x < kColumns; ++x) {
      const float mean = (pixel(2 * y, 2 * x, 1) + pixel(2 * y + 1, 2 * x, 1) +
                          pixel(2 * y, 2 * x + 1, 1) + pixel(2 * y + 1, 2 * x + 1, 1)) /
                         4.0F;
      EXPECT_NEAR(half.out[(y * kColumns + x) * 3 + 1], mean, 1e-3) << y << " " << x;
    }
}

TEST(Picture, PaddingKeepsTheProportionsAndLeavesBlackEdges) {
  ForeignMessage sent;
  sent.add_bytes("camera", std::vector<std::uint8_t>(2 * 4 * 3, 200), {2, 4, 3});
  config::SensorMapping how;
  how.fit = Fit::pad;
  how.range = PixelRange::symmetric;
  const auto got = read(sent.last().array, how, {8, 8, 3, true});
  ASSERT_EQ(got.why, "");
  for (std::size_t y = 0; y < 8; ++y)
    EXPECT_NEAR(got.out[y * 8 + 3], y >= 2 && y < 6 ? 200 / 127.5 - 1 : -1, 1e-6) << y;
}

TEST(Picture, GrowsBetweenTheCentresOfItsPixels) {
  ForeignMessage sent;
  sent.add_bytes("camera", {0, 100}, {1, 2, 1});
  config::SensorMapping how;
  how.layout = PixelLayout::hwc;
  how.fit = Fit::stretch;
  how.range = PixelRange::bytes;
  const auto got = read(sent.last().array, how, {1, 4, 1, false});
  ASSERT_EQ(got.why, "");
  EXPECT_THAT(got.out, testing::ElementsAre(0, FloatNear(25, 1e-4F), FloatNear(75, 1e-4F), 100));
}

TEST(Picture, ScalingIsTheSameFromAnyLayout) {
  ForeignMessage woven, planes;
  woven.add_bytes("camera", picture(false, 7, 9), {7, 9, 3});
  planes.add_bytes("camera", picture(true, 7, 9), {3, 7, 9});
  for (const auto fit : {Fit::stretch, Fit::pad}) {
    config::SensorMapping how;
    how.fit = fit;
    const auto one = read(woven.last().array, how), other = read(planes.last().array, how);
    ASSERT_EQ(one.why + other.why, "");
    for (std::size_t i = 0; i < one.out.size(); ++i) EXPECT_NEAR(one.out[i], other.out[i], 1e-6);
  }
}

TEST(Picture, WhatIsNoneIsRefusedWithItsShape) {
  config::SensorMapping how;
  const auto refused = [&](const ForeignMessage& sent) {
    return read((*sent).entries[0].array, how).why;
  };
  const std::string expected = ", expected uint8 (4, 5, 3) or (3, 4, 5) or floats from 0 to 1";
  EXPECT_EQ(refused(ForeignMessage().add_bytes("c", std::vector<std::uint8_t>(20), {4, 5})),
            "is uint8 (4, 5)" + expected);
  EXPECT_EQ(refused(ForeignMessage().add_bytes("c", std::vector<std::uint8_t>(120), {2, 4, 5, 3})),
            "is uint8 (2, 4, 5, 3)" + expected);
  EXPECT_EQ(refused(ForeignMessage().add_bytes("c", {}, {0, 5, 3})),
            "is uint8 (0, 5, 3), which is empty" + expected);
  EXPECT_THAT(refused(ForeignMessage().add_bytes("c", std::vector<std::uint8_t>(45), {3, 5, 3})),
              HasSubstr("of which the first or the last axis may be the colours"));
  std::vector<float> floats(60, 0.5F);
  floats[7] = 1.5F;
  EXPECT_THAT(refused(ForeignMessage().add("c", floats, {4, 5, 3})),
              HasSubstr("with numbers that are not from 0 to 1"));
  floats[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(refused(ForeignMessage().add("c", floats, {4, 5, 3})),
              HasSubstr("with numbers that are not from 0 to 1"));
  ForeignMessage depth;
  depth.add_bytes("c", std::vector<std::uint8_t>(120), {4, 5, 3});
  depth.last().array.element = formats::Element::u16;
  EXPECT_EQ(refused(depth), "is uint16 (4, 5, 3)" + expected);
  how.fit = Fit::stretch;
  how.layout = PixelLayout::hwc;
  EXPECT_THAT(
      refused(ForeignMessage().add_bytes("c", std::vector<std::uint8_t>(3 * 9000), {1, 9000, 3})),
      HasSubstr("of more than 8192 rows or columns, expected uint8 (rows, columns, 3)"));
}

}  // namespace
}  // namespace cambium::gateway
