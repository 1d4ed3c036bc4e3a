#include "core/app/new_project.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "cambium/version.hpp"
#include "core/app/describe.hpp"
#include "core/app/new_templates.hpp"
#include "core/app/urdf.hpp"

namespace cambium::app {
namespace {

namespace fs = std::filesystem;
using Values = std::map<std::string, std::string, std::less<>>;

/// Two joints with round numbers, to be replaced.
UrdfRobot robot_to_edit(const std::string& name) {
  UrdfRobot robot;
  robot.embodiment.name = name;
  robot.embodiment.summary = "two joints, to be edited";
  robot.embodiment.joints = {{"shoulder", JointKind::revolute, -1.5, 1.5, 1, 4, 0},
                             {"elbow", JointKind::revolute, -1.5, 1.5, 1, 4, 0}};
  robot.joint_comments = {"[rad] [rad/s] [rad/s^2]; edit", "[rad] [rad/s] [rad/s^2]; edit"};
  return robot;
}

std::string joint_unit(const plugin::Embodiment& embodiment) {
  const auto prismatic = [](const plugin::Joint& j) { return j.kind == JointKind::prismatic; };
  const auto& joints = embodiment.joints;
  if (std::all_of(joints.begin(), joints.end(), prismatic)) return "m";
  return std::any_of(joints.begin(), joints.end(), prismatic) ? "rad, m" : "rad";
}

std::string joint_lines(const UrdfRobot& robot) {
  std::string lines;
  for (std::size_t i = 0; i < robot.embodiment.joints.size(); ++i) {
    const auto& joint = robot.embodiment.joints[i];
    lines += fmt::format("    {{\"{}\", {}, {}, {}, {}, {}, {}}},  // {}\n", joint.name,
                         joint.kind == JointKind::revolute ? "revolute" : "prismatic",
                         joint.position_min, joint.position_max, joint.velocity_max,
                         joint.acceleration_max, joint.home, robot.joint_comments[i]);
  }
  return lines;
}

std::string axis_lines(const plugin::Embodiment& embodiment) {
  std::string lines;
  for (std::size_t i = 0; i < embodiment.axes.size(); ++i)
    lines +=
        fmt::format("    {{{{{}}}, {{{}}}}},  // {}\n", fmt::join(embodiment.axes[i].point, ", "),
                    fmt::join(embodiment.axes[i].direction, ", "), embodiment.joints[i].name);
  return lines;
}

/// The table and the field that names it; without axes, what is missing.
std::pair<std::string, std::string> axes_of(const plugin::Embodiment& embodiment) {
  if (embodiment.axes.empty())
    return {
        "",
        "\n    .axes = {},  // where each joint lies at home; a trunk that reads bodies needs it"};
  return {
      "\n// Where each joint lies while all are at home, in the base frame: a point of its line "
      "[m], "
      "its\n// direction. From the URDF's origins.\nconstexpr cambium::JointAxis kAxes[] = {\n" +
          axis_lines(embodiment) + "};\n",
      "\n    .axes = kAxes,"};
}

Values values_of(const UrdfRobot& robot, const NewProject& project) {
  const bool edited = project.urdf.empty();
  const auto& embodiment = robot.embodiment;
  std::string todo =
      "\n- measure the acceleration limits: a URDF has none, full speed in a quarter second is "
      "assumed";
  for (const auto& note : robot.notes) todo += "\n- " + note;
  if (edited) todo = "\n- replace the two joints in `plugin.cpp` by the robot's own";
  if (embodiment.axes.empty())
    todo += "\n- give `axes`, a line a joint, if a trunk with a `joints` stem is to drive it";
  todo += "\n- declare a safe pose, if the robot has one";
  return {
      {"name", embodiment.name},
      {"sdk_version", kProjectVersion},
      {"summary", embodiment.summary},
      {"dof", std::to_string(embodiment.dof())},
      {"joints", joint_lines(robot)},
      {"joints_source", edited
                            ? "// Placeholders: replace them by the robot's own, one joint a line."
                            : "// Limits are those of the URDF; accelerations are assumed: full "
                              "speed in a quarter second."},
      {"joint_unit", joint_unit(embodiment)},
      {"control_hz", fmt::format("{}", embodiment.control_hz)},
      {"home_tool", fmt::format("{}", fmt::join(embodiment.home_tool, ", "))},
      {"tool_comment", edited ? "tool point at home, in the base frame; edit"
                              : fmt::format("{} at home, in the base frame", robot.tool_link)},
      {"reach", fmt::format("{}", embodiment.reach)},
      {"reach_comment", edited ? "length that makes bodies comparable; edit"
                               : "lengths from the first joint outwards, summed"},
      {"axes_table", axes_of(embodiment).first},
      {"axes_field", axes_of(embodiment).second},
      {"todo", todo},
  };
}

/// Puts values in the place of {{keys}}. The templates are ours: a key without value is a bug.
std::string render(std::string_view text, const Values& values) {
  std::string out;
  for (;;) {
    const auto open = text.find("{{");
    if (open == std::string_view::npos) return out.append(text);
    out.append(text.substr(0, open));
    text.remove_prefix(open);
    if (text.starts_with("{{{")) {  // a brace of the file, then a key
      out += '{';
      text.remove_prefix(1);
    }
    const auto close = text.find("}}");
    out += values.find(text.substr(2, close - 2))->second;
    text.remove_prefix(close + 2);
  }
}

Result<void> write_file(const fs::path& file, const std::string& text) {
  std::error_code code;
  fs::create_directories(file.parent_path(), code);
  std::ofstream out(file, std::ios::binary);
  out << text;
  out.close();
  if (code || !out)
    return Error{Code::failed,
                 fmt::format("'{}' cannot be written; check rights and free space", file.string())};
  return {};
}

Result<void> write_all(const fs::path& folder, const Values& values, const std::string& expected) {
  for (const auto& [path, text] : new_templates())
    if (auto ok = write_file(folder / path, render(text, values)); !ok) return ok;
  return write_file(folder / "test" / "expected.txt", expected);
}

}  // namespace

Result<fs::path> write_project(const NewProject& project) {
  if (!plugin::is_lower_snake_case(project.name))
    return Error{Code::bad_argument,
                 fmt::format("name '{}' is not lower_snake_case: letters a to z, digits and single "
                             "underscores, a letter first",
                             project.name)};
  const fs::path folder = project.where / project.name;
  std::error_code code;
  if (fs::exists(fs::symlink_status(folder, code)))
    return Error{
        Code::bad_argument,
        fmt::format("'{}' exists already and is left as it is; choose another name or --dir",
                    folder.string())};
  UrdfRobot robot;
  if (project.urdf.empty()) {
    robot = robot_to_edit(project.name);
  } else {
    auto read = read_urdf(project.urdf, project.name);
    if (!read) return read.error();
    robot = std::move(*read);
  }
  const auto dof = static_cast<std::uint32_t>(robot.embodiment.dof());
  robot.embodiment.sensors = {{"joint_position", joint_unit(robot.embodiment), "joint", {dof}},
                              {"tool", "m", "base", {3}},
                              {"goal", "m", "base", {3}}};
  if (auto ok = robot.embodiment.validate(); !ok)
    return Error{Code::bad_data, fmt::format("{}: {}", project.urdf.string(), ok.error().message)};

  const std::string expected =
      fmt::format("plugin {} 0.1.0\n{}stem token\nstem joints\nhead mlp\nhead joint\n",
                  project.name, describe(robot.embodiment));
  const fs::path partial = project.where / fmt::format(".{}.{}", project.name, ::getpid());
  auto written = write_all(partial, values_of(robot, project), expected);
  if (written) {
    fs::rename(partial, folder, code);
    if (code)
      written = Error{Code::failed,
                      fmt::format("'{}' cannot be made: {}", folder.string(), code.message())};
  }
  if (!written) {
    fs::remove_all(partial, code);
    return written.error();
  }
  return folder;
}

}  // namespace cambium::app
