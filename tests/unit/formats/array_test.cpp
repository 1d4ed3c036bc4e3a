#include "core/formats/array.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace cambium::formats {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::span<const std::byte> bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

ArrayView array_of(const char* descr, std::vector<std::uint64_t> shape, const std::string& data) {
  ArrayView array;
  EXPECT_TRUE(read_descr(descr, array));
  EXPECT_TRUE(set_data(array, shape, bytes(data)));
  return array;
}

std::vector<float> floats(const ArrayView& array) {
  std::vector<float> out(array.count());
  EXPECT_TRUE(to_floats(array, out));
  return out;
}

TEST(Array, KnowsNumpysTypesOfNumbers) {
  for (const char* descr : {"|b1", "|i1", "<i2", ">i4", "<i8", "|u1", "<u2", ">u4", "<u8", "<f2",
                            ">f4", "<f8", "=f4", "<U5", ">U1", "|S3"}) {
    ArrayView array;
    EXPECT_TRUE(read_descr(descr, array)) << descr;
  }
  ArrayView array;
  ASSERT_TRUE(read_descr(">U7", array));
  EXPECT_EQ(array.element, Element::text);
  EXPECT_EQ(array.element_bytes, 28u);
  EXPECT_TRUE(array.big_endian);
}

TEST(Array, RefusesTypesThatHoldPointersOrFieldsAndSaysWhy) {
  const std::vector<std::pair<const char*, const char*>> bad = {
      {"|O", "pointers"},           {"|O8", "pointers"},      {"|V8", "fields"},
      {"<c8", "complex"},           {"<M8[ns]", "dates"},     {"<m8[D]", "durations"},
      {"<f16", "long double"},      {"<q9", "no such type"},  {"", "no such type"},
      {"<", "no such type"},        {"f4", "byte order"},     {"xf4", "byte order"},
      {"<f4 ", "no such type"},     {"<U0", "1 to"},          {"<U1073741824", "1 to"},
      {"<f99999999999", "no such"}, {"|f4", "byte order"},    {"<i-4", "no such type"},
      {"<U4294967296", "no such"},  {"float32", "byte order"}};
  for (const auto& [descr, why] : bad) {
    ArrayView array;
    const auto done = read_descr(descr, array);
    ASSERT_FALSE(done) << descr;
    EXPECT_EQ(done.error().code, Code::bad_data);
    EXPECT_THAT(done.error().message, HasSubstr(why)) << descr;
  }
}

TEST(Array, HasExactlyTheBytesOfItsShape) {
  ArrayView array;
  ASSERT_TRUE(read_descr("<f4", array));
  const std::string sixteen(16, '\0');
  EXPECT_TRUE(set_data(array, std::vector<std::uint64_t>{2, 2}, bytes(sixteen)));
  const auto short_of = set_data(array, std::vector<std::uint64_t>{5}, bytes(sixteen));
  ASSERT_FALSE(short_of);
  EXPECT_EQ(short_of.error().message, "array float32 (5) has 16 bytes, its shape needs 20");
  EXPECT_FALSE(set_data(array, std::vector<std::uint64_t>{3}, bytes(sixteen)));
  EXPECT_TRUE(set_data(array, std::vector<std::uint64_t>{0, 7}, {}));
}

TEST(Array, CountsShapesWithoutOverflow) {
  ArrayView array;
  ASSERT_TRUE(read_descr("<f4", array));
  const std::string sixteen(16, '\0');
  using Shape = std::vector<std::uint64_t>;
  // 4 * 4611686018427387905 wraps to 4 elements.
  for (const Shape& shape : {Shape{4611686018427387905u, 4}, Shape{1ull << 33, 1ull << 33},
                             Shape{UINT64_MAX}, Shape{0, 1ull << 40, 1ull << 40}})
    EXPECT_FALSE(set_data(array, shape, bytes(sixteen)));
  EXPECT_FALSE(set_data(array, Shape(9, 1), bytes(sixteen)));
}

