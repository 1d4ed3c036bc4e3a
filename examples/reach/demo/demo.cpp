// examples/reach/demo/demo.cpp: the main job, live. One trunk, one host and a controller process
// for each arm; while all of them move, a head is rebuilt and reloaded, new weights are loaded, and
// one slot gets another body.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "core/app/stop_signal.hpp"
#include "core/runtime/admin_desk.hpp"
#include "examples/reach/demo/child.hpp"

namespace {

using namespace cambium;
using nlohmann::json;
namespace fs = std::filesystem;

struct Arguments {
  fs::path build, models, work;
  double seconds = 75;
  std::string precision = "stock";  // of the trunk, as in the config
};

// One controller's part of the demo: a body in a slot, from its first tick to its last.
struct Part {
  std::string robot, arm;
  bool swapped = false;  // something of the robot was swapped while it moved
  std::optional<reach::Child> controller;
  json first, last;  // the host's view of the slot when the part began and ended
};

// Where the sockets live: a short path of its own, because a unix socket's name has at most 107
// letters. Gone in the end.
struct RunFolder {
  RunFolder() { fs::create_directories(path); }
  ~RunFolder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;
  const fs::path path = fs::temp_directory_path() / fmt::format("cambium-demo-{}", ::getpid());
};

class Demo {
 public:
  explicit Demo(Arguments arguments) : a_(std::move(arguments)) {}

  int run() {
    if (auto done = prepare(); !done) return fail(done.error());
    if (auto done = start(); !done) return fail(done.error());
    const json before = status();
    trunk_before_ = before["trunk"].value("id", "");

    // When things happen, in parts of the whole time; the rebuild takes seconds and goes on beside
    // the robots.
    std::vector<std::pair<double, std::function<Result<void>()>>> script = {
        {0.10, [this] { return edit_and_rebuild_head(); }},
        {0.40, [this] { return change("reload", "right", {}); }},
        {0.50, [this] { return load_new_weights(); }},
        {0.60, [this] { return swap_body(); }},
    };
    std::size_t next = 0;
    for (;;) {
      const double now = elapsed();
      if (now >= a_.seconds) break;
      if (stop_.wait(200 * base::kMillisecond)) return fail({Code::failed, "stopped"});
      if (auto alive = check_children(); !alive) return fail(alive.error());
      if (next < script.size() && now >= script[next].first * a_.seconds) {
        if (auto done = script[next].second(); !done) return fail(done.error());
        ++next;
      }
      view(now);
    }
    return finish();
  }

 private:
  static int fail(const Error& error) {
    fmt::print(stderr, "\ndemo: {}\n", error.message);
    return 1;
  }
  double elapsed() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  }
  fs::path program(const char* name) const { return a_.build / "bin" / name; }
  fs::path plugin(const std::string& name) const {
    return a_.build / "lib" / ("lib" + name + ".so");
  }
  fs::path bundle(const std::string& name) const { return a_.models / (name + ".safetensors"); }
  std::string endpoint(const char* name) const { return "ipc://" + (run_.path / name).string(); }

  // ---- before anything moves

  Result<void> prepare() {
    std::error_code ignored;
    fs::remove_all(a_.work, ignored);
    fs::create_directories(a_.work);
    std::ofstream config(a_.work / "cambium.toml");
    config << fmt::format(
        "[trunk]\nendpoint = \"{}\"\nstock = \"{}\"\nprecision = \"{}\"\n\n[host]\ncontrol = "
        "\"{}\"\nadmin = "
        "\"{}\"\nrun_dir = \"{}\"\n"
        "realtime = \"try\"\n",
        endpoint("trunk"), bundle("stock").string(), a_.precision, endpoint("control"),
        endpoint("admin"), run_.path.string());
    for (const auto& part : parts_) {
      config << fmt::format("\n[[robot]]\nname = \"{}\"\nplugin = \"{}\"\nbundle = \"{}\"\n",
                            part.robot, plugin(part.arm).string(), bundle(part.arm).string());
      if (part.robot == "right")
        config << fmt::format("head_plugin = \"{}\"\n", plugin("demo_head").string());
    }
    if (!config.flush())
      return Error{Code::failed, "cannot write " + (a_.work / "cambium.toml").string()};
    return {};
  }

