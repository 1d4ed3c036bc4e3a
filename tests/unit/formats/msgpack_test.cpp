#include "core/formats/msgpack.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cambium::formats {
namespace {

using testing::HasSubstr;
using namespace std::string_literals;

std::span<const std::byte> bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}
std::string why(const std::string& message, const Limits& limits = {}) {
  const auto read = read_msgpack(bytes(message), limits);
  return read ? "" : read.error().message;
}

TEST(Msgpack, ReadsBackWhatItWrites) {
  MsgpackWriter writer;
  writer.map(6);
  writer.text("nothing"), writer.nil();
  writer.text("yes"), writer.boolean(true);
  writer.text("small"), writer.integer(-7);
  writer.text("pi"), writer.number(3.5);
  writer.text("list"), writer.list(2), writer.text("a"), writer.text("b");
  writer.text("raw"), writer.binary(bytes("xyz"));
  const auto message = read_msgpack(writer.bytes());
  ASSERT_TRUE(message) << message.error().message;
  const Value& root = message->root;
  EXPECT_TRUE(root.find("nothing")->as<std::monostate>());
  EXPECT_EQ(*root.find("yes")->as<bool>(), true);
  EXPECT_EQ(*root.find("small")->as<std::int64_t>(), -7);
  EXPECT_EQ(*root.find("pi")->as<double>(), 3.5);
  EXPECT_EQ(root.find("list")->as<List>()->size(), 2u);
  EXPECT_EQ(root.find("raw")->as<Bytes>()->size(), 3u);
  EXPECT_EQ(root.find("more"), nullptr);
  EXPECT_EQ(message->dialect, ArrayDialect::none);
}

TEST(Msgpack, ReadsBackArraysOfEveryDialect) {
  const std::vector<float> values = {1, -2, 3, 4, 5, 6};
  const std::vector<std::uint64_t> shape = {2, 3};
  for (const auto dialect :
       {ArrayDialect::openpi, ArrayDialect::npy, ArrayDialect::msgpack_numpy}) {
    MsgpackWriter writer;
    writer.map(1), writer.text("a"), writer.array(dialect, shape, values);
    const auto message = read_msgpack(writer.bytes());
    ASSERT_TRUE(message) << message.error().message;
    EXPECT_EQ(message->dialect, dialect);
    const auto* array = message->root.find("a")->as<ArrayView>();
    ASSERT_TRUE(array);
    EXPECT_EQ(array->text(), "float32 (2, 3)");
    std::vector<float> back(6);
    ASSERT_TRUE(to_floats(*array, back));
    EXPECT_EQ(back, values);
    EXPECT_GE(array->data.data(), writer.bytes().data()) << "arrays borrow the message";
  }
}

TEST(Msgpack, ArraysOfTwoDialectsInOneMessageAreRefused) {
  MsgpackWriter writer;
  const float one = 1;
  writer.list(2);
  writer.array(ArrayDialect::openpi, {}, std::span(&one, 1));
  writer.array(ArrayDialect::npy, {}, std::span(&one, 1));
  const auto message = read_msgpack(writer.bytes());
  ASSERT_FALSE(message);
  EXPECT_THAT(message.error().message, HasSubstr("two ways"));
}

TEST(Msgpack, UnknownMapsStayMaps) {
  const auto message = read_msgpack(bytes("\x82\xa2nd\xc3\xc4\7complex\xc3"s));
  ASSERT_TRUE(message) << message.error().message;
  EXPECT_TRUE(message->root.as<Map>());
}

TEST(Msgpack, SaysWhereAndInWhichKeyItIsBroken) {
  EXPECT_EQ(why("\x81\xa5state\x92\x01\xc1"s), "msgpack, byte 9: no such type");
  EXPECT_EQ(why("\x81\xa5state\x81\xa1q\xd6\x05\0\0\0\0"s),
            "msgpack, byte 15: in 'state' 'q': an extension type");
  EXPECT_EQ(why("\x81\xa1k"s), "msgpack, byte 3: the message ends before its end");
  EXPECT_EQ(why(""), "msgpack, byte 0: the message ends before its end");
  EXPECT_EQ(why("\xc0\xc0"s), "msgpack, byte 1: 1 bytes after the message");
}

TEST(Msgpack, RefusesKeysThatComeTwiceOrAreNoNames) {
  EXPECT_THAT(why("\x82\xa1k\1\xa1k\2"s), HasSubstr("twice"));
  EXPECT_EQ(why("\x82\xa1k\1\xc4\1k\2"s), "") << "bytes are not text";
  EXPECT_THAT(why("\x81\3\1"s), HasSubstr("neither text nor bytes"));
  EXPECT_THAT(why("\x81\x90\1"s), HasSubstr("neither text nor bytes"));
}

TEST(Msgpack, TakesNoMemoryByWhatALengthClaims) {
  for (const auto& claim :
       {"\xdd\xff\xff\xff\xff"s, "\xdf\xff\xff\xff\xff"s, "\xc6\xff\xff\xff\xff"s,
        "\xdb\xff\xff\xff\xff"s, "\xc9\xff\xff\xff\xff"s})
    EXPECT_NE(why(claim + "\1\1"), "");
}

TEST(Msgpack, IsNoDeeperAndNoLargerThanAllowed) {
  EXPECT_EQ(why(std::string(32, '\x91') + "\1"), "");
  EXPECT_THAT(why(std::string(33, '\x91') + "\1"), HasSubstr("deeper than 32"));
  EXPECT_THAT(why("\x93\1\1\1"s, {.depth = 4, .values = 3}), HasSubstr("more than 3 values"));
  EXPECT_EQ(why("\x93\1\1\1"s, {.depth = 4, .values = 4}), "");
}

TEST(Msgpack, RefusesTextThatIsNotUtf8) {
  for (const auto& text :
       {"\xa1\xff"s, "\xa2\xc0\x80"s, "\xa3\xed\xa0\x80"s, "\xa4\xf4\x90\x80\x80"s, "\xa2\xe2\x82"s,
        "\xa3\xe0\x80\x80"s, "\xa4\xf0\x80\x80\x80"s})
    EXPECT_THAT(why(text), HasSubstr("UTF-8"));
  EXPECT_EQ(why("\xa9\xc3\xa9\xe2\x82\xac\xf0\x9f\xa6\xbe"s), "");
}

TEST(Msgpack, RefusesForgedArraysAndSaysWhatIsForged) {
  const std::string type = "\xc4\5dtype\xa3<f4"s, shape = "\xc4\5shape\x91\1"s,
                    data = "\xc4\4data\xc4\4abcd"s, mark = "\xc4\x0b__ndarray__"s;
  ASSERT_EQ(why("\x84" + mark + "\xc3" + data + type + shape), "");
  EXPECT_THAT(why("\x84" + mark + "\xc2" + data + type + shape), HasSubstr("is not true"));
  EXPECT_THAT(why("\x83" + mark + "\xc3" + data + type), HasSubstr("without 'shape'"));
  EXPECT_THAT(why("\x85" + mark + "\xc3" + data + type + shape + "\xa1x\1"), HasSubstr("besides"));
  EXPECT_THAT(why("\x84" + mark + "\xc3" + data + "\xc4\5dtype\xa2|O" + shape),
              HasSubstr("array of type '|O'"));
  EXPECT_THAT(why("\x84" + mark + "\xc3" + data + type + "\xc4\5shape\x91\xff"),
              HasSubstr("no size"));
}

}  // namespace
}  // namespace cambium::formats
