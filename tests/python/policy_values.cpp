// tests/python/policy_values.cpp: what a host computes from observations: stems and head of a
// plugin, the trunk's own model, before any gate.
//
//   policy_values PLUGIN STOCK BUNDLE OBSERVATIONS OUT
//
// OBSERVATIONS has "sensor.NAME" (rows, …shape) SI units, OUT gets "chunk" (rows, horizon, dof).
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "core/nn/bundle.hpp"
#include "core/nn/pooling.hpp"
#include "core/nn/sinusoid.hpp"
#include "core/nn/stock.hpp"
#include "core/plugin/plugin_library.hpp"
#include "core/runtime/local_policy.hpp"
#include "core/runtime/observation_window.hpp"
#include "core/trunk/model.hpp"

namespace cambium {
namespace {

struct Files {
  std::filesystem::path plugin, stock, bundle, observations, out;
};

struct Observations {
  std::size_t rows = 0;
  std::vector<std::vector<float>> sensors;  // in the embodiment's order
};

Result<Observations> read(const std::filesystem::path& path, const plugin::Embodiment& embodiment) {
  const auto file = nn::SafetensorsFile::open(path);
  if (!file) return file.error();
  Observations observations;
  for (const auto& sensor : embodiment.sensors) {
    auto values = file->read_f32("sensor." + sensor.name);
    if (!values) return values.error();
    const std::size_t rows = values->size() / sensor.size();
    if (observations.sensors.empty()) observations.rows = rows;
    if (rows != observations.rows || rows * sensor.size() != values->size())
      return Error{Code::bad_data, "sensor '" + sensor.name + "' has other rows than the first"};
    observations.sensors.push_back(std::move(*values));
  }
  return observations;
}

Result<void> run(const Files& files) {
  const auto library =
      plugin::open_library(files.plugin, {.run_dir = files.out.parent_path() / "private"});
  if (!library) return library.error();
  const auto embodiment = (*library)->embodiment();
  if (!embodiment) return embodiment.error();
  const auto stock = nn::Stock::open(files.stock);
  if (!stock) return stock.error();
  const auto bundle = nn::Bundle::open(files.bundle);
  if (!bundle) return bundle.error();
  const auto policy =
      runtime::LocalPolicy::make({*embodiment, *stock, *bundle, **library, **library, ""});
  if (!policy) return policy.error();
  const auto trunk = trunk::load_model(stock->file(), {});
  if (!trunk) return trunk.error();
  const auto observations = read(files.observations, *embodiment);
  if (!observations) return observations.error();

  const auto& shape = (*policy)->shape();
  const nn::SinusoidTable positions(shape.tokens, shape.width);
  std::vector<float> tokens(std::size_t{shape.tokens} * shape.width);
  std::vector<float> features(std::size_t{shape.features} * shape.width);
  const std::size_t size = std::size_t{shape.horizon} * shape.dof;
  std::vector<float> chunks(observations->rows * size);
  for (std::size_t row = 0; row < observations->rows; ++row) {
    runtime::ObservationWindow window(embodiment->sensor_sizes(), shape.observation_horizon);
    std::vector<float> one;
    for (std::size_t i = 0; i < observations->sensors.size(); ++i) {
      const auto from =
          observations->sensors[i].begin() + static_cast<std::ptrdiff_t>(row * window.sizes()[i]);
      one.insert(one.end(), from, from + window.sizes()[i]);
    }
    window.push(one.data());
    const trunk::Segment all{0, shape.tokens};
    Status done = (*policy)->encode(window, tokens).status;
    nn::add_sinusoid(positions, tokens.data(), shape.tokens);
    if (done.ok()) done = (*trunk)->forward({&all, 1}, tokens.data());
    nn::pool(static_cast<nn::Pooling>(shape.pooling), tokens.data(), shape.tokens, shape.width,
             shape.features, features.data());
    if (done.ok())
      done = (*policy)
                 ->decode({features.data(), shape.features, shape.width},
                          std::span(chunks).subspan(row * size, size))
                 .status;
    if (!done.ok())
      return Error{done.code(), fmt::format("row {}: {}", row, to_string(done.code()))};
  }
  const nn::TensorToWrite chunk =
      nn::to_write("chunk", {observations->rows, shape.horizon, shape.dof}, chunks);
  return nn::write_safetensors(files.out, {&chunk, 1}, {});
}

}  // namespace
}  // namespace cambium

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  const auto done = cambium::run({argv[1], argv[2], argv[3], argv[4], argv[5]});
  if (done) return 0;
  std::fprintf(stderr, "error: %s\n", done.error().message.c_str());
  return 1;
}
