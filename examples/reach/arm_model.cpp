#include "examples/reach/arm_model.hpp"

#include <cmath>
#include <cstring>

#include "core/base/nearest.hpp"
#include "examples/reach/models.hpp"

namespace cambium::reach {
namespace {

struct DeleteVfs {
  void operator()(mjVFS* vfs) const noexcept {
    mj_deleteVFS(vfs);
    delete vfs;
  }
};

Result<std::unique_ptr<mjModel, DeleteModel>> compile(const std::string& name,
                                                      std::string_view text) {
  const std::unique_ptr<mjVFS, DeleteVfs> vfs(new mjVFS);  // too large for the stack
  mj_defaultVFS(vfs.get());
  const std::string file = name + ".xml";
  mj_makeEmptyFileVFS(vfs.get(), file.c_str(), static_cast<int>(text.size()));
  std::memcpy(vfs->filedata[0], text.data(), text.size());
  char why[512] = {};
  std::unique_ptr<mjModel, DeleteModel> model(mj_loadXML(file.c_str(), vfs.get(), why, sizeof why));
  if (!model) return Error{Code::bad_data, file + ": " + why};
  return model;
}

}  // namespace

Error no_such_arm(std::string_view arm) {
  std::vector<std::string> names;
  for (const auto& [name, text] : arm_models()) names.push_back(name);
  return {Code::not_found,
          "no simulated arm is called '" + std::string(arm) + "'" + base::did_you_mean(arm, names)};
}

double distance(const Point& a, const Point& b) noexcept {
  return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

Result<ArmModel> ArmModel::load(std::string_view arm, std::vector<JointInfo> joints,
                                double control_hz) {
  const auto found = arm_models().find(arm);
  if (found == arm_models().end()) return no_such_arm(arm);
  return from_text(found->first, found->second, std::move(joints), control_hz);
}

Result<ArmModel> ArmModel::from_text(std::string name, std::string_view text,
                                     std::vector<JointInfo> joints, double control_hz) {
  auto compiled = compile(name, text);
  if (!compiled) return compiled.error();
  ArmModel result;
  result.name_ = std::move(name);
  result.model_ = std::move(*compiled);
  mjModel& model = *result.model_;
  const auto refuse = [&](const std::string& why) {
    return Error{Code::incompatible, "arm '" + result.name_ + "': " + why};
  };
  const int dof = static_cast<int>(joints.size());
  if (model.nu != dof || model.njnt < dof)
    return refuse("the model has " + std::to_string(model.nu) + " driven joints, the embodiment " +
                  std::to_string(dof));
  for (int i = 0; i < dof; ++i) {
    const JointInfo& joint = joints[static_cast<std::size_t>(i)];
    const char* const named = mj_id2name(&model, mjOBJ_JOINT, i);
    const std::string joint_name = named == nullptr ? "" : named;
    if (joint_name != joint.name)
      return refuse("joint " + std::to_string(i) + " is '" + joint_name + "' in the model, '" +
                    joint.name + "' in the embodiment");
    const int type = joint.kind == JointKind::prismatic ? mjJNT_SLIDE : mjJNT_HINGE;
    if (model.jnt_type[i] != type)
      return refuse("joint '" + joint_name + "' slides in one and turns in the other");
    if (model.actuator_trnid[2 * i] != i)
      return refuse("actuator " + std::to_string(i) + " does not drive joint '" + joint_name + "'");
    model.jnt_range[2 * i] = joint.position_min;
    model.jnt_range[2 * i + 1] = joint.position_max;
  }
  result.tool_site_ = mj_name2id(&model, mjOBJ_SITE, "tool");
  const int radius = mj_name2id(&model, mjOBJ_NUMERIC, "goal_radius");
  if (result.tool_site_ < 0 || radius < 0)
    return refuse("the model lacks the site 'tool' or the number 'goal_radius'");
  result.goal_radius_ = model.numeric_data[model.numeric_adr[radius]];
  result.period_ = 1 / control_hz;
  const double steps = result.period_ / model.opt.timestep;
  result.steps_per_tick_ = static_cast<int>(std::lround(steps));
  if (!(control_hz > 0) || std::abs(steps - result.steps_per_tick_) > 1e-6)
    return refuse("a control rate of " + std::to_string(control_hz) +
                  " Hz is not a whole number of physics steps of " +
                  std::to_string(model.opt.timestep) + " s");
  result.joints_ = std::move(joints);
  return result;
}

}  // namespace cambium::reach
