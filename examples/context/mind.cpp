#include "examples/context/mind.hpp"

#include <algorithm>
#include <array>
#include <new>

#include "core/nn/bundle.hpp"
#include "core/nn/pooling.hpp"
#include "core/nn/sinusoid.hpp"
#include "core/nn/stock.hpp"
#include "core/runtime/local_policy.hpp"
#include "core/runtime/observation_window.hpp"
#include "core/trunk/model.hpp"

namespace cambium::context {
namespace {

constexpr std::align_val_t kAlignment{64};  // as Segment::memory wants it

struct DeleteMemory {
  void operator()(std::byte* memory) const noexcept { ::operator delete[](memory, kAlignment); }
};

}  // namespace

struct Mind::Parts {
  nn::Stock stock;  // the trunk's weights are views into its file
  bool forgets = false;
  std::unique_ptr<runtime::Policy> policy;
  std::unique_ptr<trunk::TrunkModel> trunk;
  std::unique_ptr<std::byte[], DeleteMemory> memory;
  nn::SinusoidTable positions;
  runtime::ObservationWindow window;
  std::vector<float> rows, features, chunk;

  Status infer() noexcept {
    const auto& shape = policy->shape();
    if (const Status s = policy->encode(window, rows).status; !s.ok()) return s;
    if (trunk->info().sinusoid) nn::add_sinusoid(positions, rows.data(), shape.tokens);
    if (forgets) trunk->begin(memory.get());
    const trunk::Segment all{.first_row = 0, .rows = shape.tokens, .memory = memory.get()};
    if (const Status s = trunk->forward({&all, 1}, rows.data()); !s.ok()) return s;
    nn::pool(static_cast<nn::Pooling>(shape.pooling), rows.data(), shape.tokens, shape.width,
             shape.features, features.data());
    return policy->decode({features.data(), shape.features, shape.width}, chunk).status;
  }
};

Mind::Mind(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {
  begin();
}
Mind::~Mind() = default;

Result<std::unique_ptr<Mind>> Mind::make(const std::filesystem::path& stock_file,
                                         const std::filesystem::path& bundle_file,
                                         const plugin::PluginLibrary& library, bool forgets) {
  const auto embodiment = library.embodiment();
  if (!embodiment) return embodiment.error();
  const auto stock = nn::Stock::open(stock_file);
  if (!stock) return stock.error();
  const auto bundle = nn::Bundle::open(bundle_file);
  if (!bundle) return bundle.error();
  auto policy = runtime::LocalPolicy::make({.embodiment = *embodiment,
                                            .stock = *stock,
                                            .bundle = *bundle,
                                            .stem_library = library,
                                            .head_library = library,
                                            .head = ""});
  if (!policy) return policy.error();
  const auto shape = (*policy)->shape();
  auto trunk = trunk::load_model(stock->file(), {.max_rows = shape.tokens});
  if (!trunk) return trunk.error();
  const std::size_t bytes = (*trunk)->info().session_bytes;
  std::byte* memory =
      bytes == 0 ? nullptr : static_cast<std::byte*>(::operator new[](bytes, kAlignment));
  const std::size_t width = shape.width;
  return std::unique_ptr<Mind>(new Mind(std::unique_ptr<Parts>(
      new Parts{.stock = *stock,
                .forgets = forgets,
                .policy = std::move(*policy),
                .trunk = std::move(*trunk),
                .memory = std::unique_ptr<std::byte[], DeleteMemory>(memory),
                .positions = {shape.tokens, shape.width},
                .window = {embodiment->sensor_sizes(), shape.observation_horizon},
                .rows = std::vector<float>(shape.tokens * width),
                .features = std::vector<float>(shape.features * width),
                .chunk = std::vector<float>(std::size_t{shape.horizon} * shape.dof)})));
}

void Mind::begin() {
  parts_->trunk->begin(parts_->memory.get());
  parts_->window.clear();
}

Result<Joints> Mind::act(const State& state) {
  // The sensors of the plugin in their order: joint positions, which the state begins with, and the
  // state.
  std::array<float, kDof + kState> observation;
  std::copy_n(state.begin(), kDof, observation.begin());
  std::copy(state.begin(), state.end(), observation.begin() + kDof);
  parts_->window.push(observation.data());
  if (const Status status = parts_->infer(); !status.ok())
    return Error{status.code(), std::string("the policy failed: ") + to_string(status.code())};
  Joints command;
  std::copy_n(parts_->chunk.begin(), kDof, command.begin());
  return command;
}

const std::string& Mind::trunk_id() const noexcept {
  return parts_->stock.trunk_id();
}
const std::string& Mind::trained() const noexcept {
  return parts_->stock.trained();
}
const std::string& Mind::architecture() const noexcept {
  return parts_->trunk->info().architecture;
}
std::uint64_t Mind::session_bytes() const noexcept {
  return parts_->trunk->info().session_bytes;
}

}  // namespace cambium::context
