// The reader of pickles on messages that are put together here, one idea each.
#include "core/formats/pickle.hpp"

#include <gmock/gmock.h>

#include "tests/support/pickle_bytes.hpp"

namespace cambium::formats {
namespace {

using namespace test::pickled;
using test::as_message;
using testing::HasSubstr;

constexpr PickleClass kClasses[] = {{"shop.things", "Thing"}};

Result<Value> read(const std::string& message, const Limits& limits = {}) {
  return read_pickle(as_message(message), kClasses, limits);
}
Result<Value> value(const std::string& opcodes) {
  // The message must outlive the tree.
  static std::string message;
  message = whole_message(opcodes);
  return read(message);
}
std::string refusal(const std::string& opcodes) {
  const auto read = value(opcodes);
  return read ? "accepted" : read.error().message;
}

TEST(Pickle, NumbersAndTextsAreWhatPythonWrote) {
  EXPECT_EQ(*value(whole(-5))->as<std::int64_t>(), -5);
  EXPECT_EQ(*value("J\xff\xff\xff\x7f")->as<std::int64_t>(), 2147483647);
  EXPECT_EQ(*value("M\x01\x02")->as<std::int64_t>(), 513);
  EXPECT_EQ(*value("\x8a\x01\x80")->as<std::int64_t>(), -128);
  EXPECT_EQ(*value("\x8a\x09" + little(UINT64_MAX, 8) + std::string(1, '\0'))->as<std::uint64_t>(),
            UINT64_MAX);
  EXPECT_EQ(*value(real(-0.5))->as<double>(), -0.5);
  EXPECT_EQ(*value(text("Grüße"))->as<std::string_view>(), "Grüße");
  EXPECT_TRUE(*value(truth(true))->as<bool>());
  EXPECT_TRUE(value("N")->as<std::monostate>());
}

TEST(Pickle, AnObjectOfAKnownClassIsItsFields) {
  const auto read = value(object("shop.things", "Thing", {{"price", real(2)}}));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->as<Object>()->name, "Thing");
  EXPECT_EQ(*read->find("price")->as<double>(), 2);
}

TEST(Pickle, ArraysOfBothProtocolsBorrowTheirBytes) {
  const std::string two_by_three = "abcdef";
  for (const auto& opcodes : {array(dtype("u1", "|"), {2, 3}, two_by_three),
                              buffer_array(dtype("u1", "|"), {2, 3}, two_by_three, "C")}) {
    const std::string message = whole_message(opcodes);
    const auto tree = read(message);
    ASSERT_TRUE(tree) << tree.error().message;
    const auto* view = tree->as<ArrayView>();
    ASSERT_TRUE(view);
    EXPECT_EQ(view->text(), "uint8 (2, 3)");
    EXPECT_GE(reinterpret_cast<const char*>(view->data.data()), message.data());
    EXPECT_LT(reinterpret_cast<const char*>(view->data.data()), message.data() + message.size());
  }
}

TEST(Pickle, ArraysKeepTheirByteOrderAndTheirLayout) {
  const auto big = value(array(dtype("f4", ">"), {1}, std::string("\x3f\x80\0\0", 4)));
  ASSERT_TRUE(big) << big.error().message;
  float one = 0;
  EXPECT_TRUE(to_floats(*big->as<ArrayView>(), {&one, 1}));
  EXPECT_EQ(one, 1);
  EXPECT_TRUE(value(array(dtype("u1", "|"), {2, 2}, "abcd", true))->as<ArrayView>()->column_major);
  EXPECT_TRUE(
      value(buffer_array(dtype("u1", "|"), {2, 2}, "abcd", "F"))->as<ArrayView>()->column_major);
}

TEST(Pickle, NumpysScalarsAreNumbers) {
  const auto scalar = [](const std::string& type, std::string_view data) {
    return name("numpy.core.multiarray", "scalar") + tuple({type, bytes(data)}) + "R";
  };
  EXPECT_EQ(*value(scalar(dtype("i2", "<"), "\xfe\xff"))->as<std::int64_t>(), -2);
  EXPECT_EQ(*value(scalar(dtype("i2", ">"), "\xff\xfe"))->as<std::int64_t>(), -2);
  EXPECT_EQ(*value(scalar(dtype("f2", "<"), std::string_view("\x00\x38", 2)))->as<double>(), 0.5);
  EXPECT_TRUE(*value(scalar(dtype("b1", "|"), "\x01"))->as<bool>());
  EXPECT_THAT(refusal(scalar(dtype("b1", "|"), "\x02")), HasSubstr("neither true nor false"));
  EXPECT_THAT(refusal(scalar(dtype("f4", "<"), "abc")), HasSubstr("another size"));
}

TEST(Pickle, AReferenceIsItsValueWhereverItStands) {
  const auto read = value(list({text("k") + "\x94", std::string("h\0", 2)}));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*(*read->as<List>())[1].as<std::string_view>(), "k");
}

