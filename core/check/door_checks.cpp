// What can be said of a plugin without weights: the file, its export table, its embodiments.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "cambium/version.hpp"
#include "core/base/clock.hpp"
#include "core/check/check.hpp"
#include "core/check/process_facts.hpp"
#include "core/plugin/elf_symbols.hpp"
#include "core/plugin/private_copy.hpp"

namespace cambium::check {
namespace {

using plugin::PluginLibrary;

Finding opens(Context& c) {
  const auto& library = c.library();
  double ms = 1e9;
  for (int i = 0; i < 3; ++i) {  // the best of three: a busy machine is not the plugin's fault
    const auto start = base::monotonic_ns();
    c.open_again(c.subject().plugin);
    ms = std::min(ms, static_cast<double>(base::monotonic_ns() - start) / base::kMillisecond);
  }
  if (ms > 100)
    return warn(
        fmt::format("it takes {:.0f} ms, aim at 100 at most: do less in static "
                    "constructors, link less",
                    ms));
  return pass(
      fmt::format("{} {}, {}, {:.1f} ms", library.name(), library.version(), library.build(), ms));
}

Finding exports_one_symbol(Context& c) {
  const auto file = need(plugin::read_file(c.subject().plugin));
  std::vector<std::string> others;
  for (const auto& symbol : plugin::defined_symbols(file.bytes)) {
    if (symbol.unique)
      return fail(
          fmt::format("symbol '{}' is GNU_UNIQUE: every later version would share it; "
                      "build with cambium_add_plugin() or -fno-gnu-unique",
                      symbol.name));
    if (symbol.name != "cambium_plugin") others.push_back(symbol.name);
  }
  if (others.empty()) return pass();
  const auto count = others.size();
  others.resize(std::min<std::size_t>(count, 3));
  return warn(
      fmt::format("{} more can be seen and could be taken for those of another plugin "
                  "('{}'{}); build with cambium_add_plugin() or hide them",
                  count, fmt::join(others, "', '"), count > 3 ? ", …" : ""));
}

Finding can_be_unmapped(Context& c) {
  if (!plugin::unmaps_libraries()) return skip("under a sanitizer every library stays");
  auto library = c.open_again(c.subject().plugin);
  if (const std::string& why = library->pinned(); !why.empty())
    return warn(
        fmt::format("it stays mapped after it was closed, each reload costs its size: {}", why));
  make_all(*library);
  const auto mapped_as = library->mapped_as();
  c.doing("closing the library");
  library.reset();
  if (!plugin::is_mapped(mapped_as)) return pass();
  return warn("it stays mapped after it was closed: each reload costs its size");
}

Finding knows_no_other_names(Context& c) {
  const auto& library = c.library();
  const auto refused = [](const auto& result, std::string_view what) {
    if (result) throw Ended{fail(fmt::format("{} was made although nobody exports it", what))};
    if (result.error().code != Code::not_found)
      throw Ended{fail(fmt::format("{} is refused as '{}', expected 'not found'", what,
                                   cambium::to_string(result.error().code)))};
  };
  std::vector<std::string> names = {"no_such_thing"};
  for (const auto& one : library.exports()) {
    names.push_back(one.name + " ");
    names.push_back(one.name + std::string("\0tail", 5));
  }
  for (const auto& name : names) {
    refused(library.create_stem(name), fmt::format("stem '{}'", name));
    refused(library.create_head(name), fmt::format("head '{}'", name));
    refused(library.embodiment(name), fmt::format("embodiment '{}'", name));
  }
  return pass();
}

Finding makes_all_100_times(Context& c) {
  constexpr int kRounds = 100;
  const auto& library = c.library();
  for (int i = 0; i < 10; ++i) make_all(library);  // what is set up once is no growth
  c.doing("making and destroying stems and heads");
  const auto before = allocated_bytes();
  for (int i = 0; i < kRounds; ++i) make_all(library);
  const auto after = allocated_bytes();
  if (after >= before + 16 * kRounds)  // malloc gives no less than 32 bytes
    return fail(
        fmt::format("{} bytes more after {} rounds of create and destroy: something is "
                    "not given back",
                    after - before, kRounds));
  return pass();
}

std::vector<std::string> embodiments(Context& c) {
  std::vector<std::string> names;
  for (const auto& one : c.library().exports())
    if (one.interface_id == kEmbodimentInterface) names.push_back(one.name);
  if (names.empty()) throw Ended{skip("it exports no embodiment")};
  return names;
}

Finding embodiments_are_sound(Context& c) {
  std::string said, wrong;
  for (const auto& name : embodiments(c)) {
    const auto body = c.library().embodiment(name);
    auto& text = body ? said : wrong;
    text += text.empty() ? "" : "; ";
    text += body ? fmt::format("{}: {} joints at {} Hz", name, body->dof(), body->control_hz)
                 : body.error().message;
  }
  return wrong.empty() ? pass(said) : fail(wrong);
}

void look_at_joint(const plugin::Joint& joint, Remarks& remarks) {
  const double range = joint.position_max - joint.position_min;
  const double to_stop = joint.velocity_max * joint.velocity_max / (2 * joint.acceleration_max);
  const char* unit = joint.kind == JointKind::revolute ? "rad" : "m";
  if (to_stop > range)
    remarks.add(
        fmt::format("joint '{}': from full speed it needs {:.3g} {} to stop, its whole "
                    "range is {:.3g}",
                    joint.name, to_stop, unit, range));
  const double room = std::min(joint.home - joint.position_min, joint.position_max - joint.home);
  if (room < 0.01 * range)
    remarks.add(fmt::format("joint '{}': home {} lies at a position limit ({} to {})", joint.name,
                            joint.home, joint.position_min, joint.position_max));
}

Finding embodiments_are_plausible(Context& c) {
  Remarks remarks;
  for (const auto& name : embodiments(c)) {
    const auto body = need(c.library().embodiment(name));
    for (const auto& joint : body.joints) look_at_joint(joint, remarks);
    if (body.control_hz < 10 || body.control_hz > 1000)
      remarks.add(fmt::format("control_hz {} lies outside 10 to 1000", body.control_hz));
    if (!body.sensor("joint_position"))
      remarks.add("no sensor 'joint_position': the gate cannot keep position limits");
    if (body.safe_pose.empty())
      remarks.add("no safe pose: the last rung of the fallback ladder is missing");
  }
  return std::move(remarks).finding();
}

/// As a host would; what is wrong with it is for other checks to say.
void run_parts(Context& c) try {
  if (c.subject().bundle.empty()) return;
  for (const auto& spec : c.parts()) {
    c.doing("running " + spec.title);
    Part part(spec);
    part.activate();
    for (int i = 0; i < 4; ++i) part.run(spec.sample(c.random()));
  }
} catch (const Ended&) {
}

Finding prints_nothing(Context& c) {
  CapturedStdout captured;
  make_all(*c.open_again(c.subject().plugin));
  run_parts(c);
  auto text = captured.text();
  if (text.empty()) return pass();
  text.resize(std::min(text.find('\n'), text.size()));
  return warn(
      fmt::format("'{}': programs that read JSON from the host's stdout would stumble; use "
                  "the host's log",
                  text));
}

Finding leaves_no_thread(Context& c) {
  const auto before = threads_now();
  make_all(*c.open_again(c.subject().plugin));
  if (const auto after = threads_now(before); after > before)
    return fail(
        fmt::format("{} more thread{} after all was destroyed: a retired library must not "
                    "run; join them in deactivate()",
                    after - before, after - before == 1 ? "" : "s"));
  return pass();
}

constexpr const char* kOpens = "opens";
constexpr const char* kMakes = "makes stems and heads, 100 times without growing";
constexpr const char* kSound = "embodiments are sound";
constexpr Check kChecks[] = {
    {kOpens, opens},
    {"exports one symbol, none of it unique", exports_one_symbol},
    {"knows no names but those it exports", knows_no_other_names, {}, kOpens},
    {kSound, embodiments_are_sound, {}, kOpens},
    {"embodiments are plausible", embodiments_are_plausible, {}, kSound},
    {kMakes, makes_all_100_times, {}, kOpens},
    {"can be unmapped", can_be_unmapped, {}, kMakes},
    {"prints nothing to stdout", prints_nothing, {}, kMakes},
    {"leaves no thread behind", leaves_no_thread, {}, kMakes},
};

}  // namespace

std::span<const Check> door_checks() noexcept {
  return kChecks;
}

}  // namespace cambium::check
