#include "examples/tasks/world.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace cambium::tasks {
namespace {

std::string ghost(const char* name, const std::string& geom) {
  return "<body name=\"" + std::string(name) + "\" mocap=\"true\"><geom " + geom +
         " contype=\"0\" conaffinity=\"0\"/></body>\n";
}

std::string number(double x) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.9f", x);
  return text.data();
}

// Polished: what is pushed goes where it is pushed, and is not dragged along by who slides past it.
constexpr char kPolished[] =
    " contype=\"2\" conaffinity=\"2\" condim=\"1\" solref=\"0.005 1\" solimp=\"0.99 0.99 0.001\" ";

// A cylinder that slides as on a film of oil and does not turn. Hardly any dry friction: a joint
// each for x and y has its own, so that a push a little beside an axis would only move it along.
std::string puck(double radius, double height) {
  const std::string half = number(0.8 * radius);
  return "<body name=\"puck\" pos=\"0 0 " + number(height) + "\">" +
         "<joint name=\"puck_x\" type=\"slide\" axis=\"1 0 0\" limited=\"false\" "
         "damping=\"8\" frictionloss=\"0.05\"/>"
         "<joint name=\"puck_y\" type=\"slide\" axis=\"0 1 0\" limited=\"false\" "
         "damping=\"8\" frictionloss=\"0.05\"/>"
         "<geom type=\"cylinder\" size=\"" +
         number(radius) + " " + half + "\" mass=\"0.2\"" + kPolished +
         "rgba=\"0.9 0.5 0.1 1\"/></body>\n";
}

}  // namespace

Result<std::string> add_task(std::string_view mjcf, TaskKind task, const Sizes& sizes,
                             double height) {
  std::string text(mjcf);
  if (task == TaskKind::reach) return text;
  std::string things;
  if (task == TaskKind::choose) {
    things += ghost("decoy0", "type=\"sphere\" size=\"0.02\" rgba=\"0.5 0.5 0.5 0.6\"");
    things += ghost("decoy1", "type=\"sphere\" size=\"0.02\" rgba=\"0.5 0.5 0.5 0.6\"");
    things += ghost("obstacle", "type=\"sphere\" size=\"" + number(sizes.obstacle) +
                                    "\" rgba=\"0.8 0.1 0.1 0.6\"");
  } else {
    things = puck(sizes.puck, height);
    const std::string_view site = "<site name=\"tool\" pos=\"";
    const auto at = text.find(site);
    const auto end = at == std::string::npos ? at : text.find('"', at + site.size());
    if (end == std::string::npos)
      return Error{Code::bad_data, "the arm's model has no " + std::string(site) + "…\"/>"};
    const std::string place = text.substr(at + site.size(), end - at - site.size());
    text.insert(at, "<geom name=\"tip\" type=\"sphere\" pos=\"" + place + "\" size=\"" +
                        number(sizes.tip) + "\" mass=\"0.01\"" + kPolished +
                        "rgba=\"0.9 0.3 0.1 1\"/>");
  }
  const auto end = text.rfind("</worldbody>");
  if (end == std::string::npos) return Error{Code::bad_data, "the arm's model has no </worldbody>"};
  return text.insert(end, things);
}

double table_height(const reach::ArmModel& model) {
  const int id = mj_name2id(&model.mujoco(), mjOBJ_BODY, "puck");
  return id < 0 ? 0 : model.mujoco().body_pos[3 * id + 2];
}

void place(TaskKind task, const Scene& scene, reach::Arm& arm) {
  arm.show_goal(scene.target);
  mjData& data = arm.data();
  if (task == TaskKind::choose) {  // in the order in which add_task() has them, after the goal
    std::copy(scene.decoys[0].begin(), scene.decoys[0].end(), data.mocap_pos + 3);
    std::copy(scene.decoys[1].begin(), scene.decoys[1].end(), data.mocap_pos + 6);
    std::copy(scene.obstacle.begin(), scene.obstacle.end(), data.mocap_pos + 9);
  }
  if (task == TaskKind::push) std::copy_n(scene.puck.begin(), 2, data.qpos + arm.model().dof());
  mj_forward(&arm.model().mujoco(), &data);
}

Point puck_position(const reach::Arm& arm) {
  const mjData& data = arm.data();
  const std::size_t dof = arm.model().dof();
  return {data.qpos[dof], data.qpos[dof + 1], table_height(arm.model())};
}

double puck_speed(const reach::Arm& arm) {
  const mjData& data = arm.data();
  const std::size_t dof = arm.model().dof();
  return std::hypot(data.qvel[dof], data.qvel[dof + 1]);
}

}  // namespace cambium::tasks
