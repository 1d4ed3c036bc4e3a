#include "core/app/new_project.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "core/app/urdf.hpp"

namespace cambium::app {
namespace {

using testing::AllOf;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

class NewProjectTest : public testing::Test {
 protected:
  NewProjectTest() : dir_(fs::path(testing::TempDir()) / ("new." + std::to_string(getpid()))) {
    fs::create_directories(dir_);
  }
  ~NewProjectTest() override { fs::remove_all(dir_); }

  static std::string read(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  /// A URDF with one joint of this text.
  fs::path urdf(const std::string& joint) const {
    std::ofstream(dir_ / "arm.urdf")
        << "<robot name='arm'><link name='base'/><link name='tip'/>" << joint << "</robot>";
    return dir_ / "arm.urdf";
  }
  std::string refusal_of(const std::string& type, const std::string& inside) const {
    const auto robot =
        read_urdf(urdf("<joint name='elbow' type='" + type +
                       "'><parent link='base'/><child link='tip'/>" + inside + "</joint>"),
                  "arm");
    if (robot) return "was accepted";
    EXPECT_EQ(robot.error().code, Code::bad_data);
    EXPECT_THAT(robot.error().message, AllOf(HasSubstr("arm.urdf: "), HasSubstr("elbow")));
    EXPECT_FALSE(fs::exists(dir_ / "arm"));
    return robot.error().message;
  }

  fs::path dir_;
};

TEST_F(NewProjectTest, WritesEveryFileAndLeavesNoKeyUnfilled) {
  const auto folder = write_project({"arm", "", dir_});
  ASSERT_TRUE(folder) << folder.error().message;
  for (const char* file : {"CMakeLists.txt", "plugin.cpp", "README.md", "robot.toml",
                           "test/CMakeLists.txt", "test/expected.txt"}) {
    const std::string text = read(*folder / file);
    EXPECT_FALSE(text.empty()) << file;
    EXPECT_THAT(text, AllOf(Not(HasSubstr("{{")), HasSubstr("arm"))) << file;
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_), {}), 1) << "and nothing beside it";
}

TEST_F(NewProjectTest, RefusesToOverwrite) {
  ASSERT_TRUE(write_project({"arm", "", dir_}));
  std::ofstream(dir_ / "arm" / "plugin.cpp") << "mine";
  const auto again = write_project({"arm", "", dir_});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::bad_argument);
  EXPECT_THAT(again.error().message, HasSubstr("exists already and is left as it is"));
  EXPECT_EQ(read(dir_ / "arm" / "plugin.cpp"), "mine");
}

TEST_F(NewProjectTest, RefusesNamesThatAreNotLowerSnakeCase) {
  for (const char* name : {"Arm", "../arm", "my arm", "7dof", ""}) {
    const auto folder = write_project({name, "", dir_});
    ASSERT_FALSE(folder) << name;
    EXPECT_EQ(folder.error().code, Code::bad_argument);
    EXPECT_THAT(folder.error().message, HasSubstr("is not lower_snake_case"));
  }
  EXPECT_TRUE(fs::is_empty(dir_));
}

TEST_F(NewProjectTest, SaysWhereItCannotWrite) {
  std::ofstream(dir_ / "file") << "no folder";
  const auto folder = write_project({"arm", "", dir_ / "file"});
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, Code::failed);
  EXPECT_THAT(folder.error().message, HasSubstr("cannot be written"));
}

