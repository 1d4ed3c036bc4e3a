#include "core/app/urdf.hpp"

#include <console_bridge/console.h>
#include <fmt/format.h>
#include <urdf_parser/urdf_parser.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <numbers>
#include <set>

namespace cambium::app {
namespace {

constexpr std::size_t kLargestFile = 1 << 20;  // [B]
// What follows nesting calls itself for each level, so a file without end would take the stack.
constexpr std::size_t kMaxElements = 64, kMaxLinks = 1000;

/// urdfdom tells its errors to a console; this keeps them for our sentence.
class CapturedConsole : public console_bridge::OutputHandler {
 public:
  CapturedConsole() { console_bridge::useOutputHandler(this); }
  ~CapturedConsole() override { console_bridge::restorePreviousOutputHandler(); }
  void log(const std::string& text, console_bridge::LogLevel level, const char*, int) override {
    if (level >= console_bridge::CONSOLE_BRIDGE_LOG_ERROR)
      text_ += (text_.empty() ? "" : "; ") + text;
  }
  const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

/// Text of a stranger's file on one line of a comment or in a string: it must not end either.
std::string printable(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ' || c == '\\' || c == '"' || c == '\x7f') c = '?';
  return text;
}

/// Sums carry rounding errors that nobody wants to read in a source file.
double rounded(double number, double parts) {
  return std::round(number * parts) / parts + 0.0;  // + 0.0: no minus zero
}
double to_micrometres(double metres) {
  return rounded(metres, 1e6);
}
std::array<double, 3> numbers(const urdf::Vector3& v) {
  return {v.x, v.y, v.z};
}

std::string snake_case(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool kept = upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (kept)
      out += static_cast<char>(upper ? c - 'A' + 'a' : c);
    else if (!out.empty() && out.back() != '_')
      out += '_';
  }
  while (!out.empty() && out.back() == '_') out.pop_back();
  return !out.empty() && out.front() >= '0' && out.front() <= '9' ? "joint_" + out : out;
}

/// Where `end` begins, searched from `at`; the last byte if it is nowhere.
std::size_t skip_to(std::string_view end, std::string_view text, std::size_t at) {
  return std::min(text.find(end, at), text.size() - 1);
}

/// The '>' of the tag that begins at `at`, not one in a value.
std::size_t end_of_tag(std::string_view text, std::size_t at) {
  char quote = 0;
  for (; at + 1 < text.size(); ++at) {
    const char c = text[at];
    if (quote != 0)
      quote = c == quote ? '\0' : quote;
    else if (c == '"' || c == '\'')
      quote = c;
    else if (c == '>')
      break;
  }
  return at;
}

/// Deepest nesting of elements; the text need not be sound XML.
std::size_t xml_depth(std::string_view text) {
  std::size_t depth = 0, deepest = 0;
  for (std::size_t at = text.find('<'); at != text.npos; at = text.find('<', at + 1)) {
    const std::string_view rest = text.substr(at);
    if (rest.starts_with("<!--")) {
      at = skip_to("-->", text, at + 4);
    } else if (rest.starts_with("<![CDATA[")) {
      at = skip_to("]]>", text, at);
    } else if (rest.starts_with("<?") || rest.starts_with("<!")) {
      at = skip_to(">", text, at);
    } else if (rest.starts_with("</")) {
      depth -= depth > 0 ? 1 : 0;
    } else {
      at = end_of_tag(text, at);
      if (at == 0 || text[at - 1] != '/') deepest = std::max(deepest, ++depth);
    }
  }
  return deepest;
}

/// Reads no more than a robot's description can have, whatever the path leads to.
Result<std::string> read_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text(kLargestFile + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.is_open() || in.bad())
    return Error{Code::not_found, fmt::format("{}: cannot be read", file.string())};
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kLargestFile)
    return Error{Code::bad_data,
                 fmt::format("{}: more than {} bytes", file.string(), kLargestFile)};
  if (xml_depth(text) > kMaxElements)
    return Error{Code::bad_data,
                 fmt::format("{}: elements nested deeper than {}", file.string(), kMaxElements)};
  return text;
}

bool moves(const urdf::Joint& joint) {
  return !joint.mimic &&
         (joint.type == urdf::Joint::REVOLUTE || joint.type == urdf::Joint::CONTINUOUS ||
          joint.type == urdf::Joint::PRISMATIC);
}

