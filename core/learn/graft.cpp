#include <fmt/format.h>

#include <algorithm>

#include "core/learn/curve.hpp"
#include "core/learn/learned_files.hpp"
#include "core/learn/planting.hpp"
#include "core/learn/training_run.hpp"

namespace cambium::learn {
namespace {

std::filesystem::path beside(const std::filesystem::path& bundle, const char* ending) {
  return std::filesystem::path(bundle).replace_extension(ending);
}

}  // namespace

Recipe graft_recipe() {
  Recipe recipe;
  recipe.steps = 1500;
  recipe.batch = 64;
  return recipe;
}

std::vector<std::uint32_t> joint_head_widths() {
  return {128};
}

Result<TrainingReport> graft(const GraftJob& job, const Watch& watch) {
  if (auto done = check_recipe(job.recipe); !done) return done.error();
  const auto stock = nn::Stock::open(job.stock);
  if (!stock) return stock.error();
  if (const auto plan = plan_of(*stock); !plan) return plan.error();  // before much is read
  const auto demonstrations = read_demonstrations(job.demonstrations);
  if (!demonstrations) return demonstrations.error();
  auto planted = plant(*demonstrations, *stock, Ground::stock, HeadStart::stock, job.recipe);
  if (!planted)
    return Error{planted.error().code,
                 fmt::format("'{}': {}", job.demonstrations.string(), planted.error().message)};
  const Policy& policy = planted->policy;
  if (auto done = make_room({job.output}, job.force); !done) return done.error();
  std::error_code error;
  if (std::filesystem::equivalent(job.stock, job.output, error))
    return Error{Code::bad_argument, fmt::format("'{}' is the stock itself", job.output.string())};

  const std::vector<float> before(
      planted->weights.begin(),
      planted->weights.begin() + static_cast<std::ptrdiff_t>(policy.stock().end));

  TrainingReport report;
  report.notes = planted->notes;
  report.trunk_id_before = stock->trunk_id();
  const TrainingRun run = {policy,
                           planted->data,
                           planted->recipe,
                           planted->stock_is_frozen,
                           beside(job.output, ".checkpoint.safetensors"),
                           job.resume};
  const auto state = train(run, std::move(planted->weights), watch, report);
  if (!state) return state.error();

  // The promise of a graft: neither the weights in memory nor the file has changed.
  if (!std::ranges::equal(before, std::span(state->weights).first(before.size())))
    return Error{Code::failed, "the frozen weights changed while training; nothing was written"};
  const auto again = nn::Stock::open(job.stock);
  if (!again) return again.error();
  report.trunk_id = again->trunk_id();
  if (report.trunk_id != report.trunk_id_before)
    return Error{Code::incompatible,
                 fmt::format("'{}' was {} when training began and is {} now; nothing was written",
                             job.stock.string(), report.trunk_id_before, report.trunk_id)};
  if (report.interrupted) return report;

  const std::string trained = describe("graft", run, report);
  const auto bundle = write_bundle(job.output, policy, planted->data[0], job.recipe, *stock,
                                   state->weights, trained);
  if (!bundle) return bundle.error();
  if (auto fits = nn::check_fits(*bundle, *stock); !fits) return fits.error();
  const auto curve = beside(job.output, ".loss");
  if (auto done = write_curve(curve, trained, report.curve); !done) return done.error();
  report.files = {job.output, curve.string() + ".svg", curve.string() + ".json"};
  std::filesystem::remove(run.checkpoint, error);  // it may never have been written
  return report;
}

}  // namespace cambium::learn
