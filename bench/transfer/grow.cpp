#include "bench/transfer/grow.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <system_error>
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
  hash.update(fmt::format("{} {} {} {} {}", kRevision, options.tasks, options.pretrain_steps,
                          options.pretrain_episodes, kSamples));
  return fmt::format("bodies{}-width{}-blocks{}{}-{:.8}", grown.bodies, grown.width, grown.blocks,
                     grown.joints ? "" : "-plain", base::to_hex(hash.finish()));
}

struct Demonstrated {
  std::vector<fs::path> files;
  /// Of bodies that are trained as one. With a token and a head for each joint: those of one task
  /// with equally many joints; else each is its own.
  std::size_t kinds = 0;
};

/// Empty files: stopped.
Result<Demonstrated> demonstrate(const Grown& grown, const Options& options, const fs::path& folder,
                                 const std::function<bool()>& stopped, const Told& told) {
  Demonstrated demonstrated;
  std::set<std::tuple<std::string, std::size_t, std::uint32_t>> kinds;
  tasks::RecordOptions record;
  record.seed = kEpisodesSeed;
  record.episodes = std::max(2U, options.pretrain_episodes / grown.bodies);
  for (const std::string& word : options.tasks) {
    const auto task = tasks::task_from(word);
    if (!task) return task.error();
    for (std::uint32_t i = 0; i < grown.bodies; ++i) {
      told("recording", static_cast<double>(demonstrated.files.size()) /
                            static_cast<double>(options.tasks.size() * grown.bodies));
      const auto body = tasks::make_body(fmt::format("random:{}", i), *task);
      if (!body) return body.error();
      const auto recorded = tasks::record(*body, record, [&](std::uint32_t) { return !stopped(); });
      if (stopped()) return Demonstrated{};
      if (!recorded) return recorded.error();
      const auto file = folder / fmt::format("{}.{}.safetensors", word, i);
      if (auto written = learn::write_demonstrations(file, *recorded); !written)
        return written.error();
      demonstrated.files.push_back(file);
      kinds.emplace(word, body->embodiment.dof(), grown.joints ? 0 : i);
    }
  }
  demonstrated.kinds = kinds.size();
  return demonstrated;
}

}  // namespace

std::vector<Grown> stocks_of_scaling(const Options& options) {
  std::vector<Grown> all;
  const auto add = [&](const Grown& grown) {
    if (std::ranges::find(all, grown) == all.end()) all.push_back(grown);
  };
  for (const std::uint32_t bodies : options.pretrain_bodies)
    add({bodies, options.middle_width, options.middle_blocks, true});
  for (const std::uint32_t blocks : options.blocks)
    for (const std::uint32_t width : options.widths)
      add({options.middle_bodies, width, blocks, true});
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
  std::error_code error;
  const fs::path recorded = own / "demonstrations";
  fs::create_directories(recorded, error);
  if (error)
    return Error{Code::failed, fmt::format("'{}': cannot create the folder: {}", recorded.string(),
                                           error.message())};
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
  const auto report = learn::pretrain(job, [&](const learn::Progress& progress) {
    if (progress.files == 0)
      told("pretraining", static_cast<double>(progress.step) / progress.steps);
    return !stopped();
  });
  if (stopped()) return fs::path{};  // even while files were read, which is an error there
  if (!report) return report.error();
  // Only now: a stock that is there without this mark was not finished.
  fs::remove_all(recorded, error);
  fs::create_directory(own / kDone, error);
  return own / kStock;
}

}  // namespace cambium::transfer
