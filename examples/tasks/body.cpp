#include <Eigen/Dense>
#include <algorithm>
#include <charconv>
#include <optional>

#include "examples/reach/embodiment.hpp"
#include "examples/reach/kinematics.hpp"
#include "examples/reach/models.hpp"
#include "examples/tasks/random_arm.hpp"
#include "examples/tasks/sampler.hpp"
#include "examples/tasks/task.hpp"
#include "examples/tasks/world.hpp"

namespace cambium::tasks {
namespace {

using reach::ArmModel;
constexpr std::string_view kRandom = "random:";

// An arm before it is given a task.
struct BareArm {
  std::string mjcf;
  plugin::Embodiment embodiment;
  std::shared_ptr<const ArmModel> model;
};

// What MuJoCo says of joints and tool at home.
void describe(const ArmModel& model, plugin::Embodiment& embodiment) {
  const reach::Data data(mj_makeData(&model.mujoco()));
  for (std::size_t j = 0; j < model.dof(); ++j) data->qpos[j] = model.joints()[j].home;
  mj_kinematics(&model.mujoco(), data.get());
  embodiment.axes.clear();
  for (std::size_t j = 0; j < model.dof(); ++j) {
    plugin::JointAxis axis;
    std::copy_n(data->xanchor + 3 * j, 3, axis.point.begin());
    std::copy_n(data->xaxis + 3 * j, 3, axis.direction.begin());
    embodiment.axes.push_back(axis);
  }
  std::copy_n(data->site_xpos + 3 * model.tool_site(), 3, embodiment.home_tool.begin());
}

Result<BareArm> arm_of_plugin(std::string_view name) {
  const auto file = reach::plugin_of(name);
  if (!file) return file.error();
  const auto library = reach::open_plugin(*file);
  if (!library) return library.error();
  auto embodiment = (*library)->embodiment();
  if (!embodiment) return embodiment.error();
  auto model = ArmModel::load(name, reach::joints_of(*embodiment), embodiment->control_hz);
  if (!model) return model.error();
  BareArm arm{std::string(reach::arm_models().find(name)->second), std::move(*embodiment),
              std::make_shared<const ArmModel>(std::move(*model))};
  if (arm.embodiment.axes.empty()) describe(*arm.model, arm.embodiment);
  return arm;
}

// A puck's height at which the tool gets to most of a disc around its home.
struct Table {
  double height = 0;  // [m]
  double part = 0;    // of the disc
};

Table find_table(const BareArm& arm) {
  const TaskBody body{"", TaskKind::reach, arm.embodiment, arm.model};
  Teacher teacher(body);
  std::vector<double> home;
  for (const auto& joint : arm.model->joints()) home.push_back(joint.home);
  const Point home_tool = teacher.tool(home);
  Table best;
  constexpr int kPoints = 40;
  for (const double below : {0.12, 0.06, 0.0, -0.06}) {
    const double height = home_tool[2] - below * arm.embodiment.reach;
    if (height < kFloor) continue;
    Draws draws{learn::number_of("table")};
    int reached = 0;
    for (int i = 0; i < kPoints; ++i) {
      const Point at = on_disc(draws, home_tool, arm.model->goal_radius(), height);
      reached += teacher.arrival(home, {.target = at}, 2.5) < 2.5;
    }
    const double part = static_cast<double>(reached) / kPoints;
    if (part > best.part + 0.025) best = {height, part};
    if (best.part > 0.95) break;
  }
  return best;
}

// Whether one would want to have it: its tool moves well in every direction from home, and the
// teacher reaches what is to be reached.
bool is_good(const BareArm& arm) {
  const double reach = arm.embodiment.reach, radius = arm.model->goal_radius();
  reach::Kinematics kinematics(*arm.model);
  const Point home = kinematics.home_tool();
  if (home[2] < kFloor + 0.6 * radius) return false;
  const auto columns = kinematics.jacobian();
  Eigen::Matrix<double, 3, Eigen::Dynamic, Eigen::RowMajor> speeds =
      Eigen::Map<const decltype(speeds)>(columns.data(), 3,
                                         static_cast<Eigen::Index>(arm.model->dof()));
  for (Eigen::Index j = 0; j < speeds.cols(); ++j)
    speeds.col(j) *= arm.embodiment.joints[static_cast<std::size_t>(j)].velocity_max / reach;
  const Eigen::Vector3d singular =
      Eigen::JacobiSVD<Eigen::MatrixXd>(speeds).singularValues().head<3>();
  if (singular[2] < 0.5 || singular[2] < 0.15 * singular[0]) return false;  // [1/s] reaches

  const TaskBody body{"", TaskKind::reach, arm.embodiment, arm.model};
  Teacher teacher(body);
  Sampler sampler(body);
  std::vector<double> at_home;
  for (const auto& joint : arm.embodiment.joints) at_home.push_back(joint.home);
  Draws draws{learn::number_of("goals")};
  constexpr int kGoals = 40;
  int missed = 0;
  for (int i = 0; i < kGoals && missed <= kGoals / 20; ++i) {
    const auto goal = sampler.point(draws);
    if (!goal) return false;
    missed += teacher.arrival(at_home, {.target = *goal}, 2.5) >= 2.5;
  }
  return missed <= kGoals / 20 && find_table(arm).part >= 0.8;
}

Result<BareArm> random_arm(std::uint64_t seed) {
  const std::string name = "random_" + std::to_string(seed);
  for (std::uint64_t attempt = 0; attempt < 10000; ++attempt) {
    RandomArm drawn = draw_arm(name, Draws{learn::number_of("arm"), seed, attempt});
    BareArm arm;
    arm.mjcf = std::move(drawn.mjcf);
    arm.embodiment.name = name;
    arm.embodiment.summary = "an arm that nobody has built";
    arm.embodiment.joints = std::move(drawn.joints);
    arm.embodiment.control_hz = 100;
    arm.embodiment.reach = drawn.reach;
    auto model = ArmModel::from_text(name, arm.mjcf, reach::joints_of(arm.embodiment),
                                     arm.embodiment.control_hz);
    if (!model) return model.error();
    arm.model = std::make_shared<const ArmModel>(std::move(*model));
    describe(*arm.model, arm.embodiment);
    if (is_good(arm)) return arm;
  }
  return Error{Code::failed,
               "random:" + std::to_string(seed) + ": ten thousand draws, no good arm"};
}

Result<BareArm> bare_arm(std::string_view name) {
  if (!name.starts_with(kRandom)) return arm_of_plugin(name);
  const std::string_view digits = name.substr(kRandom.size());
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seed);
  if (error != std::errc() || end != digits.data() + digits.size())
    return Error{Code::bad_argument, "body '" + std::string(name) +
                                         "': a whole number from 0 is expected after 'random:'"};
  return random_arm(seed);
}

}  // namespace

Result<TaskBody> make_body(std::string_view name, TaskKind task) {
  auto arm = bare_arm(name);
  if (!arm) return arm.error();
  TaskBody body{std::string(name), task, std::move(arm->embodiment), std::move(arm->model)};
  body.embodiment.sensors =
      sensors_of(task, static_cast<std::uint32_t>(body.embodiment.joints.size()));
  if (task == TaskKind::reach) return body;

  Table table;
  if (task == TaskKind::push) {
    table = find_table({arm->mjcf, body.embodiment, body.model});
    if (table.part < 0.6)
      return Error{Code::failed,
                   "body '" + body.name + "': no height at which its tool gets to most of a table"};
  }
  const auto text = add_task(arm->mjcf, task, Sizes(body.embodiment), table.height);
  if (!text) return text.error();
  auto model = ArmModel::from_text(body.embodiment.name, *text, reach::joints_of(body.embodiment),
                                   body.embodiment.control_hz);
  if (!model) return model.error();
  body.model = std::make_shared<const ArmModel>(std::move(*model));
  body.embodiment.name += std::string("_") + to_string(task);
  return body;
}

}  // namespace cambium::tasks