TEST_F(NewProjectTest, TakesJointsLimitsAndToolPointFromAUrdf) {
  const auto robot = read_urdf(SAMPLE_URDF, "sample_arm");
  ASSERT_TRUE(robot) << robot.error().message;
  const auto& joints = robot->embodiment.joints;
  ASSERT_EQ(joints.size(), 4u);
  EXPECT_EQ(joints[0].name, "turntable");
  EXPECT_EQ(joints[1].name, "shoulder_pitch");
  EXPECT_EQ(joints[2].kind, JointKind::prismatic);
  EXPECT_EQ(joints[1].position_max, 1.8);
  EXPECT_EQ(joints[3].velocity_max, 3);
  EXPECT_EQ(joints[0].home, 0);
  EXPECT_EQ(joints[3].home, 1.0) << "zero lies outside, so the middle";
  EXPECT_EQ(robot->tool_link, "fingertip");
  // By hand: z 0.1 + 0.2; x 0.3 + 0.15 (lift) + 0.1, then 0.08 turned by 1 rad about y.
  EXPECT_THAT(robot->embodiment.home_tool[0], DoubleNear(0.55 + 0.08 * std::cos(1.0), 1e-6));
  EXPECT_EQ(robot->embodiment.home_tool[1], 0);
  EXPECT_THAT(robot->embodiment.home_tool[2], DoubleNear(0.3 - 0.08 * std::sin(1.0), 1e-6));
  EXPECT_THAT(robot->embodiment.reach, DoubleNear(0.2 + 0.3 + 0.25 + 0.1 + 0.08, 1e-6));
}

TEST_F(NewProjectTest, TakesWhereTheJointsLieAtHomeFromAUrdf) {
  const auto robot = read_urdf(SAMPLE_URDF, "sample_arm");
  ASSERT_TRUE(robot) << robot.error().message;
  const auto& axes = robot->embodiment.axes;
  ASSERT_EQ(axes.size(), 4u);
  // By hand; the lift is at home in the middle of its range, 0.15 out.
  EXPECT_THAT(axes[0].point, ElementsAre(0, 0, 0.1));
  EXPECT_THAT(axes[0].direction, ElementsAre(0, 0, 1));
  EXPECT_THAT(axes[1].point, ElementsAre(0, 0, 0.3));
  EXPECT_THAT(axes[1].direction, ElementsAre(0, 1, 0));
  EXPECT_THAT(axes[2].point, ElementsAre(0.3, 0, 0.3));
  EXPECT_THAT(axes[2].direction, ElementsAre(1, 0, 0));
  EXPECT_THAT(axes[3].point, ElementsAre(0.55, 0, 0.3));
  const auto folder = write_project({"sample_arm", SAMPLE_URDF, dir_});
  ASSERT_TRUE(folder) << folder.error().message;
  EXPECT_THAT(read(*folder / "plugin.cpp"),
              AllOf(HasSubstr("    {{0.55, 0, 0.3}, {0, 1, 0}},  // wrist\n"),
                    HasSubstr("    .axes = kAxes,\n")));
}

TEST_F(NewProjectTest, TurnsAxesByOriginsAndByJointsThatAreNotAtZero) {
  std::ofstream(dir_ / "arm.urdf")
      << "<robot name='arm'><link name='base'/><link name='one'/><link name='two'/>"
         "<joint name='first' type='revolute'><parent link='base'/><child link='one'/>"
         "<origin xyz='0 0 1' rpy='1.5707963267948966 0 0'/><axis xyz='0 0 2'/>"
         "<limit lower='0.5' upper='1.5' velocity='1' effort='1'/></joint>"
         "<joint name='second' type='revolute'><parent link='one'/><child link='two'/>"
         "<origin xyz='0.5 0 0'/><axis xyz='0 1 0'/>"
         "<limit lower='-1' upper='1' velocity='1' effort='1'/></joint></robot>";
  const auto robot = read_urdf(dir_ / "arm.urdf", "arm");
  ASSERT_TRUE(robot) << robot.error().message;
  const auto& axes = robot->embodiment.axes;
  ASSERT_EQ(axes.size(), 2u);
  // The first one's z lies along -y; at home it is turned by 1 rad: its x to (cos 1, 0, sin 1).
  EXPECT_THAT(axes[0].direction, ElementsAre(0, -1, 0));
  EXPECT_THAT(axes[1].point, ElementsAre(DoubleNear(0.5 * std::cos(1.0), 1e-6), 0,
                                         DoubleNear(1 + 0.5 * std::sin(1.0), 1e-6)));
  EXPECT_THAT(axes[1].direction,
              ElementsAre(DoubleNear(-std::sin(1.0), 1e-8), 0, DoubleNear(std::cos(1.0), 1e-8)));
}