TEST(Pickle, AListMayGrowAfterItIsReferredTo) {
  // l = []; t = (l, l); l.append(7); [t, l]
  const std::string l("h\0", 2);
  const auto read = value("]((]\x94" + l + "t" + l + "K\x07" + "ae");
  ASSERT_TRUE(read) << read.error().message;
  const auto& pair = *read->as<List>()->at(0).as<List>();
  for (const auto& one : pair) EXPECT_EQ(*one.as<List>()->at(0).as<std::int64_t>(), 7);
}

TEST(Pickle, NoNameButTheAllowedOnesIsEverLookedUp) {
  EXPECT_THAT(refusal(name("os", "system") + tuple({text("true")}) + "R"),
              HasSubstr("STACK_GLOBAL names 'os' 'system', which is not allowed"));
  for (const auto& [module, of] : {std::pair{"shop", "things.Thing"},
                                   {"shop.things", "Thing.price"},
                                   {"shop.things", ""},
                                   {"shop.things ", "Thing"},
                                   {"numpy.core", "multiarray._reconstruct"}})
    EXPECT_THAT(refusal(name(module, of)), HasSubstr("not allowed")) << module;
}

TEST(Pickle, AnAllowedNameIsOnlyUsedAsItsLibraryUsesIt) {
  EXPECT_THAT(refusal(name("numpy", "ndarray") + tuple({shape({9, 9})}) + "R"),
              HasSubstr("REDUCE calls what no client calls"));
  EXPECT_THAT(refusal(name("shop.things", "Thing") + ")R"), HasSubstr("no client calls"));
  EXPECT_THAT(refusal(name("numpy", "ndarray") + ")\x81"), HasSubstr("wants a class"));
  EXPECT_THAT(refusal(name("shop.things", "Thing") + tuple({whole(1)}) + "\x81"),
              HasSubstr("wants no arguments"));
  EXPECT_THAT(refusal(name("shop.things", "Thing")), HasSubstr("a class stands where a value"));
  EXPECT_THAT(refusal(dtype("u1", "|")), HasSubstr("a dtype stands where a value"));
  EXPECT_THAT(refusal(name("shop.things", "Thing") + ")\x81"), HasSubstr("has no fields"));
}

TEST(Pickle, AnArrayIsAsLargeAsItsBytes) {
  const auto of = [](std::initializer_list<std::int64_t> lengths) {
    return refusal(array(dtype("u1", "|"), lengths, "abcdef"));
  };
  EXPECT_EQ(of({3, 2}), "accepted");
  EXPECT_THAT(of({3, 3}), HasSubstr("another size than its bytes"));
  EXPECT_THAT(of({-3, -2}), HasSubstr("no shape"));
  EXPECT_THAT(of({std::int64_t{1} << 62, 6, 0}), HasSubstr("another size"));
  EXPECT_THAT(of({1, 1, 1, 1, 1, 1, 1, 1, 6}), HasSubstr("no shape"));
}

TEST(Pickle, ElementTypesThatHoldPointersOrFieldsAreRefused) {
  for (const char* of : {"O8", "V8", "c8", "M8", "S1", "U1", "f16", "", "u"})
    EXPECT_THAT(refusal(array(dtype(of, "<"), {1}, "abcdefgh")), HasSubstr("no number")) << of;
  EXPECT_THAT(refusal(array(dtype("u1", "<"), {1}, "a")), HasSubstr("no byte order"));
  EXPECT_THAT(refusal(array(dtype("f4", "|"), {1}, "abcd")), HasSubstr("no byte order"));
}

