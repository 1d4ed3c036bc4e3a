#include "examples/tasks/random_arm.hpp"

#include <Eigen/Geometry>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <string_view>

namespace cambium::tasks {
namespace {

using Eigen::Vector3d;
constexpr double kPi = std::numbers::pi;

// One joint and the link that follows it, all in the base's directions with every joint at 0.
struct Link {
  bool slides = false;
  Vector3d axis = Vector3d::UnitZ();
  Vector3d to_next = Vector3d::Zero();  // [m] to the next joint, or to the tool
  double mass = 0;                      // [kg]
};

// x, y, z: turns about it; X, Y, Z: slides along it. The arm stands, its upper arm along z, its
// forearm along x; `up` links go along z, the rest along x.
struct Pattern {
  std::string_view joints;
  std::size_t up;
  double weight;
};

constexpr Pattern kPatterns[] = {
    // A turning base, shoulder and elbow, and a wrist.
    {"zyyy", 2, 2},
    {"zyyx", 2, 1},
    {"zyyyx", 2, 3},
    {"zyyxy", 2, 2},
    {"zyyyz", 2, 2},
    {"zyyyzy", 2, 3},
    {"zyyyzx", 2, 3},
    {"zyyxyx", 2, 3},
    {"zyyyxy", 2, 1},
    {"zyyzyx", 2, 1},
    // An upper arm that rolls.
    {"zyzy", 3, 1},
    {"zyzyx", 3, 1},
    {"zyzyxy", 3, 2},
    {"zyzyxyx", 3, 4},
    {"zyzyyxy", 3, 1},
    // SCARAs, lifts and rails.
    {"zzZz", 0, 2},
    {"zzZzy", 0, 1},
    {"Zzzz", 1, 1},
    {"Zzzy", 1, 1},
    {"Zzyyx", 1, 1},
    {"Yzyy", 3, 1},
    {"Yzyyx", 3, 1},
    {"Xzyyyz", 3, 1},
    {"Yyyzy", 2, 1},
    // No turning base.
    {"xyyz", 2, 1},
    {"xyyyx", 2, 1},
    {"yxyy", 2, 1},
    {"yxyyx", 2, 1},
    {"yzyyxy", 2, 1},
    {"xyzyxyx", 3, 1},
    // Anything.
    {"????", 2, 1},
    {"?????", 2, 1},
    {"??????", 2, 1},
    {"???????", 2, 1},
};

const Pattern& draw_pattern(Draws& draws) {
  double sum = 0;
  for (const auto& pattern : kPatterns) sum += pattern.weight;
  double left = draws.between(0, sum);
  for (const auto& pattern : kPatterns)
    if ((left -= pattern.weight) < 0) return pattern;
  return kPatterns[0];
}

Vector3d draw_direction(Draws& draws) {
  const Vector3d direction(draws.normal(), draws.normal(), draws.normal());
  return direction.normalized();
}

Vector3d axis_of(char letter, Draws& draws) {
  switch (letter) {
    case 'x':
    case 'X':
      return Vector3d::UnitX();
    case 'y':
    case 'Y':
      return Vector3d::UnitY();
    case 'z':
    case 'Z':
      return Vector3d::UnitZ();
    default:
      return draws.chance(0.5) ? Vector3d(Vector3d::Unit(static_cast<int>(draws.below(3))))
                               : draw_direction(draws);
  }
}

std::vector<Link> draw_links(Draws& draws) {
  const Pattern& pattern = draw_pattern(draws);
  const std::size_t dof = pattern.joints.size();
  const bool tilted = draws.chance(0.25);  // not quite at right angles
  const bool offset = draws.chance(0.5);   // links beside each other
  std::vector<Link> links(dof);
  std::vector<double> parts(dof);
  double sum = 0;
  for (std::size_t k = 0; k < dof; ++k) {
    Link& link = links[k];
    const char letter = pattern.joints[k];
    link.slides = letter == 'X' || letter == 'Y' || letter == 'Z';
    link.axis = axis_of(letter, draws);
    if (tilted) link.axis = (link.axis + 0.12 * draw_direction(draws)).normalized();
    if (draws.chance(0.35)) link.axis = -link.axis;
    // Two long links carry the reach: behind the shoulder and behind the elbow.
    const std::size_t shoulder = pattern.up > 0 ? pattern.up - 1 : 0;
    const bool is_long = k == shoulder || k == shoulder + 1;
    parts[k] = is_long ? draws.between(0.6, 1.2) : draws.between(0.05, k == 0 ? 0.2 : 0.4);
    sum += parts[k];
  }
  const double total =
      0.25 * std::pow(1.1 / 0.25, draws.unit());  // [m] small arms as often as large
  for (std::size_t k = 0; k < dof; ++k) {
    Link& link = links[k];
    const double length = total * parts[k] / sum;
    link.to_next = length * (k < pattern.up ? Vector3d::UnitZ() : Vector3d::UnitX());
    if (pattern.joints[k] == 'Z' && k > 0) link.to_next = -length * Vector3d::UnitZ();  // a quill
    if (offset && draws.chance(0.6))
      link.to_next += draws.between(-0.15, 0.15) * total * Vector3d::UnitY();
    link.mass = 0.05 + 9 * total * length;  // larger arms are thicker, too
  }
  return links;
}

double length_of(const std::vector<Link>& links) {
  double length = 0;
  for (const auto& link : links) length += link.to_next.norm();
  return length;
}

std::vector<plugin::Joint> draw_joints(const std::vector<Link>& links, Draws& draws) {
  std::vector<plugin::Joint> joints;
  const double length = length_of(links);
  for (std::size_t k = 0; k < links.size(); ++k) {
    plugin::Joint joint;
    joint.name = "joint" + std::to_string(k + 1);
    if (links[k].slides) {
      joint.kind = JointKind::prismatic;
      const double stroke = draws.between(0.3, 0.6) * length;
      joint.position_min = draws.chance(0.5) ? 0 : -stroke / 2;
      joint.position_max = joint.position_min + stroke;
      joint.home = joint.position_min + stroke * draws.between(0.35, 0.65);
      joint.velocity_max = draws.between(0.5, 1.0);
    } else {
      const auto side = [&] { return draws.chance(0.2) ? 2 * kPi : draws.between(1.5, kPi); };
      joint.position_max = side();
      joint.position_min = draws.chance(0.6) ? -joint.position_max : -side();
      joint.home = draws.between(-1.1, 1.1);  // bent, and never near a limit
      joint.velocity_max = draws.between(1.5, 3.5);
    }
    // As the arms of examples/reach: the expert's gain of 3 /s asks for less.
    joint.acceleration_max = draws.between(4, 6) * joint.velocity_max;
    joints.push_back(joint);
  }
  return joints;
}

// Where the base is, so that the arm has room above the floor.
Eigen::Isometry3d draw_mount(double length, Draws& draws) {
  Eigen::Isometry3d mount = Eigen::Isometry3d::Identity();
  if (draws.chance(0.7))
    mount.rotate(Eigen::AngleAxisd(draws.between(-kPi, kPi), Vector3d::UnitZ()));
  const double kind = draws.unit();
  double height = draws.between(0.05, 0.4) * length;  // a column
  if (kind < 0.12) {                                  // from the ceiling
    mount.rotate(Eigen::AngleAxisd(kPi, Vector3d::UnitX()));
    height = draws.between(1.1, 1.4) * length;
  } else if (kind < 0.24) {  // on a wall
    mount.rotate(Eigen::AngleAxisd((draws.chance(0.5) ? 0.5 : -0.5) * kPi, Vector3d::UnitX()));
    height = draws.between(0.7, 1.0) * length;
  }
  mount.translation() = Vector3d(0, 0, height);
  return mount;
}

class Text {
 public:
  template <class... Values>
  void line(const char* format, Values... values) {
    std::array<char, 512> buffer{};
    std::snprintf(buffer.data(), buffer.size(), format, values...);
    text_ += buffer.data();
    text_ += '\n';
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

// A servo that is stiff for the heaviest load of its joint, and follows with a lag of 50 ms.
double stiffness(const std::vector<Link>& links, std::size_t joint, double armature) {
  double inertia = armature, distance = 0;
  for (std::size_t k = joint; k < links.size(); ++k) {
    distance += links[k].to_next.norm();
    inertia += links[k].mass * (links[joint].slides ? 1 : distance * distance);
  }
  return 2000 * inertia;
}

std::string write_mjcf(const std::string& name, const std::vector<Link>& links,
                       const Eigen::Isometry3d& mount, double reach) {
  Text text;
  const double length = length_of(links);
  const Eigen::Quaterniond turn(mount.rotation());
  const double height = mount.translation().z();
  text.line("<mujoco model=\"%s\"><compiler angle=\"radian\"/><option timestep=\"0.002\"/>",
            name.c_str());
  text.line("<size nstack=\"40000\"/>");
  // Of reach, as the arms of examples/reach have it.
  text.line("<custom><numeric name=\"goal_radius\" data=\"%.6f\"/></custom>", 0.38 * reach);
  text.line("<visual><global offwidth=\"640\" offheight=\"480\"/></visual>");
  text.line(
      "<default><joint limited=\"true\" range=\"-1 1\"/><geom type=\"capsule\" contype=\"0\" "
      "conaffinity=\"0\" rgba=\"0.85 0.86 0.88 1\"/><site size=\"0.008\"/></default>");
  text.line("<worldbody><light pos=\"0.5 -1 2\" dir=\"-0.2 0.4 -1\"/>");
  text.line("<geom name=\"floor\" type=\"plane\" size=\"1.5 1.5 0.1\" rgba=\"0.55 0.58 0.61 1\"/>");
  text.line("<camera name=\"view\" pos=\"%.4f %.4f %.4f\" xyaxes=\"0.68 0.73 0 -0.37 0.34 0.86\"/>",
            1.6 * length, -1.5 * length, 1.2 * length + height / 2);
  text.line(
      "<body name=\"goal\" mocap=\"true\"><geom type=\"sphere\" size=\"0.02\" rgba=\"0.1 0.8 0.3 "
      "0.6\"/></body>");
  text.line("<body name=\"mount\" pos=\"0 0 %.9f\" quat=\"%.12f %.12f %.12f %.12f\">", height,
            turn.w(), turn.x(), turn.y(), turn.z());
  Vector3d at = Vector3d::Zero();
  for (std::size_t k = 0; k < links.size(); ++k) {
    const Link& link = links[k];
    const Vector3d& to = link.to_next;
    const double armature = 0.02 * link.mass * (link.slides ? 1 : length * length) + 1e-3;
    const double kp = stiffness(links, k, armature);
    text.line("<body pos=\"%.9f %.9f %.9f\">", at.x(), at.y(), at.z());
    text.line(
        "<joint name=\"joint%zu\" type=\"%s\" axis=\"%.12f %.12f %.12f\" damping=\"%.6f\" "
        "armature=\"%.6f\"/>",
        k + 1, link.slides ? "slide" : "hinge", link.axis.x(), link.axis.y(), link.axis.z(),
        0.05 * kp, armature);
    text.line("<geom fromto=\"0 0 0 %.9f %.9f %.9f\" size=\"%.6f\" mass=\"%.6f\"/>", to.x(), to.y(),
              to.z(), 0.03 * length * (1 - 0.08 * static_cast<double>(k)), link.mass);
    at = to;
  }
  text.line("<site name=\"tool\" pos=\"%.9f %.9f %.9f\"/>", at.x(), at.y(), at.z());
  for (std::size_t k = 0; k <= links.size(); ++k) text.line("</body>");
  text.line("</worldbody><actuator>");
  for (std::size_t k = 0; k < links.size(); ++k) {
    const double armature = 0.02 * links[k].mass * (links[k].slides ? 1 : length * length) + 1e-3;
    text.line("<position joint=\"joint%zu\" kp=\"%.6f\"/>", k + 1, stiffness(links, k, armature));
  }
  text.line("</actuator></mujoco>");
  return text.take();
}

}  // namespace

RandomArm draw_arm(const std::string& name, Draws draws) {
  const std::vector<Link> links = draw_links(draws);
  RandomArm arm;
  arm.joints = draw_joints(links, draws);
  // A stretched arm gets a little farther: what is left of that is what makers call reach.
  arm.reach = 0.9 * length_of(links);
  const auto mount = draw_mount(length_of(links), draws);
  arm.mjcf = write_mjcf(name, links, mount, arm.reach);
  return arm;
}

}  // namespace cambium::tasks
