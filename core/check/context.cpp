#include "core/check/context.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "cambium/version.hpp"
#include "core/check/finding.hpp"

namespace cambium::check {
namespace {

bool exports_any(const plugin::PluginLibrary& library, std::string_view interface_id) {
  return std::ranges::any_of(library.exports(), [&](const plugin::Export& one) {
    return one.interface_id == interface_id;
  });
}

}  // namespace

Context::Context(Subject subject, Options options)
    : subject_(std::move(subject)), options_(std::move(options)), random_(options_.seed) {}

void Context::doing(std::string_view what) const noexcept {
  if (options_.report < 0) return;
  std::string line = "@";
  line.append(what).append("\n");
  // Nobody reads any more: then nobody waits for the result either.
  [[maybe_unused]] const auto written = ::write(options_.report, line.data(), line.size());
}

base::FileCheck Context::trusted(base::FileKind kind) const {
  return need(base::Trust::read(subject_.trust)).of(kind);
}

const nn::Bundle& Context::bundle() {
  if (!bundle_) bundle_ = need(nn::Bundle::open(subject_.bundle, trusted(base::FileKind::bundle)));
  return *bundle_;
}

const nn::Stock& Context::stock() {
  if (!stock_) stock_ = need(nn::Stock::open(subject_.stock, trusted(base::FileKind::stock)));
  return *stock_;
}

const plugin::PluginLibrary& Context::open(Library& library, const std::filesystem::path& file) {
  if (!library) {
    doing("opening '" + file.string() + "'");
    library = need(plugin::open_library(
        file, {.run_dir = options_.scratch, .check = trusted(base::FileKind::plugin)}));
  }
  return *library;
}

const plugin::PluginLibrary& Context::library() {
  return open(library_, subject_.plugin);
}

const plugin::PluginLibrary& Context::stem_library() {
  return subject_.stem_plugin.empty() ? library() : open(stem_library_, subject_.stem_plugin);
}

const plugin::PluginLibrary& Context::head_library() {
  return subject_.head_plugin.empty() ? library() : open(head_library_, subject_.head_plugin);
}

plugin::Embodiment Context::embodiment() {
  if (!exports_any(library(), kEmbodimentInterface))
    throw Ended{
        skip("it exports no embodiment; check the robot's plugin, with --head-plugin or "
             "--stem-plugin FILE")};
  const auto& name = subject_.embodiment.empty() && !subject_.bundle.empty()
                         ? bundle().spec().embodiment
                         : subject_.embodiment;
  return need(library().embodiment(name));
}

Context::Library Context::open_again(const std::filesystem::path& file) {
  return need(plugin::open_library(
      file,
      {.run_dir = options_.scratch, .reuse = false, .check = trusted(base::FileKind::plugin)}));
}

const std::vector<PartSpec>& Context::parts() {
  if (parts_) return *parts_;
  parts_.emplace();
  for (const auto& entry : bundle().spec().layout) add_stem(entry);
  add_head();
  if (parts_->empty()) throw Ended{skip("the plugin exports neither stem nor head")};
  return *parts_;
}

void Context::add_stem(const nn::LayoutEntry& entry) {
  const auto& spec = bundle().spec();
  if (!exports_any(stem_library(), kStemInterface)) return;
  if (entry.shared && subject_.stock.empty()) return;
  const nn::SharedStem* shared = entry.shared ? stock().find_stem(entry.sensor) : nullptr;
  if (entry.shared && shared == nullptr) need(nn::check_fits(bundle(), stock()));
  parts_->push_back(stem_part({.title = fmt::format("stem '{}' of '{}'", entry.stem, entry.sensor),
                               .library = &stem_library(),
                               .name = entry.stem,
                               .shape = entry.shape,
                               .horizon = shared ? shared->horizon : spec.observation_horizon,
                               .tokens = entry.tokens,
                               .width = spec.width,
                               .parameters = nn::views(entry.parameters),
                               .weights = shared ? stock().stem_weights(entry.sensor)
                                                 : bundle().stem_weights(entry.sensor)}));
}

void Context::add_head() {
  const auto& spec = bundle().spec();
  if (!exports_any(head_library(), kHeadInterface)) return;
  const auto& name = subject_.head.empty() ? spec.head : subject_.head;
  parts_->push_back({.title = fmt::format("head '{}'", name),
                     .library = &head_library(),
                     .name = name,
                     .is_head = true,
                     .parameters = nn::views(spec.head_parameters),
                     .weights = bundle().head_weights(),
                     .head = {.features = spec.features(),
                              .width = spec.width,
                              .horizon = spec.horizon,
                              .dof = spec.dof}});
}

}  // namespace cambium::check