TEST(Array, BecomesFloatsFromEveryTypeAndByteOrder) {
  using namespace std::string_literals;
  EXPECT_THAT(floats(array_of("|b1", {3}, "\0\1\7"s)), ElementsAre(0, 1, 1));
  EXPECT_THAT(floats(array_of("|u1", {2}, "\xff\1"s)), ElementsAre(255, 1));
  EXPECT_THAT(floats(array_of("|i1", {2}, "\xff\1"s)), ElementsAre(-1, 1));
  EXPECT_THAT(floats(array_of("<i2", {1}, "\xfe\xff"s)), ElementsAre(-2));
  EXPECT_THAT(floats(array_of(">i2", {1}, "\xff\xfe"s)), ElementsAre(-2));
  EXPECT_THAT(floats(array_of(">u4", {1}, "\0\0\1\0"s)), ElementsAre(256));
  EXPECT_THAT(floats(array_of("<i8", {1}, "\xf9\xff\xff\xff\xff\xff\xff\xff"s)), ElementsAre(-7));
  EXPECT_THAT(floats(array_of(">f4", {1}, "\x3f\xc0\0\0"s)), ElementsAre(1.5f));
  EXPECT_THAT(floats(array_of("<f8", {}, "\0\0\0\0\0\0\xf8\x3f"s)), ElementsAre(1.5f));
}

TEST(Array, ReadsHalvesExactly) {
  using namespace std::string_literals;
  const auto values = floats(array_of("<f2", {7}, "\0\x3c\0\xb8\1\0\xff\3\xff\x7b\0\xfc\0\x80"s));
  EXPECT_THAT(values, ElementsAre(1.0f, -0.5f, 0x1p-24f, 0x1.ff8p-15f, 65504.0f, -INFINITY, 0.0f));
  EXPECT_TRUE(std::signbit(values.back()));
  EXPECT_TRUE(std::isnan(floats(array_of("<f2", {1}, "\1\x7e"s))[0]));
}

TEST(Array, ComesInRowMajorOrderWhateverItsOwn) {
  const std::string six = {0, 1, 2, 3, 4, 5};
  auto array = array_of("|u1", {2, 3}, six);
  EXPECT_THAT(floats(array), ElementsAre(0, 1, 2, 3, 4, 5));
  array.column_major = true;
  EXPECT_THAT(floats(array), ElementsAre(0, 2, 4, 1, 3, 5));
}

TEST(Array, OfTextIsReadAsUtf8AndIsNoNumber) {
  using namespace std::string_literals;
  const std::string data = "h\0\0\0i\0\0\0"s + "\xe9\0\0\0\0\0\0\0"s;
  const auto array = array_of("<U2", {2}, data);
  std::string text;
  ASSERT_TRUE(to_text(array, 0, text));
  EXPECT_EQ(text, "hi");
  ASSERT_TRUE(to_text(array, 1, text));
  EXPECT_EQ(text, "\xc3\xa9");
  EXPECT_FALSE(to_text(array, 2, text));
  std::vector<float> out(2);
  EXPECT_FALSE(to_floats(array, out));
  const std::string surrogate = "\0\xd8\0\0"s, beyond = "\0\0\x11\0"s;
  EXPECT_FALSE(to_text(array_of("<U1", {1}, surrogate), 0, text));
  EXPECT_FALSE(to_text(array_of("<U1", {1}, beyond), 0, text));
}

TEST(Array, IsNotReadIntoAnotherSize) {
  std::vector<float> out(3);
  EXPECT_FALSE(to_floats(array_of("|u1", {2}, "ab"), out));
}

TEST(Array, OfRankZeroIsANumber) {
  const double number = -2.5;
  const auto view = view_of(number);
  EXPECT_EQ(view.text(), "float64 ()");
  EXPECT_THAT(floats(view), ElementsAre(-2.5f));
}

}  // namespace
}  // namespace cambium::formats
