#include "bench/clients/rig.hpp"

#include <fmt/format.h>

#include <fstream>
#include <thread>

#include "bench/clients/scene.hpp"
#include "core/base/clock.hpp"
#include "core/nn/bundle.hpp"
#include "core/runtime/admin_desk.hpp"

namespace cambium::bench {
namespace {

constexpr base::Nanoseconds kStart = 20 * base::kSecond;
constexpr std::uint64_t kHorizon = 16, kHidden = 32;

}  // namespace

Result<std::unique_ptr<ClientRig>> ClientRig::start(const ClientRigOptions& options) {
  std::unique_ptr<ClientRig> rig(new ClientRig(options));
  if (auto written = write_arms_bundle(rig->folder_.path / "arms.safetensors", options.stock, 0.1F);
      !written)
    return written.error();
  rig->write_config();
  const auto& folder = rig->folder_.path;
  const std::string config = folder / "cambium.toml";
  const auto run = [&](const char* verb) {
    return std::make_unique<Process>(options.program,
                                     std::vector<std::string>{verb, "--config", config},
                                     folder / (std::string(verb) + ".log"));
  };
  rig->trunk_ = run("trunk");
  rig->host_ = run("host");
  if (auto up = rig->wait_until_up(); !up) return up.error();
  return rig;
}

// Stems without weights and a small head: the price of a policy is not what is measured.
Result<void> write_arms_bundle(const std::filesystem::path& file,
                               const std::filesystem::path& stock_file, float speed) {
  const auto stock = nn::Stock::open(stock_file);
  if (!stock) return stock.error();
  nn::BundleSpec spec;
  spec.embodiment = "bench_bimanual";
  spec.trunk_id = stock->trunk_id();
  spec.width = stock->shape().width;
  spec.horizon = kHorizon;
  spec.dof = kJoints;
  spec.control_hz = 50;
  spec.head = "mlp";
  spec.head_parameters = {{"widths", fmt::format("[{}]", kHidden)}, {"tanh_end", "true"}};
  spec.trained = "nothing, for cambium bench clients";
  spec.layout.push_back({.sensor = "joint_position", .stem = "glance", .shape = {kJoints}});
  for (const char* camera : kCameras)
    spec.layout.push_back({.sensor = camera, .stem = "glance", .shape = {kSide, kSide, kColours}});

  const std::uint64_t width = spec.width, out = kHorizon * kJoints;
  const std::vector<float> small(std::max(width, out) * kHidden, 0.01F), one(1, 1.0F), none(1),
      scale(1, 1 / speed);
  std::vector<nn::TensorToWrite> tensors;
  const auto add = [&](const std::string& name, std::vector<std::uint64_t> shape,
                       const std::vector<float>& values) {
    std::size_t size = 1;
    for (const auto extent : shape) size *= extent;
    tensors.push_back(nn::to_write(name, std::move(shape), std::span(values).first(size)));
  };
  const std::string head = nn::head_prefix(spec.embodiment) + "net.";
  add(head + "0.weight", {kHidden, width}, small);
  add(head + "0.bias", {kHidden}, small);
  add(head + "2.weight", {out, kHidden}, small);
  add(head + "2.bias", {out}, small);
  for (const char* name : {"joint_position", kCameras[0], kCameras[1], kCameras[2], "action"}) {
    const auto prefix = nn::normaliser_prefix(spec.embodiment, name);
    add(prefix + "scale", {1}, name == std::string("action") ? scale : one);
    add(prefix + "offset", {1}, none);
  }
  const auto written = nn::write_bundle(file, spec, tensors);
  return written ? Result<void>() : written.error();
}

void ClientRig::write_config() const {
  std::ofstream file(folder_.path / "cambium.toml");
  file << fmt::format(
      "[trunk]\nendpoint = \"{}\"\nstock = \"{}\"\n"
      "[host]\ncontrol = \"{}\"\nadmin = \"{}\"\nrun_dir = \"{}\"\n",
      folder_.ipc("trunk"), options_.stock.string(), folder_.ipc("control"), folder_.ipc("admin"),
      folder_.path.string());
  for (int i = 0; i < options_.robots; ++i)
    file << fmt::format(
        "[[robot]]\nname = \"{}\"\nplugin = \"{}\"\nbundle = \"arms.safetensors\"\n", robot(i),
        options_.plugin.string());
  for (std::size_t i = 0; i < protocols().size(); ++i) {
    const Protocol& protocol = protocols()[i];
    if (protocol.listener == nullptr) continue;
    const auto listener = [&](const std::string& robots) {
      file << "[[listener]]\n"
           << protocol.listener
           << "\nendpoint = \"tcp://127.0.0.1:0\"\nmax_clients = 64\nsilent_after_ms = 3000\n"
           << robots << protocol.mapping;
    };
    listener(fmt::format("robot = \"{}\"", robot(static_cast<int>(i))));
    listener("");  // all of them
  }
}

Result<void> ClientRig::wait_until_up() {
  const base::Nanoseconds until = base::monotonic_ns() + kStart;
  const auto failed = [&](Code code, const char* name) {
    return Error{code, fmt::format("the {} did not start: {}", name,
                                   last_line(folder_.path / (std::string(name) + ".log")))};
  };
  while (base::monotonic_ns() < until) {
    if (!trunk_->running()) return failed(Code::failed, "trunk");
    if (!host_->running()) return failed(Code::failed, "host");
    const auto answer =
        runtime::ask_admin(folder_.ipc("admin"), {.verb = "status"}, 200 * base::kMillisecond);
    if (answer) {
      const auto status = nlohmann::json::parse(answer->json, nullptr, false);
      if (status.is_object() && status["trunk"].value("alive", false)) {
        read_endpoints(status);
        return {};
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return failed(Code::unavailable, "host");
}

// In the order of the file, with the ports that were chosen.
void ClientRig::read_endpoints(const nlohmann::json& status) {
  std::size_t next = 0;
  const auto& listeners = status.at("listeners");
  for (const Protocol& protocol : protocols()) {
    const bool own = protocol.listener != nullptr;
    for (auto* into : {&one_, &many_})
      into->push_back(own ? listeners.at(next++).at("endpoint").get<std::string>()
                          : folder_.ipc("control"));
  }
}

}  // namespace cambium::bench
