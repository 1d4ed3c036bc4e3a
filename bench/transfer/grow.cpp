#include "bench/transfer/grow.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <tuple>

#include "core/base/sha256.hpp"
#include "core/learn/training.hpp"
#include "examples/tasks/task.hpp"

namespace cambium::transfer {
namespace {

namespace fs = std::filesystem;
using Told = std::function<void(const char*, double)>;

constexpr const char kStock[] = "stock.safetensors";
constexpr const char kDone[] = "done";      // beside a stock that is whole
constexpr std::uint64_t kEpisodesSeed = 0;  // of pretraining; grafts never see these bodies
constexpr std::uint32_t kSamples = 384;     // a step, over all bodies and tasks
constexpr std::uint32_t kEvery = 5;         // ticks, of which one is learned from

/// Points that mean the same on every body, in the order of their tokens.
std::vector<std::string> shared_sensors(const std::vector<std::string>& tasks) {
  std::vector<std::string> sensors = {"tool"};
  const auto has = [&](const char* task) { return std::ranges::find(tasks, task) != tasks.end(); };
  if (has("reach")) sensors.emplace_back("goal");
  if (has("choose")) sensors.insert(sensors.end(), {"candidates", "obstacle"});
  if (has("push")) sensors.insert(sensors.end(), {"puck", "mark"});
  return sensors;
}

/// What the stock's bytes depend on, short enough for the name of a folder.
std::string name_of(const Grown& grown, const Options& options) {
  base::Sha256 hash;
  hash.update(fmt::format("{} {} {} {} {} {}", kRevision, options.tasks, options.pretrain_steps,
                          options.pretrain_episodes, kSamples, kEvery));
  return fmt::format("bodies{}-width{}-blocks{}{}-{:.8}", grown.bodies, grown.width, grown.blocks,
                     grown.joints ? "" : "-plain", base::to_hex(hash.finish()));
}

struct Demonstrated {
  std::vector<fs::path> files;
  /// Of bodies that are trained as one. With a token and a head for each joint: those of one task
  /// with equally many joints; else each is its own.
  std::size_t kinds = 0;
};

/// One file that is there when it is whole; what is there already stays. Nothing if stopped.
Result<void> demonstrate(const tasks::TaskBody& body, const tasks::RecordOptions& options,
                         const fs::path& file, const std::function<bool()>& stopped) {
  std::error_code error;
  if (fs::exists(file, error)) return {};
  const auto recorded = tasks::record(body, options, [&](std::uint32_t) { return !stopped(); });
  if (stopped()) return {};
  if (!recorded) return recorded.error();
  return learn::write_demonstrations(file, *recorded);
}

/// Of all bodies of a stock; stocks of as many bodies share theirs. Empty files: stopped.
Result<Demonstrated> demonstrate(const Grown& grown, const Options& options, const fs::path& folder,
                                 const std::function<bool()>& stopped, const Told& told) {
  Demonstrated demonstrated;
  std::set<std::tuple<std::string, std::size_t, std::uint32_t>> kinds;
  const tasks::RecordOptions record = {
      .episodes = std::max(2U, options.pretrain_episodes / grown.bodies),
      .seed = kEpisodesSeed,
      .every = kEvery};
  std::vector<tasks::TaskBody> bodies;
  for (const std::string& word : options.tasks) {
    const auto task = tasks::task_from(word);
    if (!task) return task.error();
    for (std::uint32_t i = 0; i < grown.bodies; ++i) {
      if (stopped()) return Demonstrated{};
      auto body = tasks::make_body(fmt::format("random:{}", i), *task);
      if (!body) return body.error();
      demonstrated.files.push_back(folder / fmt::format("revision{}-{}-{}-{}.safetensors",
                                                        kRevision, word, i, record.episodes));
      kinds.emplace(word, body->embodiment.dof(), grown.joints ? 0 : i);
      bodies.push_back(std::move(*body));
    }
  }
  demonstrated.kinds = kinds.size();

  std::mutex mutex;  // guards what follows
  std::size_t next = 0;
  std::optional<Error> error;
  const auto worker = [&] {
    std::unique_lock lock(mutex);
    while (next < bodies.size() && !error && !stopped()) {
      const std::size_t mine = next++;
      told("recording", static_cast<double>(mine) / static_cast<double>(bodies.size()));
      lock.unlock();
      auto done = demonstrate(bodies[mine], record, demonstrated.files[mine], stopped);
      lock.lock();
      if (!done && !error) error = done.error();
    }
  };
  std::vector<std::thread> threads;
  const std::uint32_t jobs =
      options.jobs > 0 ? options.jobs : std::max(1U, std::thread::hardware_concurrency());
  for (std::uint32_t i = 0; i < jobs; ++i) threads.emplace_back(worker);
  for (std::thread& thread : threads) thread.join();
  if (error) return *error;
  if (stopped()) return Demonstrated{};
  return demonstrated;
}

}  // namespace

std::vector<Grown> stocks_of_scaling(const Options& options) {
  std::vector<Grown> all;
  const auto add = [&](const Grown& grown) {
    if (std::ranges::find(all, grown) == all.end()) all.push_back(grown);
  };
  for (const std::uint32_t bodies : options.pretrain_bodies)
    add({bodies, options.usual_width, options.usual_blocks, true});
  for (const std::uint32_t blocks : options.blocks)
    for (const std::uint32_t width : options.widths)
      add({options.usual_bodies, width, blocks, true});
  return all;
}

Result<fs::path> find_grown(const Grown& grown, const Options& options, const fs::path& folder) {
  const fs::path own = folder / name_of(grown, options);
  std::error_code error;
  return fs::exists(own / kDone, error) ? own / kStock : fs::path{};
}

Result<fs::path> grow(const Grown& grown, const Options& options, const fs::path& folder,
                      const std::function<bool()>& stopped, const Told& told) {
  if (auto found = find_grown(grown, options, folder); !found || !found->empty()) return found;
  const fs::path own = folder / name_of(grown, options);
  const fs::path recorded = folder / "demonstrations";
  std::error_code error;
  for (const fs::path& made : {recorded, own}) {
    fs::create_directories(made, error);
    if (error)
      return Error{Code::failed, fmt::format("'{}': cannot create the folder: {}", made.string(),
                                             error.message())};
  }
  const auto demonstrated = demonstrate(grown, options, recorded, stopped, told);
  if (!demonstrated) return demonstrated.error();
  if (demonstrated->files.empty()) return fs::path{};

  learn::PretrainJob job;
  job.demonstrations = demonstrated->files;
  job.output = own;
  job.recipe.steps = options.pretrain_steps;
  job.recipe.batch = std::max<std::uint32_t>(1, kSamples / demonstrated->kinds);
  job.recipe.threads = options.jobs;
  job.recipe.width = grown.width;
  job.recipe.blocks = grown.blocks;
  job.recipe.shared_sensors = shared_sensors(options.tasks);
  if (grown.joints) {
    job.recipe.head_kind = "joint";
    job.recipe.head_widths = learn::joint_head_widths();
  }
  job.bundles = false;
  job.resume = fs::exists(own / "pretrain.checkpoint.safetensors", error);
  job.force = true;
  const auto watch = [&](const learn::Progress& progress) {
    if (progress.files == 0)
      told("pretraining", static_cast<double>(progress.step) / progress.steps);
    return !stopped();
  };
  auto report = learn::pretrain(job, watch);
  if (!report && job.resume && report.error().code == Code::incompatible) {
    job.resume = false;  // left behind by another version of experts or recipe
    report = learn::pretrain(job, watch);
  }
  if (stopped()) return fs::path{};  // even while files were read, which is an error there
  if (!report) return report.error();
  // Only now: a stock that is there without this mark was not finished.
  fs::create_directory(own / kDone, error);
  return own / kStock;
}

}  // namespace cambium::transfer