TEST(Pickle, NothingIsMadeOfALengthThatIsOnlySaid) {
  for (const std::string& opcodes :
       {"X" + little(UINT32_MAX, 4), "B" + little(UINT32_MAX, 4), "\x96" + little(UINT64_MAX, 8),
        std::string("\x8c\xff"), std::string("\x8a\xff\x01")})
    EXPECT_THAT(refusal(opcodes), HasSubstr("is cut short"));
  EXPECT_THAT(refusal("Nj" + little(UINT32_MAX, 4)), HasSubstr("refers to nothing"));
  EXPECT_THAT(refusal("\x95" + little(UINT64_MAX, 8) + "N"), HasSubstr("FRAME has no such length"));
}

TEST(Pickle, AFrameEndsBetweenTwoOpcodes) {
  EXPECT_EQ(refusal("\x95" + little(6, 8) + text("")), "accepted");
  EXPECT_THAT(refusal("\x95" + little(4, 8) + text("")), HasSubstr("is cut short"));
  EXPECT_THAT(refusal("\x95" + little(14, 8) + "\x95" + little(4, 8) + text("")),
              HasSubstr("lies in another"));
}

TEST(Pickle, WhatContainsItselfEndsAtTheDepth) {
  // l = [l]; d = {"k": d}
  EXPECT_THAT(refusal(std::string("]\x94h\0a", 5)), HasSubstr("nested deeper than 32"));
  EXPECT_THAT(refusal("}\x94" + text("k") + std::string("h\0s", 3)), HasSubstr("deeper"));
}

TEST(Pickle, ReferencesToReferencesEndAtTheNumberOfValues) {
  std::string laughs = "]\x94";
  for (unsigned level = 0; level < 12; ++level) {
    laughs += "](";
    for (int i = 0; i < 10; ++i) laughs += "h" + little(level, 1);
    laughs += "e\x94";
  }
  EXPECT_THAT(refusal("(" + laughs + "t"), HasSubstr("more than 20000 values"));
}

TEST(Pickle, TheStackAndTheMemoAreBounded) {
  EXPECT_THAT(refusal(std::string(200'000, 'N')), HasSubstr("one more than the limit"));
  EXPECT_THAT(refusal("N" + std::string(200'000, '\x94')), HasSubstr("one more than the limit"));
  EXPECT_THAT(refusal(std::string(200'000, '(')), HasSubstr("nested too deeply"));
  EXPECT_THAT(read(whole_message(list({"N", "N", "N"})), {.depth = 4, .values = 3}).error().message,
              HasSubstr("more than 3 values"));
}

TEST(Pickle, KeysAreTextsAndComeOnce) {
  EXPECT_THAT(refusal("}" + whole(1) + "Ns"), HasSubstr("a key is no text"));
  EXPECT_THAT(refusal(dict({{"a", "N"}, {"a", "N"}})), HasSubstr("a key is there twice"));
  EXPECT_THAT(refusal("}(" + text("a") + "u"), HasSubstr("a key without a value"));
}

TEST(Pickle, AStateIsSetOnce) {
  const auto thing = object("shop.things", "Thing", {});
  EXPECT_THAT(refusal(thing + "}b"), HasSubstr("or the second one"));
  EXPECT_THAT(refusal("N}b"), HasSubstr("BUILD is for what has no state"));
}

TEST(Pickle, AMessageIsOnePickleAndNothingElse) {
  EXPECT_THAT(refusal("N.N"), HasSubstr("before the end of the message"));
  EXPECT_THAT(refusal("NN"), HasSubstr("while values are open"));
  EXPECT_THAT(refusal("(N"), HasSubstr("while values are open"));
  EXPECT_THAT(read("\x80\x04N").error().message, HasSubstr("is cut short"));
  for (const std::string& other : {std::string(), std::string("N."), std::string("\x80\x03N."),
                                   std::string("\x80\x06N."), std::string("{\"a\": 1}")})
    EXPECT_THAT(read(other).error().message, HasSubstr("no pickle of protocol 4 or 5"));
}

TEST(Pickle, OpcodesThatNoClientSendsAreRefusedByPlace) {
  for (const char opcode :
       {'0', '1', '2',    'c',    'i',    'o',    'P',    'Q',    'I',    'F',    'S', 'V',
        'l', 'd', '\x82', '\x92', '\x97', '\x98', '\x90', '\x91', '\x8f', '\x8e', '\0'})
    EXPECT_THAT(refusal("N" + std::string(1, opcode)), testing::StartsWith("pickle, byte 3: "));
}

}  // namespace
}  // namespace cambium::formats
