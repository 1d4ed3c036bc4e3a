#include "core/adapters/json/request.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/json_schema.hpp"

namespace cambium::adapters {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// What is wrong, or empty.
Refusal why(std::string_view text) {
  Request request;
  Refusal refusal;
  const bool sound = read_request(text, request, refusal);
  EXPECT_EQ(sound, refusal.message.empty()) << text;
  return refusal;
}
/// One reading.
std::string in(const std::string& value) {
  return R"({"observation":{"x":)" + value + "}}";
}
Request read(const std::string& text) {
  Request request;
  Refusal refusal;
  EXPECT_TRUE(read_request(text, request, refusal)) << text << ": " << refusal.message;
  return request;
}

TEST(JsonRequest, IsAnObservationOfNumbersAndNestedLists) {
  const Request request = read(R"({"id": 7, "robot": "left", "task": "fold", "episode_start": true,
      "observation": {"state": [1, -2.5, 3e2], "grip": 1, "cam": {"left": [[[1,2,3]],[[4,5,6]]]}}})");
  EXPECT_EQ(request.kind, Request::Kind::observation);
  EXPECT_EQ(request.id, "7");
  EXPECT_EQ(request.robot, "left");
  EXPECT_EQ(request.task, "fold");
  EXPECT_TRUE(request.episode_start);
  ASSERT_EQ(request.readings.size(), 3u);
  EXPECT_EQ(request.readings[0].key, "state");
  EXPECT_THAT(request.readings[0].numbers, ElementsAre(1, -2.5f, 300));
  EXPECT_EQ(request.readings[1].array.text(), "float32 ()");
  EXPECT_EQ(request.readings[2].key, "cam/left");
  EXPECT_EQ(request.readings[2].array.text(), "float32 (2, 1, 3)");
}

TEST(JsonRequest, EchoesNumbersAndTextsAsIds) {
  EXPECT_EQ(read(R"({"id":-3,"ping":true})").id, "-3");
  EXPECT_EQ(read(R"({"id":1.50,"ping":true})").id, "1.50");
  EXPECT_EQ(read(R"({"id":"a\"b\u00e9","ping":true})").id, "\"a\\\"b\xc3\xa9\"");
  EXPECT_EQ(read(R"({"ping":true})").kind, Request::Kind::ping);
  EXPECT_EQ(read(R"({"describe":true})").kind, Request::Kind::describe);
}

TEST(JsonRequest, KeepsTheIdOfAMessageThatIsWrongLater) {
  Request request;
  Refusal refusal;
  EXPECT_FALSE(read_request(R"({"id": 5, "observation": {"x": tru)", request, refusal));
  EXPECT_EQ(request.id, "5");
}

TEST(JsonRequest, HasPicturesAsBytes) {
  const Request request = read(in(R"({"dtype":"uint8","shape":[2,1,3],"base64":"AAECAwQF"})"));
  ASSERT_EQ(request.readings.size(), 1u);
  EXPECT_EQ(request.readings[0].key, "x");
  EXPECT_EQ(request.readings[0].array.text(), "uint8 (2, 1, 3)");
  EXPECT_EQ(request.readings[0].packed.size(), 6u);
  EXPECT_EQ(request.readings[0].array.data.data(), request.readings[0].packed.data());
}

TEST(JsonRequest, TakesLongTextsOutOfTheirPlacesAndPutsThemBack) {
  const std::string many(8000, 'A'), other(6000, '/');
  const std::string begin =
      R"({"task":"\"a","observation":{"e":{"shape":[0],"dtype":"uint8","base64":""},"x":{"base64":")";
  const std::string text = begin + many +
                           R"(","shape":[6000],"dtype":"uint8"},"y":{"dtype":"int8","base64":")" +
                           other + R"(","shape":[4500]}},"id":"\\"})";
  const Request request = read(text);
  ASSERT_EQ(request.readings.size(), 3u);
  EXPECT_EQ(request.readings[0].array.text(), "uint8 (0)");
  EXPECT_EQ(request.readings[1].packed, std::vector<std::byte>(6000));
  EXPECT_EQ(request.readings[2].packed, std::vector<std::byte>(4500, std::byte{0xff}));
  EXPECT_EQ(request.id, R"("\\")");
  const std::string broken = text.substr(0, text.size() - 1) + "!";
  EXPECT_EQ(why(broken).message, "byte " + std::to_string(text.size()) + ": this is not JSON");
  EXPECT_THAT(why(R"({"task":")" + many + "\"}").message, HasSubstr("too long a text"));
  EXPECT_THAT(why("{\"" + many + "\":1}").message, HasSubstr("too long a key"));
  EXPECT_THAT(why(in("[\"" + many + "\"]")).message, HasSubstr("among numbers"));
  EXPECT_THAT(why(in("\"" + many + "\"")).message, HasSubstr("no reading"));
  EXPECT_THAT(why("{\"task\":\"" + many).message, HasSubstr("not JSON"));
  EXPECT_THAT(why("\"" + many + "\\").message, HasSubstr("not JSON"));
  // Escaped, it is read the long way.
  EXPECT_EQ(
      read(in(R"({"shape":[6000],"dtype":"uint8","base64":")" + many.substr(1) + R"(\u0041"})"))
          .readings.at(0)
          .packed,
      std::vector<std::byte>(6000));
}