/// Walks from the base outwards and keeps the chain with the most moving joints.
class Walk {
 public:
  Walk(std::string file, UrdfRobot& robot) : file_(std::move(file)), robot_(robot) {}

  Result<void> from(const urdf::Link& root) {
    if (auto ok = visit(root, {}, 0, 0, 1, false); !ok) return ok;
    if (robot_.embodiment.joints.empty())
      return Error{Code::bad_data,
                   fmt::format("{}: no revolute, continuous or prismatic joint", file_)};
    describe_axes();
    return {};
  }

 private:
  struct Frame {  // X_BL, the link in the base
    urdf::Vector3 position;
    urdf::Rotation rotation;
  };

  /// follows: a joint before this link mimics another.
  Result<void> visit(const urdf::Link& link, Frame frame, std::size_t moving, double length,
                     std::size_t links, bool follows) {
    if (links > kMaxLinks)
      return Error{Code::bad_data,
                   fmt::format("{}: more than {} links one after the other", file_, kMaxLinks)};
    if (!seen_.insert(&link).second)
      return Error{Code::bad_data, fmt::format("{}: link '{}' is reached twice: links form a tree",
                                               file_, printable(link.name))};
    if (moving > most_moving_) {
      most_moving_ = moving;
      tool_follows_ = follows;
      robot_.tool_link = printable(link.name);
      robot_.embodiment.home_tool = {frame.position.x, frame.position.y, frame.position.z};
      robot_.embodiment.reach = length > 0 ? length : 1;
    } else if (moving == most_moving_ && length > robot_.embodiment.reach && moving > 0) {
      tool_follows_ = follows;
      robot_.tool_link = printable(link.name);  // a fixed flange or fingertip beyond the last joint
      robot_.embodiment.home_tool = {frame.position.x, frame.position.y, frame.position.z};
      robot_.embodiment.reach = length;
    }
    for (std::size_t i = 0; i < link.child_joints.size(); ++i) {
      const auto& joint = link.child_joints[i];
      const auto& origin = joint->parent_to_joint_origin_transform;
      Frame next{frame.position + frame.rotation * origin.position,
                 frame.rotation * origin.rotation};
      if (joint->type == urdf::Joint::FLOATING || joint->type == urdf::Joint::PLANAR)
        return refuse(*joint, "type",
                      "is floating or planar; only revolute, continuous, prismatic "
                      "and fixed joints can be driven");
      if (joint->mimic)
        robot_.notes.push_back(fmt::format("joint {} follows {} and is left out",
                                           printable(joint->name),
                                           printable(joint->mimic->joint_name)));
      double longer = moving > 0 ? length + norm(origin.position) : 0;
      if (moves(*joint)) {
        auto added = add(*joint);
        if (!added) return added.error();
        add_axis(*joint, next.position, next.rotation);
        move(next, *joint, robot_.embodiment.joints.back().home);
        if (joint->type == urdf::Joint::PRISMATIC)
          longer += robot_.embodiment.joints.back().position_max;
      }
      if (auto ok = visit(*link.child_links[i], next, moving + moves(*joint), longer, links + 1,
                          follows || joint->mimic);
          !ok)
        return ok;
    }
    return {};
  }

  Result<void> add(const urdf::Joint& joint) {
    const bool continuous = joint.type == urdf::Joint::CONTINUOUS;
    plugin::Joint out;
    out.name = snake_case(joint.name);
    out.kind = joint.type == urdf::Joint::PRISMATIC ? JointKind::prismatic : JointKind::revolute;
    if (!joint.limits)
      return refuse(joint, "limit", "is missing; add <limit lower= upper= velocity= effort=/>");
    out.position_min = continuous ? -std::numbers::pi : joint.limits->lower;
    out.position_max = continuous ? std::numbers::pi : joint.limits->upper;
    out.velocity_max = joint.limits->velocity;
    if (!std::isfinite(out.position_min) || !std::isfinite(out.position_max) ||
        out.position_min >= out.position_max)
      return refuse(joint, "limit lower, upper",
                    fmt::format("are {} and {}, but lower must be below upper (absent means 0)",
                                out.position_min, out.position_max));
    if (!(out.velocity_max > 0 && std::isfinite(out.velocity_max)))
      return refuse(joint, "limit velocity",
                    fmt::format("is {}, but must be above 0", out.velocity_max));
    // Full speed within a quarter second: gentle, and the URDF has no field for it.
    out.acceleration_max = 4 * out.velocity_max;
    const bool zero_inside = out.position_min <= 0 && out.position_max >= 0;
    out.home = zero_inside ? 0 : (out.position_min + out.position_max) / 2;

    std::string comment =
        out.kind == JointKind::revolute ? "[rad] [rad/s] [rad/s^2]" : "[m] [m/s] [m/s^2]";
    if (continuous) comment += "; continuous, bounded here to half a turn each way";
    if (out.name != joint.name) comment += fmt::format("; '{}' in the URDF", printable(joint.name));
    robot_.joint_comments.push_back(std::move(comment));
    robot_.embodiment.joints.push_back(std::move(out));
    return {};
  }