  Result<void> start() {
    const auto config = (a_.work / "cambium.toml").string();
    auto trunk = reach::Child::start({program("cambium"), "trunk", "--config", config, "--json"},
                                     a_.work / "trunk.log");
    if (!trunk) return trunk.error();
    trunk_ = std::move(*trunk);
    auto host =
        reach::Child::start({program("cambium"), "host", "--config", config}, a_.work / "host.log");
    if (!host) return host.error();
    host_ = std::move(*host);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (;;) {
      const json now = status();
      if (now.contains("robots") && now["trunk"].value("alive", false)) break;
      if (auto alive = check_children(); !alive) return alive.error();
      if (std::chrono::steady_clock::now() > deadline) {
        return Error{Code::timeout,
                     "trunk and host did not come up; see the logs in " + a_.work.string()};
      }
      if (stop_.wait(50 * base::kMillisecond)) return Error{Code::failed, "stopped"};
    }
    for (auto& part : parts_) {
      if (auto begun = begin(part); !begun) return begun.error();
    }
    began_ = std::chrono::steady_clock::now();
    return {};
  }

  Result<void> begin(Part& part) {
    part.first = robot_status(part.robot);
    auto child =
        reach::Child::start({program("cambium-reach-controller"), "--arm", part.arm, "--robot",
                             part.robot, "--endpoint", endpoint("control"), "--wait", "30",
                             "--seed", std::to_string(seed_++), "--report", report_file(part)},
                            a_.work / ("controller_" + part.robot + "_" + part.arm + ".log"));
    if (!child) return child.error();
    part.controller = std::move(*child);
    return {};
  }

  std::string report_file(const Part& part) const {
    return (a_.work / ("controller_" + part.robot + "_" + part.arm + ".json")).string();
  }

  // ---- what happens while the robots move

  // As a user would: change the source, build, reload.
  Result<void> edit_and_rebuild_head() {
    const fs::path source = a_.build / "demo_head" / "plugin.cpp";
    std::ifstream in(source);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    const std::string before = "\"reach_head\", \"1.";
    const auto at = text.find(before);
    if (at == std::string::npos)
      return Error{Code::bad_data, source.string() + ": no version to change"};
    const auto minor_at = at + before.size(), end = text.find('.', minor_at);
    text.replace(minor_at, end - minor_at,
                 std::to_string(std::stoi(text.substr(minor_at, end - minor_at)) + 1));
    std::ofstream(source) << text;
    auto build = reach::Child::start(
        {"nice", "-n", "19", "cmake", "--build", a_.build, "--target", "demo_head"},
        a_.work / "rebuild.log");
    if (!build) return build.error();
    rebuild_ = std::move(*build);
    say("right: head edited, being rebuilt");
    part("right").swapped = true;
    return {};
  }

  Result<void> load_new_weights() {
    part("middle").swapped = true;
    return change("swap", "middle", {"--bundle", bundle("planar3_regrafted")});
  }

  Result<void> swap_body() {
    Part& old = part("bench");
    old.swapped = true;
    old.last = robot_status("bench");
    // Its controller comes after the body: nobody could prove anything on probation.
    if (auto done =
            change("swap", "bench",
                   {"--plugin", plugin("so101"), "--bundle", bundle("so101"), "--probation", "0"});
        !done)
      return done;
    parts_.push_back({.robot = "bench", .arm = "so101", .swapped = true});
    return begin(parts_.back());
  }

  Result<void> change(const std::string& verb, const std::string& robot,
                      const std::vector<std::string>& options) {
    if (verb == "reload" && rebuild_ && rebuild_->wait() != 0) {
      return Error{Code::failed,
                   "the head did not build; see " + (a_.work / "rebuild.log").string()};
    }
    const fs::path output = a_.work / fmt::format("swap_{}.json", swaps_.size());
    std::vector<std::string> command = {program("cambium"), verb,    robot, "--admin",
                                        endpoint("admin"),  "--json"};
    command.insert(command.end(), options.begin(), options.end());
    auto child = reach::Child::start(command, output);
    if (!child) return child.error();
    const int code = child->wait();
    std::ifstream in(output);
    json report = json::parse(in, nullptr, false);
    if (code != 0 || report.is_discarded()) {
      return Error{Code::failed,
                   "cambium " + verb + " " + robot + " failed; see " + output.string()};
    }
    say(
        fmt::format("{}: {} swapped, prepared in {:.1f} ms, committed in {:.1f} us, stood {} of {} "
                    "ticks on probation, generation {}",
                    robot, report.value("kind", ""), report.value("prepare_ms", 0.0),
                    report.value("commit_us", 0.0), report.value("proved", 0),
                    report.value("probation", 0), report.value("generation", 0)));
    swaps_.push_back(std::move(report));
    return {};
  }

  // ---- looking