TEST(JsonRequest, SaysWhatIsWrongWithBytes) {
  const auto said = [](const std::string& value) { return why(in(value)).message; };
  EXPECT_THAT(said(R"({"dtype":"uint8","shape":[7],"base64":"AAECAwQF"})"),
              HasSubstr("has 6 bytes, its shape needs 7"));
  EXPECT_THAT(said(R"({"dtype":"uint9","shape":[6],"base64":"AAECAwQF"})"),
              HasSubstr("did you mean 'uint8'?"));
  EXPECT_THAT(said(R"({"dtype":"uint8","shape":6,"base64":"AAECAwQF"})"),
              HasSubstr("list as shape"));
  EXPECT_THAT(said(R"({"dtype":"uint8","shape":[-6],"base64":"AAECAwQF"})"), HasSubstr("sizes"));
  EXPECT_THAT(said(R"({"dtype":"uint8","shape":[1.5],"base64":"AAECAwQF"})"), HasSubstr("sizes"));
  EXPECT_THAT(said(R"({"dtype":"uint8","shape":[6],"base64":"AAEC AwQF"})"), HasSubstr("base64"));
  EXPECT_THAT(said(R"({"dtype":"uint8","base64":"AAECAwQF"})"), HasSubstr("nothing else"));
  EXPECT_THAT(said(R"({"dtype":"uint8","shape":{"a":[6]},"base64":"AAECAwQF"})"),
              HasSubstr("list as shape"));
  EXPECT_THAT(said(R"({"dtype":"uint8","shape":[6],"base64":"AAECAwQF","more":1})"),
              HasSubstr("nothing else"));
}

TEST(JsonRequest, RefusesNumbersThatAreNone) {
  for (const char* value : {"NaN", "Infinity", "-Infinity", "01", "+1", "1.", ".5", "0x10", "1e"})
    EXPECT_THAT(why(in(value)).message, HasSubstr("not JSON")) << value;
  for (const char* value : {"1e999", "-1e999", "[1e39]", "1e308"})
    EXPECT_THAT(why(in(value)).message, HasSubstr("too large")) << value;
  EXPECT_THAT(why(in("null")).message, HasSubstr("NaN has no place"));
  EXPECT_THAT(why(in("true")).message, HasSubstr("no reading"));
  EXPECT_THAT(why(in("[true]")).message, HasSubstr("among numbers"));
  EXPECT_THAT(why(in("[\"1\"]")).message, HasSubstr("among numbers"));
  EXPECT_THAT(why(in("\"1\"")).message, HasSubstr("no reading"));
}

TEST(JsonRequest, RefusesListsThatAreNoArrays) {
  for (const char* value : {"[1,[2]]", "[[1],2]", "[[1],[2,3]]", "[[1,2],[3]]", "[[],[1]]",
                            "[[1],[]]", "[[],1]", "[[],[[]]]", "[[[1]],[2]]"})
    EXPECT_NE(why(in(value)).message, "") << value;
  EXPECT_EQ(why(in("[[1],[2,3]]")).message, "lists of different lengths: 1 and 2");
  EXPECT_EQ(why(in("[[1],[2,3]]")).key, "x");
  EXPECT_EQ(why(in("[]")).message, "");
  EXPECT_EQ(why(in("[[],[]]")).message, "");
}