TEST_F(NewProjectTest, LeavesAxesOutWhereJointsAreNoChainToTheTool) {
  const std::string limit = "<limit lower='-1' upper='1' velocity='1' effort='1'/>";
  const auto joint = [&](const std::string& name, const std::string& from, const std::string& to,
                         const std::string& more) {
    return "<joint name='" + name + "' type='revolute'><parent link='" + from + "'/><child link='" +
           to + "'/>" + limit + more + "</joint>";
  };
  const auto read_with = [&](const std::string& joints) {
    std::ofstream(dir_ / "arm.urdf") << "<robot name='arm'><link name='base'/><link name='one'/>"
                                        "<link name='two'/><link name='three'/>"
                                     << joints << "</robot>";
    return read_urdf(dir_ / "arm.urdf", "arm");
  };
  const auto fork = read_with(joint("a", "base", "one", "") + joint("b", "one", "two", "") +
                              joint("c", "one", "three", ""));
  ASSERT_TRUE(fork) << fork.error().message;
  EXPECT_TRUE(fork->embodiment.axes.empty());
  EXPECT_EQ(fork->notes.back(), "axes are left out: not every joint moves the tool");
  const auto parallel =
      read_with(joint("a", "base", "one", "") + joint("b", "one", "two", "<mimic joint='a'/>") +
                joint("c", "two", "three", ""));
  ASSERT_TRUE(parallel) << parallel.error().message;
  EXPECT_TRUE(parallel->embodiment.axes.empty());
  EXPECT_EQ(parallel->notes.back(), "axes are left out: a joint before the tool follows another");
}

TEST_F(NewProjectTest, StatesWhatItAssumedOfAContinuousJoint) {
  const auto robot = read_urdf(SAMPLE_URDF, "sample_arm");
  ASSERT_TRUE(robot);
  EXPECT_NEAR(robot->embodiment.joints[0].position_max, 3.14159, 1e-4);
  EXPECT_THAT(robot->joint_comments[0],
              AllOf(HasSubstr("continuous, bounded here to half a turn each way"),
                    HasSubstr("'Turntable' in the URDF")));
}

TEST_F(NewProjectTest, RefusesMissingOrContradictingLimits) {
  EXPECT_THAT(refusal_of("revolute", ""), HasSubstr("limits"));
  EXPECT_THAT(refusal_of("continuous", ""), HasSubstr("joint 'elbow': limit is missing"));
  EXPECT_THAT(refusal_of("revolute", "<limit lower='-1' upper='1' effort='1'/>"),
              HasSubstr("velocity"));
  EXPECT_THAT(refusal_of("revolute", "<limit lower='1' upper='-1' velocity='1' effort='1'/>"),
              HasSubstr("joint 'elbow': limit lower, upper are 1 and -1"));
  EXPECT_THAT(refusal_of("prismatic", "<limit velocity='1' effort='1'/>"),
              HasSubstr("joint 'elbow': limit lower, upper are 0 and 0"));
  EXPECT_THAT(refusal_of("revolute", "<limit lower='-1' upper='1' velocity='0' effort='1'/>"),
              HasSubstr("joint 'elbow': limit velocity is 0"));
}

TEST_F(NewProjectTest, RefusesJointsThatCannotBeDriven) {
  EXPECT_THAT(refusal_of("floating", ""), HasSubstr("joint 'elbow': type is floating or planar"));
}

TEST_F(NewProjectTest, LeavesMimickingJointsOutAndSaysSo) {
  std::ofstream(dir_ / "hand.urdf")
      << "<robot name='hand'><link name='base'/><link name='left'/><link name='right'/>"
         "<joint name='grip' type='prismatic'><parent link='base'/><child link='left'/>"
         "<limit lower='0' upper='0.1' velocity='1' effort='1'/></joint>"
         "<joint name='other' type='prismatic'><parent link='base'/><child link='right'/>"
         "<limit lower='0' upper='0.1' velocity='1' effort='1'/><mimic joint='grip'/></joint>"
         "</robot>";
  const auto robot = read_urdf(dir_ / "hand.urdf", "hand");
  ASSERT_TRUE(robot) << robot.error().message;
  EXPECT_EQ(robot->embodiment.dof(), 1u);
  ASSERT_EQ(robot->notes.size(), 1u);
  EXPECT_EQ(robot->notes[0], "joint other follows grip and is left out");
}

