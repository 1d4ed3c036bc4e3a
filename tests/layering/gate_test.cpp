// No action reaches a controller past the safety gate: what the runtime sends, as text.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace cambium::layering {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
namespace fs = std::filesystem;

constexpr std::string_view kPublish = " publish();";
constexpr std::string_view kPass = "gate.pass(";

/// An answer of the robot begins with its kind and ends with publish(): between the two of an
/// action or a chunk lies the gate.
std::vector<std::string> check_gate(std::string_view text, std::size_t* answers = nullptr) {
  std::vector<std::string> findings;
  for (const std::string_view kind : {"action", "chunk"}) {
    const std::string begin = "begin(OutFrame::Kind::" + std::string(kind);
    for (auto at = text.find(begin); at != text.npos; at = text.find(begin, at + 1)) {
      if (answers != nullptr) ++*answers;
      const auto end = text.find(kPublish, at);
      if (end == text.npos)
        findings.push_back(std::string(kind) + ": begun, but not published in this file");
      else if (text.find(kPass, at) > end)
        findings.push_back(std::string(kind) + ": published without gate.pass()");
    }
  }
  return findings;
}

TEST(Gate, LiesBetweenEveryActionAndItsController) {
  std::size_t answers = 0, rings = 0;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(SOURCE_ROOT) / "core")) {
    if (entry.path().extension() != ".cpp") continue;
    std::ifstream in(entry.path());
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    for (const auto& finding : check_gate(text, &answers))
      ADD_FAILURE() << entry.path() << ": " << finding;
    // The other end of the ring is not handed out: Robot::publish() alone fills it.
    for (auto at = text.find("out.publish()"); at != text.npos;
         at = text.find("out.publish()", at + 1)) {
      ++rings;
      EXPECT_EQ(entry.path().filename(), "robot.cpp") << "publishes past the robot";
    }
  }
  EXPECT_EQ(answers, 2u) << "Robot::act and Robot::send_chunk; look after this check otherwise";
  EXPECT_EQ(rings, 1u);
}

TEST(Gate, AnActionThatPassesNoneIsFound) {
  EXPECT_THAT(
      check_gate("out = begin(OutFrame::Kind::action, 1);\n  gate.pass(row);\n  publish();"),
      IsEmpty());
  EXPECT_THAT(check_gate("out = begin(OutFrame::Kind::action, 1);\n  publish();\n"
                         "out = begin(OutFrame::Kind::chunk, 1);\n  gate.pass(row);\n  publish();"),
              ElementsAre("action: published without gate.pass()"));
}

}  // namespace
}  // namespace cambium::layering
