#include "bench/loopback.hpp"

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "bench/folder.hpp"
#include "bench/free_port.hpp"
#include "bench/pace.hpp"
#include "bench/process.hpp"
#include "bench/quantile.hpp"
#include "bench/raw_ping_pong.hpp"
#include "cambium/client.hpp"
#include "core/base/clock.hpp"
#include "core/base/key_file.hpp"
#include "core/nn/bundle.hpp"
#include "core/runtime/admin_desk.hpp"

namespace cambium::bench {
namespace {

namespace fs = std::filesystem;

// Bytes of the four messages: numbers plus what FlatBuffers adds (measured from the schemas, a few
// words each).
struct Sizes {
  ExchangeSizes tick, lockstep;
  std::size_t tokens = 0, features = 0;
};

Sizes sizes_of(const nn::BundleSpec& spec) {
  std::size_t observed = 0;
  for (const auto& entry : spec.layout) observed += entry.size();
  const std::size_t observation = 112 + 20 * spec.layout.size() + 4 * observed;
  return {.tick = {observation, 88 + 4 * std::size_t{spec.dof}},
          .lockstep = {observation, 88 + 4 * std::size_t{spec.horizon} * spec.dof},
          .tokens = 136 + 4 * std::size_t{spec.tokens()} * spec.width,
          .features = 80 + 4 * std::size_t{spec.features()} * spec.width};
}

Status set_home(Client& client, const RobotInfo& info) {
  for (std::size_t i = 0; i < info.sensors.size(); ++i) {
    std::size_t size = 1;
    for (const auto extent : info.sensors[i].shape) size *= extent;
    std::vector<float> values(size, 0.3F);
    if (info.sensors[i].name == "joint_position") {
      for (std::size_t j = 0; j < size; ++j) values[j] = static_cast<float>(info.joints[j].home);
    }
    if (const Status set = client.set(i, values); !set.ok()) return set;
  }
  return {};
}

}  // namespace

Result<LoopbackReport> run_loopback(const LoopbackOptions& options,
                                    const std::function<void(int, int)>& progress) {
  const auto bundle = nn::Bundle::open(options.bundle);
  if (!bundle) return bundle.error();
  const Sizes sizes = sizes_of(bundle->spec());
  const Folder folder;
  const bool tcp = options.tcp || options.keys;
  const auto place = [&](const char* name) { return tcp ? free_tcp_endpoint() : folder.ipc(name); };
  const std::string raw1 = place("raw1"), raw2_endpoint = place("raw2"), raw3 = place("raw3"),
                    trunk_endpoint = place("trunk"), control = place("control");
  std::string security;
  if (options.keys) {
    const auto made = base::write_new_keys(folder.path, "bench");
    if (!made) return made.error();
    security = "[security]\nkey = \"bench.key\"\n";
  }
  // Echo processes first: they are forks, and must not inherit half a ZeroMQ.
  auto one_hop = EchoProcess::start({.endpoint = raw1, .reply = sizes.tick.reply, .next = {}});
  auto far = EchoProcess::start({.endpoint = raw3, .reply = sizes.features, .next = {}});
  auto near = EchoProcess::start({.endpoint = raw2_endpoint,
                                  .reply = sizes.lockstep.reply,
                                  .next = raw3,
                                  .next_request = sizes.tokens});
  if (!one_hop || !far || !near) return Error{Code::failed, "cannot start the echo processes"};

  const fs::path config = folder.path / "cambium.toml";
  std::ofstream(config) << security << "[trunk]\nendpoint = \"" << trunk_endpoint
                        << "\"\nstock = \"" << options.stock.string() << "\"\n[host]\ncontrol = \""
                        << control << "\"\nadmin = \"" << folder.ipc("admin") << "\"\nrun_dir = \""
                        << folder.path.string() << "\"\n[[robot]]\nname = \"bench\"\nplugin = \""
                        << options.plugin.string() << "\"\nbundle = \"" << options.bundle.string()
                        << "\"\n";
  const fs::path log = folder.path / "log";
  const Process trunk(options.program, {"trunk", "--config", config}, log),
      host(options.program, {"host", "--config", config}, log);

  RawClient raw(raw1, sizes.tick.request), raw2(raw2_endpoint, sizes.lockstep.request);
  auto client = Client::open({.endpoint = control,
                              .robot = "bench",
                              .key_file = options.keys ? folder.path / "bench.key" : ""});
  if (!client) return client.error();
  const auto info = client->wait(std::chrono::seconds(10));
  if (!info)
    return Error{info.error().code, info.error().message + "; last word: " + last_line(log)};
  ActionReply action;
  ChunkReply chunk;
  constexpr std::chrono::microseconds kPatience(500'000);
  for (int i = 0; i < 200 && action.drive != Drive::policy; ++i) {
    if (const Status set = set_home(*client, *info); !set.ok())
      return Error{set.code(), "the bench's observation was refused"};
    [[maybe_unused]] const Status warm = client->act(action, kPatience);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  if (action.drive != Drive::policy)
    return Error{Code::unavailable, "the policy never drove; is the trunk up?"};

  std::vector<double> ticks, raws, lockstep, raws2;
  LoopbackReport report;
  Pace pace(std::chrono::duration<double, std::milli>(options.period_ms));
  for (int round = 0; round < options.rounds; ++round) {
    for (int i = 0; i < options.exchanges; ++i) {
      pace.wait();
      const auto begin = base::monotonic_ns();
      const Status done = client->act(action, kPatience);
      if (!done.ok()) return Error{done.code(), "a tick had no answer"};
      ticks.push_back(static_cast<double>(base::monotonic_ns() - begin) * 1e-3);
      ++report.ticks;
      report.policy_ticks += action.drive == Drive::policy;
    }
    for (int i = 0; i < options.exchanges; ++i) {
      pace.wait();
      raws.push_back(static_cast<double>(raw.round_trip()) * 1e-3);
    }
    for (int i = 0; i < options.exchanges; ++i) {
      pace.wait();
      const auto begin = base::monotonic_ns();
      const Status done = client->infer(chunk, kPatience);
      if (!done.ok()) return Error{done.code(), "a lockstep call had no answer"};
      lockstep.push_back(static_cast<double>(base::monotonic_ns() - begin) * 1e-3 -
                         chunk.trunk_compute_us);
    }
    for (int i = 0; i < options.exchanges; ++i) {
      pace.wait();
      raws2.push_back(static_cast<double>(raw2.round_trip()) * 1e-3);
    }
    progress(round + 1, options.rounds);
  }
  report.tick_us_p50 = quantile(ticks, 0.5);
  report.tick_us_p99 = quantile(ticks, 0.99);
  report.raw_us_p50 = quantile(raws, 0.5);
  report.raw_us_p99 = quantile(raws, 0.99);
  report.lockstep_us_p50 = quantile(lockstep, 0.5);
  report.lockstep_us_p99 = quantile(lockstep, 0.99);
  report.raw2_us_p50 = quantile(raws2, 0.5);
  report.raw2_us_p99 = quantile(raws2, 0.99);
  const auto answer =
      runtime::ask_admin(folder.ipc("admin"), {.verb = "status"}, 2 * base::kSecond);
  if (!answer) return answer.error();
  const auto status = nlohmann::json::parse(answer->json);
  report.host_rss_mb = status["resident_kb"].get<double>() / 1024;
  report.trunk_rss_beyond_weights_mb =
      (status["trunk"].value("resident_kb", 0.0) - status["trunk"].value("weights_kb", 0.0)) / 1024;
  return report;
}

}  // namespace cambium::bench