TEST(JsonRequest, IsBoundedInDepthKeysAndTexts) {
  EXPECT_EQ(why(in("[[[[[[[[1]]]]]]]]")).message, "");
  EXPECT_THAT(why(in("[[[[[[[[[1]]]]]]]]]")).message, HasSubstr("deeper than 8"));
  EXPECT_THAT(why(in(std::string(100'000, '['))).message, HasSubstr("deeper"));
  std::string objects = R"({"observation":)";
  for (int i = 0; i < 100'000; ++i) objects += R"({"a":)";
  EXPECT_THAT(why(objects).message, HasSubstr("deeper"));
  std::string keys = R"({"observation":{"k":1)";
  for (int i = 0; i < 300; ++i) keys += ",\"k" + std::to_string(i) + "\":1";
  EXPECT_THAT(why(keys + "}}").message, HasSubstr("more than 256 keys"));
  EXPECT_THAT(why(R"({"observation":{")" + std::string(300, 'k') + R"(":1}})").message,
              HasSubstr("too long a key"));
  EXPECT_THAT(why(R"({"ping":true,"id":")" + std::string(2000, 'i') + "\"}").message,
              HasSubstr("too long"));
}

TEST(JsonRequest, RefusesKeysThatComeTwice) {
  EXPECT_THAT(why(R"({"observation":{"x":1,"x":2}})").message, HasSubstr("twice"));
  EXPECT_THAT(why(R"({"ping":true,"ping":true})").message, HasSubstr("twice"));
  const Refusal both = why(R"({"observation":{"a/b":1,"a":{"b":2}}})");
  EXPECT_THAT(both.message, HasSubstr("twice"));
  EXPECT_EQ(both.key, "a/b");
}

TEST(JsonRequest, SaysTheNearestKey) {
  const Refusal refusal = why(R"({"obsrvation":{}})");
  EXPECT_EQ(refusal.key, "obsrvation");
  EXPECT_EQ(refusal.message, "no key of a message (did you mean 'observation'?)");
}

TEST(JsonRequest, IsOneObjectThatAsksForOneThing) {
  EXPECT_THAT(why("[]").message, HasSubstr("instead of an object"));
  EXPECT_THAT(why("7").message, HasSubstr("instead of an object"));
  EXPECT_THAT(why("\"x\"").message, HasSubstr("instead of an object"));
  EXPECT_THAT(why("{}").message, HasSubstr("neither"));
  EXPECT_THAT(why(R"({"ping":true,"describe":true})").message, HasSubstr("more than one"));
  EXPECT_THAT(why(R"({"ping":false})").message, HasSubstr("left out"));
  EXPECT_THAT(why(R"({"robot":7,"ping":true})").message, HasSubstr("no value of this key"));
  EXPECT_THAT(why(R"({"robot":"a b","ping":true})").message, HasSubstr("no name"));
  EXPECT_THAT(why(R"({"observation":[1]})").message, HasSubstr("no value of this key"));
  EXPECT_THAT(why(R"({"id":{"a":1}})").message, HasSubstr("no value of this key"));
  EXPECT_THAT(why(R"({"ping":true} {"ping":true})").message, HasSubstr("not JSON"));
  EXPECT_THAT(why("").message, HasSubstr("not JSON"));
}

TEST(JsonRequest, RefusesTextThatIsNotUtf8AndShowsNoneOfIt) {
  EXPECT_EQ(why("{\"task\":\"\xff\xfe\"}").message, "byte 10: a text that is not UTF-8");
  EXPECT_THAT(why(R"({"token":"secret)").message, testing::Not(HasSubstr("secret")));
  EXPECT_THAT(why(R"({"token":"secret" secret})").message, testing::Not(HasSubstr("secret")));
  EXPECT_THAT(why(R"({"task":"\ud800"})").message, HasSubstr("not JSON"));
}

// What the schema allows is read, and what it forbids is refused.
TEST(JsonRequest, IsWhatTheSchemaSays) {
  const test::JsonSchema schema(CAMBIUM_SOURCE_DIR "/docs/json-schema/request.schema.json");
  for (const char* text :
       {R"({"ping":true})", R"({"describe":true,"robot":"left","id":"x","token":"t"})",
        R"({"observation":{}})",
        R"({"observation":{"a":1,"b":[1,2],"c":{"d":[[1],[2]]}},"id":1.5})",
        R"({"observation":{"a":{"shape":[1],"dtype":"bool","base64":"AQ=="}},"task":"t"})"}) {
    EXPECT_EQ(why(text).message, "") << text;
    EXPECT_EQ(schema.misfit(nlohmann::json::parse(text)), "");
  }
  for (const char* text :
       {"{}", R"({"ping":false})", R"({"ping":true,"task":7})", R"({"observation":[]})",
        R"({"observation":{"a":null}})", R"({"observation":{"a":"b"}})",
        R"({"observation":{"a":true}})", R"({"observation":{"a":[[1],"b"]}})",
        R"({"observation":{},"robot":"a b"})", R"({"observation":{},"id":null})",
        R"({"observation":{},"more":1})",
        R"({"observation":{"a":{"shape":[1],"dtype":"text","base64":"AQ=="}}})",
        R"({"observation":{"a":{"shape":[-1],"dtype":"bool","base64":"AQ=="}}})"}) {
    EXPECT_NE(why(text).message, "") << text;
    EXPECT_NE(schema.misfit(nlohmann::json::parse(text)), "") << text;
  }
}

}  // namespace
}  // namespace cambium::adapters
