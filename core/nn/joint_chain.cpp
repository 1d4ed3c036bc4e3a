#include "core/nn/joint_chain.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace cambium::nn {
namespace {

using Vector = std::array<double, 3>;

constexpr double kUnit = 1e-6;                 // as the host takes directions
constexpr std::size_t kHead = 4, kJoint = 11;  // numbers of to_text() before and in a joint
constexpr double kSpeed = 4;                   // [rad/s] or [m/s] puts velocity_max near 1 on arms

Vector cross(const Vector& a, const Vector& b) noexcept {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}
Vector minus(const Vector& a, const Vector& b) noexcept {
  return {a[0] - b[0], a[1] - b[1], a[2] - b[2]};
}

/// A motion of space that is built up from the base: X_BH then a turn or slide about a line that it
/// has moved already.
struct Motion {
  std::array<Vector, 3> rows = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  Vector shift = {};

  Vector turn(const Vector& v) const noexcept {
    Vector out;
    for (std::size_t i = 0; i < 3; ++i)
      out[i] = rows[i][0] * v[0] + rows[i][1] * v[1] + rows[i][2] * v[2];
    return out;
  }
  Vector move(const Vector& point) const noexcept {
    const Vector turned = turn(point);
    return {turned[0] + shift[0], turned[1] + shift[1], turned[2] + shift[2]};
  }

  void then_slide(const Vector& direction, double way) noexcept {
    for (std::size_t i = 0; i < 3; ++i) shift[i] += direction[i] * way;
  }
  // Rodrigues' formula, for each column and for the shift as seen from the line.
  void then_turn(const Vector& point, const Vector& direction, double angle) noexcept {
    const double s = std::sin(angle), c = std::cos(angle);
    const auto turned = [&](const Vector& v) {
      const Vector across = cross(direction, v);
      const double along =
          (direction[0] * v[0] + direction[1] * v[1] + direction[2] * v[2]) * (1 - c);
      return Vector{v[0] * c + across[0] * s + direction[0] * along,
                    v[1] * c + across[1] * s + direction[1] * along,
                    v[2] * c + across[2] * s + direction[2] * along};
    };
    for (std::size_t j = 0; j < 3; ++j) {
      const Vector column = turned({rows[0][j], rows[1][j], rows[2][j]});
      for (std::size_t i = 0; i < 3; ++i) rows[i][j] = column[i];
    }
    const Vector beside = turned(minus(shift, point));
    for (std::size_t i = 0; i < 3; ++i) shift[i] = point[i] + beside[i];
  }
};

std::string text_of(double number) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, number);  // shortest that reads the same
  return {text, end.ptr};
}

// The numbers of one joint in the order of to_text(); `slides` as a number.
template <class Joint, class Visit>
void each_number(Joint& joint, Visit visit) {
  for (std::size_t i = 0; i < 3; ++i) visit("point", joint.point[i]);
  for (std::size_t i = 0; i < 3; ++i) visit("direction", joint.direction[i]);
  visit("home", joint.home);
  visit("position_min", joint.position_min);
  visit("position_max", joint.position_max);
  visit("velocity_max", joint.velocity_max);
}

Error bad(std::string what) {
  return {Code::bad_data, std::move(what)};
}

Result<void> check_joint(const ChainJoint& joint, std::size_t index) {
  const auto wrong = [&](const std::string& what) {
    return bad("joint " + std::to_string(index) + ": " + what);
  };
  const char* infinite = nullptr;
  each_number(joint, [&](const char* name, double number) {
    if (!std::isfinite(number) && infinite == nullptr) infinite = name;
  });
  if (infinite != nullptr) return wrong(std::string(infinite) + " is not finite");
  const auto& d = joint.direction;
  const double length = std::hypot(d[0], d[1], d[2]);
  if (std::abs(length - 1) > kUnit)
    return wrong("direction has length " + text_of(length) + ", expected 1");
  if (joint.position_min >= joint.position_max)
    return wrong("position_min " + text_of(joint.position_min) + " is not below position_max " +
                 text_of(joint.position_max));
  if (joint.home < joint.position_min || joint.home > joint.position_max)
    return wrong("home " + text_of(joint.home) + " lies outside " + text_of(joint.position_min) +
                 " to " + text_of(joint.position_max));
  if (joint.velocity_max <= 0)
    return wrong("velocity_max " + text_of(joint.velocity_max) + " is not above 0");
  return {};
}

