#include "core/trunk/admission.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "tests/support/tokens.hpp"

namespace cambium::trunk {
namespace {

const Admission kAdmission{test::digest(0xab), 4, 8};

Result<void> admit(const test::TokensMessage& message, Request& request) {
  const auto bytes = message.bytes();
  return kAdmission.admit(*flatbuffers::GetRoot<wire::Tokens>(bytes.data()), 1000, request);
}

TEST(Admission, CopiesWhatFits) {
  test::TokensMessage message;
  message.deadline_us = 20;
  message.pooling = 4;
  message.pooled = 2;
  Request request;
  ASSERT_TRUE(admit(message, request));
  EXPECT_EQ(request.request, 1u);
  EXPECT_EQ(request.robot_id, 7u);
  EXPECT_EQ(request.generation, 3u);
  EXPECT_EQ(request.arrived, 1000);
  EXPECT_EQ(request.deadline, 21'000);
  EXPECT_EQ(request.pooling, Pooling::action_token);
  EXPECT_EQ(request.pooled, 2u);
  EXPECT_EQ(request.count, 2u);
  EXPECT_EQ(request.tokens, message.values);
}

TEST(Admission, NoDeadlineMeansNever) {
  Request request;
  request.deadline = 5;
  ASSERT_TRUE(admit({}, request));
  EXPECT_EQ(request.deadline, kNoDeadline);
}

struct Refusal {
  const char* name;
  std::function<void(test::TokensMessage&)> spoil;
  Code code;
  const char* sentence;
};

class AdmissionRefusal : public testing::TestWithParam<Refusal> {};

TEST_P(AdmissionRefusal, SaysWhatAndWhatWasExpected) {
  test::TokensMessage message;
  GetParam().spoil(message);
  Request request;
  const auto admitted = admit(message, request);
  ASSERT_FALSE(admitted);
  EXPECT_EQ(admitted.error().code, GetParam().code);
  EXPECT_EQ(admitted.error().message, GetParam().sentence);
  EXPECT_EQ(request.request, 1u) << "the refusal must name the request";
  EXPECT_EQ(request.generation, 3u);
}

INSTANTIATE_TEST_SUITE_P(
    All, AdmissionRefusal,
    testing::Values(
        Refusal{"another_trunk", [](auto& m) { m.trunk.assign(32, 0xcd); }, Code::incompatible,
                "tokens are for trunk cdcdcdcdcdcdcdcd, this trunk is abababababababab; use a "
                "bundle of this trunk"},
        Refusal{"half_an_id", [](auto& m) { m.trunk.resize(16); }, Code::bad_data,
                "trunk id has 16 bytes, expected 32"},
        Refusal{"another_width", [](auto& m) { m.width = 8; }, Code::incompatible,
                "tokens are 8 wide, this trunk is 4 wide"},
        Refusal{"no_tokens", [](auto& m) { m.count = 0; }, Code::incompatible,
                "0 tokens, this trunk takes 1 to 8"},
        Refusal{"too_many_tokens", [](auto& m) { m.count = 9; }, Code::incompatible,
                "9 tokens, this trunk takes 1 to 8"},
        Refusal{"count_that_overflows", [](auto& m) { m.count = 0x4000'0002; }, Code::incompatible,
                "1073741826 tokens, this trunk takes 1 to 8"},
        Refusal{"missing_values", [](auto& m) { m.values.pop_back(); }, Code::bad_data,
                "7 values, expected 8 (2 tokens of width 4)"},
        Refusal{"pooling_that_is_none", [](auto& m) { m.pooling = 9; }, Code::bad_data,
                "pooling 9, expected 0 to 4"},
        Refusal{"no_action_tokens", [](auto& m) { m.pooling = 4; }, Code::bad_data,
                "0 action tokens, expected 1 to 2"},
        Refusal{"more_action_tokens_than_tokens",
                [](auto& m) {
                  m.pooling = 4;
                  m.pooled = 3;
                },
                Code::bad_data, "3 action tokens, expected 1 to 2"},
        Refusal{"infinity", [](auto& m) { m.values[3] = std::numeric_limits<float>::infinity(); },
                Code::not_finite, "tokens are not all finite"},
        Refusal{"not_a_number",
                [](auto& m) { m.values[7] = std::numeric_limits<float>::quiet_NaN(); },
                Code::not_finite, "tokens are not all finite"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace cambium::trunk