  json status() const {
    const auto answer = runtime::ask_admin(endpoint("admin"), {.verb = "status"}, base::kSecond);
    return answer ? json::parse(answer->json, nullptr, false) : json::object();
  }

  json robot_status(const std::string& name) const {
    for (const auto& robot : status().value("robots", json::array())) {
      if (robot.value("name", "") == name) return robot;
    }
    return json::object();
  }

  Part& part(const std::string& robot) {
    return *std::find_if(parts_.begin(), parts_.end(),
                         [&](const Part& one) { return one.robot == robot; });
  }

  Result<void> check_children() {
    if (trunk_ && trunk_->ended())
      return Error{Code::failed, "the trunk has ended; see " + (a_.work / "trunk.log").string()};
    if (host_ && host_->ended())
      return Error{Code::failed, "the host has ended; see " + (a_.work / "host.log").string()};
    for (auto& one : parts_) {
      const auto code = one.controller ? one.controller->ended() : std::nullopt;
      if (code && *code != 0) {
        return Error{Code::failed, fmt::format("the controller of {} ({}) ended with {}; see {}",
                                               one.robot, one.arm, *code, a_.work.string())};
      }
    }
    return {};
  }

  void say(const std::string& text) {
    clear_view();
    fmt::print("{:5.1f} s  {}\n", elapsed(), text);
    std::fflush(stdout);
  }

  void clear_view() {
    if (lines_ > 0) fmt::print("\033[{}A\033[J", lines_);
    lines_ = 0;
  }

  // On a terminal a table that stays where it is; elsewhere a line every ten seconds.
  void view(double now) {
    const bool terminal = ::isatty(STDOUT_FILENO) != 0;
    if (!terminal && now < next_line_) return;
    next_line_ = now + 10;
    const json all = status();
    if (!all.contains("robots")) return;
    clear_view();
    const auto width = static_cast<std::size_t>(30 * std::min(1.0, now / a_.seconds));
    fmt::print("[{:<30}] {:3.0f} of {:.0f} s", std::string(width, '#'), now, a_.seconds);
    if (!terminal) {
      for (const auto& robot : all["robots"]) {
        fmt::print("   {} {} missed {}", robot.value("name", ""), robot.value("drive", ""),
                   robot.value("missed", 0));
      }
      fmt::print("\n");
    } else {
      fmt::print("\n{:<8} {:<10} {:<12} {:>4} {:>8} {:>7} {:>8}\n", "robot", "embodiment", "drive",
                 "gen", "ticks", "missed", "p99 us");
      lines_ = 2;
      for (const auto& robot : all["robots"]) {
        fmt::print("{:<8} {:<10} {:<12} {:>4} {:>8} {:>7} {:>8.0f}\n", robot.value("name", ""),
                   robot.value("embodiment", ""), robot.value("drive", ""),
                   robot.value("generation", 0), robot.value("ticks", 0), robot.value("missed", 0),
                   robot.value("tick_us_p99", 0.0));
        ++lines_;
      }
    }
    std::fflush(stdout);
  }

  /// What the trunk said when it was ready: on some machines not what was asked for.
  std::string computed_precision() const {
    std::ifstream log(a_.work / "trunk.log");
    for (std::string line; std::getline(log, line);) {
      const json said = json::parse(line, nullptr, false);
      if (said.is_object() && said.value("event", "") == "ready")
        return said.value("precision", "unknown");
    }
    return "unknown";
  }

  // ---- the end

