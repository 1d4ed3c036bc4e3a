#include <algorithm>
#include <list>
#include <stdexcept>

#include "core/learn/demonstrations.hpp"
#include "core/nn/convert_stock.hpp"
#include "core/nn/safetensors.hpp"
#include "core/trunk/session_file.hpp"
#include "tests/fuzz/seeds.hpp"
#include "tests/support/joint_files.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/toy_files.hpp"
#include "tests/unit/learn/synthetic.hpp"

namespace cambium::fuzz {
namespace {

namespace fs = std::filesystem;

void must(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().message);
}

/// The same names and metadata, one number in each tensor: as deep to read, quick to spoil.
void shrink(const fs::path& from, const fs::path& to) {
  const auto file = nn::SafetensorsFile::open(from);
  if (!file) throw std::runtime_error(file.error().message);
  std::vector<nn::TensorToWrite> tensors;
  for (const auto& tensor : file->tensors()) {
    tensors.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.bytes.data()});
    std::ranges::fill(tensors.back().shape, 1U);
  }
  must(nn::write_safetensors(to, tensors, file->metadata()));
}

/// One tensor of every type, every rank, and an empty one.
void write_all_types(const fs::path& file) {
  using enum nn::DType;
  static const std::vector<double> zeros(8, 0.0);
  std::vector<nn::TensorToWrite> tensors;
  std::vector<std::uint64_t> shape;
  for (const auto dtype : {f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean}) {
    tensors.push_back({to_string(dtype), dtype, shape, zeros.data()});
    if (shape.size() < 5) shape.push_back(1);
  }
  tensors.push_back({"empty", f32, {0, 4}, zeros.data()});
  must(nn::write_safetensors(file, tensors, {{"format", "pt"}}));
}

/// What a trunk kept of a robot: of the trunk that the target reads for, and of another.
void write_sessions(const fs::path& fits, const fs::path& foreign) {
  const std::vector<std::byte> memory(64, std::byte{5});
  trunk::SessionRecord record{.name = "arm_1",
                              .architecture = "remembering",
                              .owner = 9,
                              .steps = 4,
                              .time_ns = 1'000,
                              .bytes = memory.size()};
  must(trunk::write_session(fits, record, memory));
  record.trunk.fill(1);
  must(trunk::write_session(foreign, record, memory));
}

plugin::Embodiment lift_and_elbow() {
  plugin::Embodiment body;
  body.name = "arm";
  body.joints = {{"lift", JointKind::prismatic, 0, 0.5, 0.2, 1, 0.1},
                 {"elbow", JointKind::revolute, -1, 2, 3, 9, 0.5}};
  body.home_tool = {0.6, 0, 0.2};
  body.axes = {{{0, 0, 0}, {0, 0, 1}}, {{0.3, 0, 0.1}, {0, 1, 0}}};
  return body;
}

}  // namespace

void file_seeds(const Keep& keep, const fs::path& work) {
  const auto keep_file = [&](const std::string& target, const std::string& name,
                             const fs::path& file) {
    const std::string bytes = test::read_bytes(file);
    if (bytes.empty()) throw std::runtime_error("cannot read " + file.string());
    keep(target, name, std::as_bytes(std::span(bytes)));
  };
  const fs::path source = CAMBIUM_SOURCE_DIR;
  const fs::path toy_stock = work / "toy_stock", toy_bundle = work / "toy_bundle";
  const auto trunk_id = test::write_toy_stock(toy_stock);
  test::write_toy_bundle(toy_bundle, {.trunk_id = trunk_id});
  keep_file("stock", "toy", toy_stock);
  for (const auto precision : {nn::Precision::bf16, nn::Precision::int8}) {
    const auto converted = work / to_string(precision);
    if (const auto done = nn::convert_stock(toy_stock, converted, precision, {}); !done)
      throw std::runtime_error(done.error().message);
    keep_file("stock", std::string("toy_") + to_string(precision), converted);
    keep_file("safetensors", std::string("toy_") + to_string(precision), converted);
  }
  keep_file("bundle", "toy", toy_bundle);
  const auto joint_stock = test::write_joint_stock(work / "joint_stock");
  test::write_joint_bundle(work / "joint_bundle", joint_stock, lift_and_elbow());
  keep_file("stock", "joints", work / "joint_stock");
  keep_file("bundle", "joints", work / "joint_bundle");
  keep_file("safetensors", "toy_bundle", toy_bundle);
  write_all_types(work / "types");
  keep_file("safetensors", "types", work / "types");
  shrink(source / "models/stock.safetensors", work / "stock");
  keep_file("stock", "pretrained", work / "stock");
  for (const char* arm : {"so101", "planar3"}) {
    shrink(source / "models" / (std::string(arm) + ".safetensors"), work / arm);
    keep_file("bundle", arm, work / arm);
  }
  write_sessions(work / "session", work / "foreign_session");
  keep_file("session", "fits", work / "session");
  keep_file("session", "foreign", work / "foreign_session");
  keep_file("session", "stock", toy_stock);
  must(learn::write_demonstrations(work / "demonstrations", test::planar_reach("arm", 2, 2, 2)));
  keep_file("demonstrations", "planar_reach", work / "demonstrations");
  auto described = test::planar_reach("arm", 2, 2, 2);
  auto& scale = described.scale;
  scale.chain = {.joints = {}, .home_tool = scale.home_tool, .reach = scale.reach};
  for (std::size_t j = 0; j < scale.joint_names.size(); ++j)
    scale.chain->joints.push_back({.direction = {0, 0, 1},
                                   .home = scale.position_min[j],
                                   .position_min = scale.position_min[j],
                                   .position_max = scale.position_max[j],
                                   .velocity_max = scale.velocity_max[j]});
  must(learn::write_demonstrations(work / "described", described));
  keep_file("demonstrations", "described", work / "described");

  keep_file("config", "all_keys", source / "examples/config/all_keys.toml");
  for (const char* text :
       {"", "[[robot]]\nname = 'left'\nplugin = 'libarm.so'\n",
        "[trunk]\nendpoint = 'tcp://[::1]:5555'\n[host]\ncontrol = 'ipc://a/b'\n",
        "[[robot]]\nname='a'\nplugin='p'\n[[listener]]\nprotocol='json'\nendpoint='tcp://*:0'\n"
        "token_file='t'\n[[listener.sensor]]\nsensor='goal'\nkeys=['x','y']\ntake=[1,0]\n"
        "[[listener.action]]\nkey='v'\nunits=['degrees']\njoints=['j']\n"})
    keep("config", "short_" + std::to_string(std::string_view(text).size()),
         std::as_bytes(std::span(std::string_view(text))));
  keep_file("urdf", "sample_arm", source / "tests/data/sample_arm.urdf");
  keep_file("elf", "tiny_plugin", TINY_PLUGIN);
}

}  // namespace cambium::fuzz
