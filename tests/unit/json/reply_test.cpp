#include "core/adapters/json/reply.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cambium::adapters {
namespace {

TEST(JsonReply, IsOneLineOfTheShortestNumbersThatAreTheSame) {
  const std::vector<float> arm = {0.1f, -1, 1e-9f, 3}, grip = {0.5f, 1};
  gateway::Answer answer;
  answer.rows = 2;
  answer.parts = {{"arm", 2, arm}, {"gr\"ip", 1, grip}};
  answer.generation = 4;
  answer.took_ms = 3.14159;
  EXPECT_EQ(
      write_answer("\"a\"", answer, 50),
      R"({"id":"a","actions":{"arm":[[0.1,-1],[1e-09,3]],"gr\"ip":[[0.5],[1]]},"rows":2,"hz":50,)"
      R"("drive":"policy","reason":"ok","generation":4,"took_ms":3.142})");
}

TEST(JsonReply, SaysWhyThePolicyDoesNotDrive) {
  gateway::Answer answer;
  answer.drive = Drive::hold;
  answer.reason = Code::timeout;
  answer.why = "no chunk\nin time";
  EXPECT_EQ(write_answer("", answer, 0.5),
            R"({"actions":{},"rows":0,"hz":0.5,"drive":"hold","reason":"timeout",)"
            R"("why":"no chunk\nin time","generation":0,"took_ms":0})");
}

TEST(JsonReply, NamesTheKeyThatIsToBlame) {
  EXPECT_EQ(
      write_refusal("7", {.code = Code::bad_data, .message = "no", .key = "x\xff"}),
      "{\"id\":7,\"error\":{\"code\":\"bad data\",\"message\":\"no\",\"key\":\"x\xef\xbf\xbd\"}}");
  EXPECT_EQ(write_refusal("", {.code = Code::busy, .message = "no", .key = {}}),
            R"({"error":{"code":"busy","message":"no"}})");
}

}  // namespace
}  // namespace cambium::adapters