  int finish() {
    clear_view();
    const json after = status();
    for (auto& one : parts_) {
      if (one.last.is_null()) one.last = robot_status(one.robot);
    }
    for (auto& one : parts_) {
      if (one.controller) one.controller->stop();
    }
    const std::string trunk_after = after["trunk"].value("id", "");
    host_->stop();
    trunk_->stop();

    json robots = json::array();
    bool good = true;
    std::vector<std::string> complaints;
    for (const auto& one : parts_) {
      std::ifstream in(report_file(one));
      const json seen = json::parse(in, nullptr, false);
      if (seen.is_discarded()) {
        complaints.push_back(fmt::format("{} ({}) left no report", one.robot, one.arm));
        continue;
      }
      const auto grown = [&](const char* key) {
        return one.last.value(key, 0) - one.first.value(key, 0);
      };
      const int targets = seen.value("targets", 0), reached = seen.value("reached", 0);
      robots.push_back({{"name", one.robot},
                        {"embodiment", one.arm},
                        {"dof", one.last.value("dof", 0)},
                        {"ticks", grown("ticks")},
                        {"missed", grown("missed")},
                        {"targets", targets},
                        {"reached", reached},
                        {"tick_us_p50", one.last.value("tick_us_p50", 0.0)},
                        {"tick_us_p99", one.last.value("tick_us_p99", 0.0)},
                        {"generation", one.last.value("generation", 0)},
                        {"controller_timeouts", seen.value("timeouts", 0)},
                        {"round_trip_us_p99", seen.value("rtt_us_p99", 0.0)}});
      if (targets == 0 || reached * 10 < targets * 9) {
        complaints.push_back(fmt::format("{} ({}) reached {} of {} targets, 90 % are asked for",
                                         one.robot, one.arm, reached, targets));
      }
      if (!one.swapped && grown("missed") != 0) {
        complaints.push_back(
            fmt::format("{} ({}) missed {} ticks", one.robot, one.arm, grown("missed")));
      }
    }
    if (trunk_before_.empty() || trunk_before_ != trunk_after)
      complaints.push_back("the trunk id changed");
    if (swaps_.size() != 3)
      complaints.push_back(fmt::format("{} of 3 swaps happened", swaps_.size()));
    good = complaints.empty();

    fmt::print("{:<8} {:<10} {:>3} {:>7} {:>6} {:>15} {:>8} {:>8} {:>4}\n", "robot", "embodiment",
               "dof", "ticks", "missed", "reached / given", "p50 us", "p99 us", "gen");
    for (const auto& row : robots) {
      fmt::print("{:<8} {:<10} {:>3} {:>7} {:>6} {:>15} {:>8.0f} {:>8.0f} {:>4}\n",
                 row["name"].get<std::string>(), row["embodiment"].get<std::string>(),
                 row["dof"].get<int>(), row["ticks"].get<int>(), row["missed"].get<int>(),
                 fmt::format("{} / {}", row["reached"].get<int>(), row["targets"].get<int>()),
                 row["tick_us_p50"].get<double>(), row["tick_us_p99"].get<double>(),
                 row["generation"].get<int>());
    }
    const std::string precision = computed_precision();
    fmt::print("trunk before {}\ntrunk after  {}\nprecision    {}\n", trunk_before_, trunk_after,
               precision);
    const json report{{"precision", precision},
                      {"robots", robots},
                      {"swaps", swaps_},
                      {"trunk_id_before", trunk_before_},
                      {"trunk_id_after", trunk_after},
                      {"ok", good}};
    std::ofstream(a_.work / "report.json") << report.dump(2) << "\n";
    fmt::print("report: {}\n", (a_.work / "report.json").string());
    for (const auto& complaint : complaints) fmt::print(stderr, "demo: {}\n", complaint);
    return good ? 0 : 1;
  }

  Arguments a_;
  app::StopSignal stop_;
  RunFolder run_;  // before the processes that use it, so that it goes after them
  std::vector<Part> parts_ = make_parts();
  std::optional<reach::Child> trunk_, host_, rebuild_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::string trunk_before_;
  json swaps_ = json::array();
  int seed_ = 1;
  int lines_ = 0;
  double next_line_ = 0;

  static std::vector<Part> make_parts() {
    std::vector<Part> parts;
    for (const auto& [robot, arm] : std::vector<std::pair<const char*, const char*>>{
             {"left", "panda7"}, {"right", "ur5e"}, {"middle", "planar3"}, {"bench", "scara4"}}) {
      parts.push_back({.robot = robot, .arm = arm});
    }
    parts.reserve(8);
    return parts;
  }
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App program{
      "One trunk, one host, four simulated arms; a head, weights and a body swapped while they "
      "move."};
  program.footer(
      "Example:\n  cambium-reach-demo --build build/release --models models --work build/demo");
  Arguments arguments;
  program.add_option("--build", arguments.build, "Build tree with programs and plugins")
      ->required();
  program.add_option("--models", arguments.models, "Folder with stock and bundles")->required();
  program.add_option("--work", arguments.work, "Folder for logs and report.json; emptied first")
      ->required();
  program.add_option("--seconds", arguments.seconds, "How long the robots move")
      ->capture_default_str()
      ->check(CLI::Range(20.0, 3600.0));
  program.add_option("--precision", arguments.precision, "What the trunk computes in")
      ->capture_default_str()
      ->check(CLI::IsMember({"stock", "f32", "bf16", "int8"}));
  CLI11_PARSE(program, argc, argv);
  for (auto* path : {&arguments.build, &arguments.models, &arguments.work})
    *path = fs::absolute(*path).lexically_normal();
  return Demo(std::move(arguments)).run();
}
