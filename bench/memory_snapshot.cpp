#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "bench/folder.hpp"
#include "bench/memory_bench.hpp"
#include "bench/memory_robots.hpp"
#include "bench/process.hpp"
#include "bench/quantile.hpp"
#include "core/trunk/link.hpp"
#include "core/trunk/session_file.hpp"

namespace cambium::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kCache = 1024;  // of attention sinks: the largest memory of all that stream
constexpr int kSaves = 15;
constexpr double kHz = 50;
constexpr base::Nanoseconds kPeriod = base::kSecond / 50, kSnapshot = base::kSecond,
                            kPatience = 20 * base::kSecond, kLook = 5 * base::kMillisecond;
constexpr std::uint64_t kOwner = 0x6d656d6f7279;

double ms_since(base::Nanoseconds began) {
  return static_cast<double>(base::monotonic_ns() - began) * 1e-6;
}

/// A full memory to a file and back, each time another file, as snapshots do.
Result<void> save_and_load(MemoryBench& bench, const MemoryTrunk& kind, SnapshotResult& result) {
  auto model = load_memory_trunk(kind, bench.model_options(kCache));
  if (!model) return model.error();
  const auto& info = (*model)->info();
  MemoryRobots robots(**model, 2, kCache);
  robots.fill(0, tokens_until_full(kind), kCache);
  if (auto filled = robots.finish(); !filled) return filled;
  const trunk::SessionRecord record{
      .name = "arm_1", .architecture = info.architecture, .steps = 1, .bytes = info.session_bytes};
  const trunk::SessionFit fit{.architecture = info.architecture, .bytes = info.session_bytes};
  const Folder folder;
  std::vector<double> save, load;
  for (int i = 0; i < kSaves; ++i) {
    const fs::path file = folder.path / (std::to_string(i) + ".safetensors");
    auto began = base::monotonic_ns();
    const std::span<const std::byte> memory(robots.memory(0), info.session_bytes);
    if (auto saved = trunk::write_session(file, record, memory); !saved) return saved;
    save.push_back(ms_since(began));
    began = base::monotonic_ns();
    const auto loaded = trunk::read_session(file, fit, {robots.memory(1), info.session_bytes});
    if (!loaded) return loaded.error();
    load.push_back(ms_since(began));
    if (!std::equal(memory.begin(), memory.end(), robots.memory(1)))
      return Error{Code::bad_data, "a session came back from its file with other bytes"};
    result.bytes = fs::file_size(file);
  }
  result.save_ms = quantile(save, 0.5);
  result.load_ms = quantile(load, 0.5);
  return {};
}

/// A trunk process that writes snapshots, and a robot that steps at 50 Hz whatever becomes of it.
class KilledTrunk {
 public:
  static Result<std::unique_ptr<KilledTrunk>> start(MemoryBench& bench, const MemoryTrunk& kind) {
    std::unique_ptr<KilledTrunk> one(new KilledTrunk(bench));
    const fs::path stock = one->folder_.path / "stock.safetensors";
    if (auto written = write_memory_stock(stock, kind); !written) return written.error();
    const fs::path sessions = one->folder_.path / "sessions";
    fs::create_directory(sessions);
    std::ofstream(one->config()) << "[trunk]\nendpoint = \"" << one->endpoint() << "\"\nstock = \""
                                 << stock.string() << "\"\nsession_dir = \"" << sessions.string()
                                 << "\"\nsnapshot_ms = " << kSnapshot / base::kMillisecond
                                 << "\n[host]\nrun_dir = \"" << one->folder_.path.string()
                                 << "\"\n";
    auto link = trunk::TrunkLink::open(one->context_, one->endpoint(), "bench memory", 1 << 20);
    if (!link) return link.error();
    one->link_.emplace(std::move(*link));
    one->values_.assign(std::size_t{bench.options.request} * kind.size.width, 0.5F);
    one->run();
    return one;
  }

  /// Steps so long, then kills the trunk, starts it again and takes another step: how many answered
  /// steps its memory has lost.
  Result<std::uint64_t> kill_after(base::Nanoseconds time) {
    if (auto stepped = step_for(time); !stepped) return stepped.error();
    const std::uint64_t answered = steps_;
    process_->kill();
    run();
    if (auto stepped = step_for(0); !stepped) return stepped.error();
    const std::uint64_t kept = steps_ - 1;  // before the one that asked
    return answered - std::min(answered, kept);
  }