  /// Before the joint has moved: turning about its line does not move the line.
  void add_axis(const urdf::Joint& joint, const urdf::Vector3& position,
                const urdf::Rotation& rotation) {
    const double length = norm(joint.axis);
    plugin::JointAxis axis{numbers(position), numbers(rotation * joint.axis)};
    for (double& coordinate : axis.point) coordinate = to_micrometres(coordinate);
    for (double& part : axis.direction) part = length > 0 ? rounded(part / length, 1e9) : 0;
    robot_.embodiment.axes.push_back(axis);
  }

  /// Axes describe one chain, in which each joint carries all that follow.
  void describe_axes() {
    const bool branches = robot_.embodiment.joints.size() != most_moving_;
    if (!branches && !tool_follows_) return;
    robot_.embodiment.axes.clear();
    robot_.notes.push_back(branches ? "axes are left out: not every joint moves the tool"
                                    : "axes are left out: a joint before the tool follows another");
  }

  static void move(Frame& frame, const urdf::Joint& joint, double position) {
    const double length = norm(joint.axis);
    if (position == 0 || length == 0) return;
    const urdf::Vector3 axis(joint.axis.x / length, joint.axis.y / length, joint.axis.z / length);
    if (joint.type == urdf::Joint::PRISMATIC) {
      const urdf::Vector3 shift(axis.x * position, axis.y * position, axis.z * position);
      frame.position = frame.position + frame.rotation * shift;
    } else {
      const double s = std::sin(position / 2);
      frame.rotation = frame.rotation *
                       urdf::Rotation(axis.x * s, axis.y * s, axis.z * s, std::cos(position / 2));
    }
  }

  static double norm(const urdf::Vector3& v) {
    return std::sqrt(v.x * v.x + v.y * v.y + v.z * v.z);
  }

  Error refuse(const urdf::Joint& joint, std::string_view field, std::string_view what) const {
    return {Code::bad_data,
            fmt::format("{}: joint '{}': {} {}", file_, printable(joint.name), field, what)};
  }

  std::string file_;
  UrdfRobot& robot_;
  std::size_t most_moving_ = 0;
  bool tool_follows_ = false;
  std::set<const urdf::Link*> seen_;
};

}  // namespace

Result<UrdfRobot> read_urdf(const std::filesystem::path& file, const std::string& name) {
  const auto text = read_text(file);
  if (!text) return text.error();
  const CapturedConsole console;
  urdf::ModelInterfaceSharedPtr model;
  std::string thrown;
  try {
    model = urdf::parseURDF(*text);
  } catch (const std::exception& error) {
    thrown = error.what();
  }
  if (!model)
    return Error{Code::bad_data, fmt::format("{}: is no sound URDF: {}{}", file.string(),
                                             printable(console.text()), printable(thrown))};
  UrdfRobot robot;
  robot.embodiment.name = name;
  robot.embodiment.summary = fmt::format("from {}", printable(file.filename().string()));
  const auto root = model->getRoot();
  if (!root) return Error{Code::bad_data, fmt::format("{}: has no root link", file.string())};
  if (auto ok = Walk(file.string(), robot).from(*root); !ok) return ok.error();
  for (double& coordinate : robot.embodiment.home_tool) coordinate = to_micrometres(coordinate);
  robot.embodiment.reach = to_micrometres(robot.embodiment.reach);
  return robot;
}

}  // namespace cambium::app