TEST_F(NewProjectTest, StrangersTextStaysInsideItsComment) {
  const auto file = urdf(
      "<joint name='a&#10;int x;\\' type='revolute'><parent link='base'/><child link='tip'/>"
      "<limit lower='-1' upper='1' velocity='1' effort='1'/></joint>");
  const auto folder = write_project({"arm", file, dir_});
  ASSERT_TRUE(folder) << folder.error().message;
  const std::string text = read(*folder / "plugin.cpp");
  EXPECT_THAT(text, Not(HasSubstr("\nint x")));
  EXPECT_THAT(text, Not(HasSubstr("\\' in the URDF")));
}

// The XML parser and the walk along the links call themselves for each level.
TEST_F(NewProjectTest, RefusesAUrdfThatIsNestedWithoutEnd) {
  const auto said = [&](const std::string& text) {
    std::ofstream(dir_ / "deep.urdf") << text;
    const auto robot = read_urdf(dir_ / "deep.urdf", "deep");
    return robot ? std::string("was accepted") : robot.error().message;
  };
  std::string elements = "<robot name='deep'>", links = elements;
  for (int i = 0; i < 40'000; ++i) elements += "<a b='/>'><!--</a>-->";
  EXPECT_THAT(said(elements), HasSubstr("deep.urdf: elements nested deeper than 64"));
  const auto link = [](int i) { return std::to_string(i); };
  for (int i = 0; i < 2000; ++i)
    links += "<link name='" + link(i) + "'/><joint name='j" + link(i) +
             "' type='fixed'><parent link='" + link(i) + "'/><child link='" + link(i + 1) +
             "'/></joint>";
  EXPECT_THAT(said(links + "<link name='2000'/></robot>"),
              HasSubstr("more than 1000 links one after the other"));
  EXPECT_THAT(said(std::string(2 << 20, ' ')), HasSubstr("more than 1048576 bytes"));
}

// urdfdom takes a link that is the child of two joints; to walk along such links might never end.
TEST_F(NewProjectTest, RefusesLinksThatAreReachedTwice) {
  const auto said = [&](const std::vector<std::pair<std::string, std::string>>& joints, int links) {
    std::string text = "<robot name='loop'>";
    for (int i = 0; i < links; ++i) text += "<link name='" + std::to_string(i) + "'/>";
    for (std::size_t i = 0; i < joints.size(); ++i)
      text += "<joint name='j" + std::to_string(i) + "' type='fixed'><parent link='" +
              joints[i].first + "'/><child link='" + joints[i].second + "'/></joint>";
    std::ofstream(dir_ / "loop.urdf") << text << "</robot>";
    const auto robot = read_urdf(dir_ / "loop.urdf", "loop");
    return robot ? std::string("was accepted") : robot.error().message;
  };
  EXPECT_THAT(said({{"0", "1"}, {"1", "2"}, {"2", "1"}}, 3), HasSubstr("is reached twice"));
  std::vector<std::pair<std::string, std::string>> diamonds;  // 2^30 ways to the last
  for (int i = 0; i < 30; ++i)
    diamonds.insert(diamonds.end(), 2, {std::to_string(i), std::to_string(i + 1)});
  EXPECT_THAT(said(diamonds, 31), HasSubstr("is reached twice"));
}

TEST_F(NewProjectTest, NoUrdfIsAnErrorWithItsName) {
  std::ofstream(dir_ / "arm.urdf") << "not even XML";
  const auto garbage = write_project({"arm", dir_ / "arm.urdf", dir_});
  ASSERT_FALSE(garbage);
  EXPECT_THAT(garbage.error().message, HasSubstr("arm.urdf: is no sound URDF"));
  const auto missing = write_project({"arm", dir_ / "none.urdf", dir_});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::not_found);
  const auto no_joints = read_urdf(urdf("<joint name='weld' type='fixed'><parent link='base'/>"
                                        "<child link='tip'/></joint>"),
                                   "arm");
  ASSERT_FALSE(no_joints);
  EXPECT_THAT(no_joints.error().message, HasSubstr("no revolute, continuous or prismatic joint"));
}

}  // namespace
}  // namespace cambium::app