 private:
  explicit KilledTrunk(MemoryBench& bench) : bench_(bench) {}

  fs::path config() const { return folder_.path / "cambium.toml"; }
  fs::path log() const { return folder_.path / "trunk.log"; }
  std::string endpoint() const { return folder_.ipc("trunk"); }

  void run() {
    process_.emplace(bench_.options.program,
                     std::vector<std::string>{"trunk", "--config", config().string()}, log());
  }

  Result<void> step_for(base::Nanoseconds time) {
    const base::Nanoseconds end = base::monotonic_ns() + time, give_up = end + kPatience;
    bool answered = false;
    transport::Poller poller;
    poller.add(link_->socket());
    for (base::Nanoseconds now; (now = base::monotonic_ns()) < end || !answered;) {
      if (bench_.stopped()) return Error{Code::failed, "interrupted"};
      if (now > give_up || !process_->running())
        return Error{Code::unavailable,
                     "the trunk does not answer; its last word: " + last_line(log())};
      link_->heartbeat(now);
      trunk::FeaturesReply reply;
      while (link_->receive(reply, base::monotonic_ns())) {
        if (reply.request != asked_) continue;
        waiting_ = false;
        if (reply.code == Code::unavailable) continue;  // lost with its trunk
        if (reply.code != Code::ok)
          return Error{reply.code,
                       std::string("the trunk refuses a step: ") + to_string(reply.code)};
        steps_ = reply.steps;
        answered = true;
      }
      if (!waiting_ && now >= next_ && link_->identity() && link_->alive(now))
        if (auto asked = ask(now); !asked) return asked;
      poller.wait(kLook);
    }
    return {};
  }

  Result<void> ask(base::Nanoseconds now) {
    const trunk::TrunkInfo& trunk = *link_->identity();
    const Status sent = link_->send({.request = ++asked_,
                                     .robot_id = 1,
                                     .trunk = trunk.id,
                                     .pooling = 1,
                                     .count = bench_.options.request,
                                     .width = trunk.width,
                                     .values = values_,
                                     .session = "arm_1",
                                     .owner = kOwner,
                                     .time_ns = now});
    if (!sent.ok()) return Error{sent.code(), "the trunk does not take what it is sent"};
    waiting_ = true;
    next_ = now + kPeriod;
    return {};
  }

  MemoryBench& bench_;
  Folder folder_;
  transport::Context context_;
  std::optional<trunk::TrunkLink> link_;
  std::optional<Process> process_;  // before the folder goes
  std::vector<float> values_;
  std::uint64_t asked_ = 0, steps_ = 0;
  bool waiting_ = false;
  base::Nanoseconds next_ = 0;
};

Result<void> kill_again_and_again(MemoryBench& bench, const MemoryTrunk& kind,
                                  SnapshotResult& result) {
  auto trunk = KilledTrunk::start(bench, kind);
  if (!trunk) return trunk.error();
  std::vector<double> lost;
  result.kills = bench.options.kills;
  for (std::uint32_t i = 0; i < result.kills; ++i) {
    // At another moment between two snapshots each time.
    const auto ticks =
        (*trunk)->kill_after(kSnapshot + kSnapshot * (2 * i + 1) / (2 * result.kills));
    if (!ticks) return ticks.error();
    lost.push_back(static_cast<double>(*ticks));
    if (auto on = bench.go_on(0.2 + 0.8 * (i + 1) / result.kills); !on) return on;
  }
  result.hz = kHz;
  result.snapshot_ms = static_cast<double>(kSnapshot) * 1e-6;
  result.ticks_lost_p50 = quantile(lost, 0.5);
  result.ticks_lost = quantile(lost, 1);
  return {};
}

}  // namespace

Result<void> bench_snapshot(MemoryBench& bench) {
  if (auto begun = bench.begin("snapshot"); !begun) return begun;
  const MemoryTrunk kind = bench.trunk("streaming", kCache);
  SnapshotResult result{.arch = kind.architecture};
  if (auto done = save_and_load(bench, kind, result); !done) {
    bench.leave_out("snapshot", done.error());
    return {};
  }
  if (auto on = bench.go_on(0.2); !on) return on;
  if (auto done = kill_again_and_again(bench, kind, result); !done) {
    if (bench.stopped()) return done;
    bench.leave_out("snapshot, kill", done.error());
  }
  bench.report.snapshot = result;
  return {};
}

}  // namespace cambium::bench
