// A stock: the trunk computes, alone and in company, and its shared stems start up.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/check/check.hpp"
#include "core/check/fresh_memory.hpp"
#include "core/check/known_stems.hpp"
#include "core/nn/bundle.hpp"
#include "core/nn/joint_chain.hpp"
#include "core/nn/sinusoid.hpp"
#include "core/trunk/model.hpp"

namespace cambium::check {
namespace {

Finding opens(Context& c) {
  const auto& shape = c.stock().shape();
  return pass(fmt::format("trunk {}, {} of {} blocks, {} wide, {} shared stems",
                          c.stock().trunk_id().substr(0, 16), shape.architecture, shape.blocks,
                          shape.width, c.stock().shared_stems().size()));
}

Finding weights_are_finite(Context& c) {
  for (const auto& tensor : c.stock().file().tensors()) {
    const auto values = need(c.stock().file().read_f32(tensor.name));
    const auto bad = std::ranges::find_if(values, [](float x) { return !std::isfinite(x); });
    if (bad != values.end())
      return fail(fmt::format("tensor '{}' holds {} at number {}", tensor.name, *bad,
                              bad - values.begin()));
  }
  return pass();
}

/// Robots of different kinds: so many tokens each.
constexpr std::uint32_t kRobots[] = {3, 32, 1, 17, 8};

class Trunk {
 public:
  explicit Trunk(Context& c) : width_(c.stock().shape().width), positions_(32, width_) {
    c.doing("loading the model");
    model_ = need(trunk::load_model(c.stock().file(), {}));
    std::uniform_real_distribution<float> even(-1, 1);
    for (const auto rows : kRobots) {
      auto& tokens = tokens_.emplace_back(std::size_t{rows} * width_);
      for (auto& value : tokens) value = even(c.random());
      if (model_->info().sinusoid) nn::add_sinusoid(positions_, tokens.data(), rows);
      memories_.emplace_back(*model_);
    }
    c.doing("running the model");
  }
  /// Features of the robots named, computed in one pass.
  std::vector<std::vector<float>> run(std::vector<std::size_t> robots) {
    std::vector<trunk::Segment> segments;
    std::vector<float> rows;
    for (const auto robot : robots) {
      segments.push_back({.first_row = static_cast<std::uint32_t>(rows.size() / width_),
                          .rows = kRobots[robot],
                          .memory = memories_[robot].begin()});
      rows.insert(rows.end(), tokens_[robot].begin(), tokens_[robot].end());
    }
    if (const Status status = model_->forward(segments, rows.data()); !status.ok())
      throw Ended{fail(fmt::format("a forward pass of {} rows says '{}'", rows.size() / width_,
                                   cambium::to_string(status.code())))};
    std::vector<std::vector<float>> features;
    for (const auto& segment : segments) {
      const auto begin = rows.begin() + std::ptrdiff_t{segment.first_row} * width_;
      features.emplace_back(begin, begin + std::ptrdiff_t{segment.rows} * width_);
    }
    return features;
  }