// [1, 2.5, -3e-4]
Result<std::vector<double>> read_list(std::string_view text) {
  std::size_t at = 0;
  const auto skip = [&] {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\n' || text[at] == '\t')) ++at;
  };
  const auto take = [&](char expected) {
    skip();
    if (at == text.size() || text[at] != expected) return false;
    ++at;
    return true;
  };
  if (!take('[')) return bad("a chain of joints is a list of numbers, expected '['");
  std::vector<double> numbers;
  do {
    skip();
    double number = 0;
    const auto read = std::from_chars(text.data() + at, text.data() + text.size(), number);
    if (read.ec != std::errc() || !std::isfinite(number))
      return bad("number " + std::to_string(numbers.size()) + " of the list is not a number");
    at = static_cast<std::size_t>(read.ptr - text.data());
    numbers.push_back(number);
    if (numbers.size() > kHead + ChainSpec::kMaxJoints * kJoint)
      return bad("the list has more numbers than " + std::to_string(ChainSpec::kMaxJoints) +
                 " joints");
  } while (take(','));
  if (!take(']'))
    return bad("number " + std::to_string(numbers.size() - 1) +
               " of the list is followed by neither ',' nor ']'");
  skip();
  if (at != text.size()) return bad("text follows the list");
  return numbers;
}

}  // namespace

Result<void> ChainSpec::check() const {
  if (joints.empty() || joints.size() > kMaxJoints)
    return bad(std::to_string(joints.size()) + " joints, expected 1 to " +
               std::to_string(kMaxJoints));
  for (const double coordinate : home_tool)
    if (!std::isfinite(coordinate)) return bad("home_tool is not finite");
  if (!(reach > 0 && std::isfinite(reach)))
    return bad("reach " + text_of(reach) + " is not a positive length in metres");
  for (std::size_t i = 0; i < joints.size(); ++i)
    if (auto sound = check_joint(joints[i], i); !sound) return sound;
  return {};
}

std::string ChainSpec::to_text() const {
  std::string text = "[";
  for (const double coordinate : home_tool) text += text_of(coordinate) + ",";
  text += text_of(reach);
  for (const ChainJoint& joint : joints) {
    text += joint.slides ? ",1" : ",0";
    each_number(joint, [&](const char*, double number) { text += "," + text_of(number); });
  }
  return text + "]";
}

Result<ChainSpec> ChainSpec::from_text(std::string_view text) {
  const auto numbers = read_list(text);
  if (!numbers) return numbers.error();
  if (numbers->size() <= kHead || (numbers->size() - kHead) % kJoint != 0)
    return bad("the list has " + std::to_string(numbers->size()) + " numbers, expected " +
               std::to_string(kHead) + " and " + std::to_string(kJoint) + " for each joint");
  ChainSpec spec;
  std::copy_n(numbers->begin(), 3, spec.home_tool.begin());
  spec.reach = (*numbers)[3];
  for (auto next = numbers->begin() + kHead; next != numbers->end();) {
    ChainJoint& joint = spec.joints.emplace_back();
    if (*next != 0 && *next != 1)
      return bad("joint " + std::to_string(spec.joints.size() - 1) + ": slides is " +
                 text_of(*next) + ", expected 0 or 1");
    joint.slides = *next++ == 1;
    each_number(joint, [&](const char*, double& number) { number = *next++; });
  }
  if (auto sound = spec.check(); !sound) return sound.error();
  return spec;
}

JointChain::JointChain(ChainSpec spec) : spec_(std::move(spec)), lines_(spec_.joints.size()) {}

std::array<double, 3> JointChain::tool(std::span<const float> q) noexcept {
  Motion motion;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const ChainJoint& joint = spec_.joints[i];
    Line& line = lines_[i];
    line = {motion.move(joint.point), motion.turn(joint.direction)};
    const double way = double{q[i]} - joint.home;
    if (joint.slides)
      motion.then_slide(line.direction, way);
    else
      motion.then_turn(line.point, line.direction, way);
  }
  return motion.move(spec_.home_tool);
}

void JointChain::features(std::span<const float> q, std::span<float> out) noexcept {
  const Vector at = tool(q);
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const ChainJoint& joint = spec_.joints[i];
    const Line& line = lines_[i];
    const Vector velocity =
        joint.slides ? line.direction : cross(line.direction, minus(at, line.point));
    float* row = out.data() + i * kFeatures;
    for (std::size_t k = 0; k < 3; ++k) {
      row[k] = static_cast<float>(velocity[k] * joint.velocity_max / spec_.reach * kTime);
      row[3 + k] = static_cast<float>(line.direction[k]);
    }
    const double full = joint.velocity_max * kTime;
    row[6] = static_cast<float>(std::clamp((joint.home - q[i]) / full, -3.0, 3.0));
    row[7] = static_cast<float>(std::clamp((joint.position_max - q[i]) / full, 0.0, 1.0));
    row[8] = static_cast<float>(std::clamp((q[i] - joint.position_min) / full, 0.0, 1.0));
    row[9] = static_cast<float>(joint.velocity_max / kSpeed);
  }
}

}  // namespace cambium::nn