 private:
  std::uint32_t width_;
  nn::SinusoidTable positions_;
  std::vector<std::vector<float>> tokens_;
  std::unique_ptr<trunk::TrunkModel> model_;
  std::vector<FreshMemory> memories_;  ///< of each robot
};

Finding computes(Context& c) {
  Trunk trunk(c);
  float largest = 0;
  for (const auto& features : trunk.run({0, 1, 2, 3, 4}))
    for (const float value : features) {
      if (!std::isfinite(value)) return fail("random tokens give features that are not finite");
      largest = std::max(largest, std::abs(value));
    }
  if (largest > 1e4F) return warn(fmt::format("features reach {:.3g}", largest));
  return pass(fmt::format("features of random tokens reach {:.3g}", largest));
}

Finding same_tokens_same_features(Context& c) {
  Trunk trunk(c);
  const auto first = trunk.run({0, 1, 2, 3, 4}), second = trunk.run({0, 1, 2, 3, 4});
  for (std::size_t i = 0; i < first.size(); ++i)
    if (const auto at = first_difference(first[i], second[i]); at >= 0)
      return fail(fmt::format("robot {}: number {} is {} at first, then {}", i, at,
                              first[i][static_cast<std::size_t>(at)],
                              second[i][static_cast<std::size_t>(at)]));
  return pass();
}

Finding company_does_not_matter(Context& c) {
  Trunk trunk(c);
  const auto together = trunk.run({0, 1, 2, 3, 4}), turned = trunk.run({4, 2, 3, 0, 1});
  const std::size_t place[] = {3, 4, 1, 2, 0};
  double largest = 0;
  for (std::size_t i = 0; i < together.size(); ++i) {
    const auto alone = trunk.run({i}).front();
    for (std::size_t n = 0; n < alone.size(); ++n) {
      const double scale = std::max(1.0, std::abs(double{alone[n]}));
      for (const float other : {together[i][n], turned[place[i]][n]})
        largest = std::max(largest, std::abs(double{other} - alone[n]) / scale);
    }
  }
  if (!(largest <= 1e-5))
    return fail(
        fmt::format("a robot's features differ by {:.2g} with the others in its batch, at "
                    "most 1e-5 is rounding",
                    largest));
  return pass(largest == 0 ? "bit for bit" : fmt::format("within {:.2g}", largest));
}

// A stem that reads bodies of any size is tried on an elbow and a lift.
nn::LayoutEntry some_entry(const nn::SharedStem& shared) {
  nn::LayoutEntry entry{.sensor = shared.sensor,
                        .stem = shared.stem,
                        .shape = shared.shape,
                        .tokens = shared.tokens,
                        .shared = true,
                        .parameters = shared.parameters};
  if (!shared.each_number()) return entry;
  const nn::ChainSpec body{
      .joints = {{.direction = {0, 0, 1}, .position_min = -2, .position_max = 2, .velocity_max = 2},
                 {.slides = true,
                  .point = {0.4, 0, 0},
                  .direction = {0, 0, 1},
                  .position_max = 0.3,
                  .velocity_max = 0.5}},
      .home_tool = {0.4, 0, 0.1},
      .reach = 0.5};
  entry.tokens = static_cast<std::uint32_t>(body.joints.size());
  entry.shape = {entry.tokens};
  if (shared.stem == "joints") entry.parameters["chain"] = body.to_text();
  return entry;
}

Finding shared_stems_start_up(Context& c) {
  const auto library = need(known_stems());
  const auto& names = library->exports();
  Remarks remarks;
  std::string titles;
  for (const auto& shared : c.stock().shared_stems()) {
    const auto title = fmt::format("stem '{}' of '{}'", shared.stem, shared.sensor);
    if (std::ranges::find(names, shared.stem, &plugin::Export::name) == names.end()) {
      remarks.add(title + ": comes from a plugin; check that plugin with a bundle and this stock");
      continue;
    }
    c.doing("activate() of " + title);
    const nn::LayoutEntry entry = some_entry(shared);
    const auto spec = stem_part({.title = title,
                                 .library = library.get(),
                                 .name = shared.stem,
                                 .shape = entry.shape,
                                 .horizon = shared.horizon,
                                 .tokens = entry.tokens,
                                 .width = c.stock().shape().width,
                                 .parameters = nn::views(entry.parameters),
                                 .weights = c.stock().stem_weights(shared.sensor)});
    Part part(spec);
    part.activate();
    for (const float value : part.run(spec.sample(c.random())))
      if (!std::isfinite(value)) return fail(title + ": its tokens are not finite");
    titles += (titles.empty() ? "" : ", ") + title;
  }
  return std::move(remarks).finding(titles.empty() ? "it has none" : titles);
}

constexpr const char* kOpens = "opens";
constexpr const char* kComputes = "computes finite features";
constexpr Check kChecks[] = {
    {kOpens, opens},
    {"weights are finite", weights_are_finite, {}, kOpens},
    {kComputes, computes, {}, kOpens},
    {"same tokens, same features, bit for bit", same_tokens_same_features, {}, kComputes},
    {"a robot's features do not depend on the others in its batch",
     company_does_not_matter,
     {},
     kComputes},
    {"shared stems start up", shared_stems_start_up, {}, kOpens},
};

}  // namespace

std::span<const Check> stock_checks() noexcept {
  return kChecks;
}

}  // namespace cambium::check
