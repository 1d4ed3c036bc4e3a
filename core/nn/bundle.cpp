#include "core/nn/bundle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/nearest.hpp"
#include "core/nn/safetensors_fields.hpp"

namespace cambium::nn {
namespace {

constexpr std::uint32_t kMaxWidth = 65536, kMaxCount = 4096;

const std::vector<std::string> kPoolings = {"none", "mean", "last", "max", "action_token"};
const std::vector<std::string> kActionKinds = {"joint_velocity", "joint_position"};

bool is_plain(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

LayoutEntry parse_entry(Fields& metadata, const nlohmann::json& value, std::size_t index) {
  LayoutEntry entry;
  Fields in(value, fmt::format("{} 'layout[{}]'", metadata.where(), index));
  in.text("sensor", entry.sensor);
  in.text("stem", entry.stem);
  in.counts("shape", entry.shape, 4);
  in.count("tokens", entry.tokens, 1, kMaxCount);
  in.boolean("shared", entry.shared);
  in.text_map("parameters", entry.parameters);
  if (in.ok() && (!is_plain(entry.sensor) || entry.sensor == "action"))
    in.fail("sensor",
            fmt::format("is '{}', expected letters, digits and _ and not 'action'", entry.sensor));
  metadata.adopt(in.finish());
  return entry;
}

void parse_head(Fields& metadata, BundleSpec& spec) {
  const auto value = metadata.object("head");
  if (!metadata.ok()) return;
  Fields in(value, fmt::format("{} 'head'", metadata.where()));
  in.text("name", spec.head);
  in.text_map("parameters", spec.head_parameters);
  metadata.adopt(in.finish());
}

void parse_layout(Fields& metadata, BundleSpec& spec) {
  const auto layout = metadata.list("layout");
  for (std::size_t i = 0; i < layout.size() && metadata.ok(); ++i) {
    auto entry = parse_entry(metadata, layout[i], i);
    if (spec.find(entry.sensor) != nullptr)
      metadata.fail("layout", fmt::format("names sensor '{}' twice", entry.sensor));
    spec.layout.push_back(std::move(entry));
  }
  if (layout.empty()) metadata.fail("layout", "is empty, a policy needs a sensor");
}

Result<BundleSpec> parse_spec(const SafetensorsFile& file) {
  BundleSpec spec;
  Fields in(file);
  std::size_t kind = 0;
  std::size_t action_kind = 0;
  std::size_t pooling = 0;
  in.one_of("cambium.kind", {"bundle"}, kind);
  in.text("embodiment", spec.embodiment);
  if (in.ok() && !is_plain(spec.embodiment))
    in.fail("embodiment", fmt::format("is '{}', expected letters, digits and _", spec.embodiment));
  in.text("trunk_id", spec.trunk_id);
  const bool is_id = spec.trunk_id.size() == 64 &&
                     spec.trunk_id.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (in.ok() && !is_id)
    in.fail("trunk_id", fmt::format("is '{}', expected 64 lower-case hex digits", spec.trunk_id));
  in.count("width", spec.width, 1, kMaxWidth);
  in.count("horizon", spec.horizon, 1, kMaxCount);
  in.count("dof", spec.dof, 1, kMaxCount);
  in.one_of("action_kind", kActionKinds, action_kind);
  spec.action_kind = static_cast<ActionKind>(action_kind);
  in.number("control_hz", spec.control_hz);
  if (in.ok() && spec.control_hz <= 0)
    in.fail("control_hz", fmt::format("is {}, expected more than 0", spec.control_hz));
  in.count("observation_horizon", spec.observation_horizon, 1, kMaxCount);
  in.one_of("pooling", kPoolings, pooling);
  spec.pooling = static_cast<Pooling>(pooling);
  in.count("pooled", spec.pooled, 1, kMaxCount);
  parse_layout(in, spec);
  parse_head(in, spec);
  if (in.has("clamp")) {
    double clamp = 0;
    in.number("clamp", clamp);
    if (in.ok() && clamp <= 0) in.fail("clamp", fmt::format("is {}, expected more than 0", clamp));
    spec.clamp = static_cast<float>(clamp);
  }
  if (in.has("trained")) in.text("trained", spec.trained);
  if (auto done = in.finish(); !done) return done.error();
  return spec;
}

bool all_finite(const StoredTensor& tensor) {
  const auto* values = reinterpret_cast<const float*>(tensor.bytes.data());
  return std::all_of(values, values + tensor.size(), [](float v) { return std::isfinite(v); });
}

// What a stem that reads bodies of any size knows of this one, the entry says beside the stock's.
bool has_parameters(const LayoutEntry& entry, const SharedStem& stem) {
  if (!stem.each_number()) return entry.parameters == stem.parameters;
  return std::ranges::includes(entry.parameters, stem.parameters);
}

}  // namespace

const char* to_string(ActionKind kind) noexcept {
  return kActionKinds[static_cast<std::size_t>(kind)].c_str();
}

std::uint32_t LayoutEntry::size() const noexcept {
  std::uint32_t n = 1;
  for (const std::uint32_t extent : shape) n *= extent;
  return n;
}

std::uint32_t BundleSpec::tokens() const noexcept {
  std::uint32_t n = 0;
  for (const LayoutEntry& entry : layout) n += entry.tokens;
  return n;
}

std::uint32_t BundleSpec::features() const noexcept {
  if (pooling == Pooling::none) return tokens();
  return pooling == Pooling::action_token ? pooled : 1;
}

const LayoutEntry* BundleSpec::find(std::string_view sensor) const noexcept {
  const auto found = std::ranges::find(layout, sensor, &LayoutEntry::sensor);
  return found == layout.end() ? nullptr : &*found;
}

std::string stem_prefix(std::string_view embodiment, std::string_view sensor) {
  return fmt::format("stems.{}_{}.", embodiment, sensor);
}
std::string head_prefix(std::string_view embodiment) {
  return fmt::format("heads.{}.", embodiment);
}
std::string normaliser_prefix(std::string_view embodiment, std::string_view sensor) {
  return fmt::format("normalizer.{}.params_dict.{}.", embodiment, sensor);
}

Result<Bundle> Bundle::open(const std::filesystem::path& path, const base::FileCheck& check) {
  auto file = SafetensorsFile::open(path, check);
  if (!file) return file.error();
  Bundle bundle;
  bundle.file_ = std::move(*file);
  auto spec = parse_spec(bundle.file_);
  if (!spec) return spec.error();
  bundle.spec_ = std::move(*spec);
  if (auto done = bundle.read_tensors(); !done) return done.error();
  return bundle;
}

// Every tensor has one place; normalisers and action tokens have a shape that is known here.
Result<void> Bundle::read_tensors() {
  const auto bad = [&](const std::string& tensor, const std::string& what) {
    return Error{Code::bad_data,
                 fmt::format("'{}': tensor '{}' {}", file_.path().string(), tensor, what)};
  };
  std::vector<std::string> prefixes = {head_prefix(spec_.embodiment)};
  std::vector<std::string> names;
  for (const LayoutEntry& entry : spec_.layout) {
    if (!entry.shared) prefixes.push_back(stem_prefix(spec_.embodiment, entry.sensor));
    if (auto done = read_normaliser(entry.sensor, entry.size(), spec_.clamp); !done) return done;
  }
  if (auto done = read_normaliser("action", spec_.dof, std::nullopt); !done) return done;
  for (const auto& [sensor, unused] : normalisers_)
    for (const char* part : {"scale", "offset"})
      names.push_back(normaliser_prefix(spec_.embodiment, sensor) + part);

  if (spec_.pooling == Pooling::action_token) {
    names.push_back("action_tokens." + spec_.embodiment);
    const StoredTensor* tokens = file_.find(names.back());
    const std::vector<std::uint64_t> expected = {1, spec_.pooled, spec_.width};
    if (tokens == nullptr) return bad(names.back(), "is missing, pooling is action_token");
    if (tokens->dtype != DType::f32 || tokens->shape != expected)
      return bad(names.back(), fmt::format("is {} {}, expected F32 {}", to_string(tokens->dtype),
                                           to_string(tokens->shape), to_string(expected)));
    action_tokens_ = {reinterpret_cast<const float*>(tokens->bytes.data()), tokens->size()};
  }

  std::vector<std::string> valid = names;
  valid.insert(valid.end(), prefixes.begin(), prefixes.end());
  for (const StoredTensor& tensor : file_.tensors()) {
    const bool known = std::ranges::find(names, tensor.name) != names.end() ||
                       std::ranges::any_of(prefixes, [&](const std::string& prefix) {
                         return tensor.name.starts_with(prefix);
                       });
    if (!known)
      return bad(tensor.name,
                 "belongs to no part of this bundle" + base::did_you_mean(tensor.name, valid));
    if (tensor.dtype != DType::f32)
      return bad(tensor.name, fmt::format("is {}, expected F32", to_string(tensor.dtype)));
    if (!all_finite(tensor)) return bad(tensor.name, "holds NaN or infinity");
  }
  return {};
}

Result<void> Bundle::read_normaliser(const std::string& sensor, std::uint32_t size,
                                     std::optional<float> clamp) {
  std::vector<float> parts[2];
  for (const int i : {0, 1}) {
    const std::string name =
        normaliser_prefix(spec_.embodiment, sensor) + (i == 0 ? "scale" : "offset");
    const auto bad = [&](const std::string& what) {
      return Error{Code::bad_data,
                   fmt::format("'{}': tensor '{}' {}", file_.path().string(), name, what)};
    };
    const StoredTensor* tensor = file_.find(name);
    if (tensor == nullptr) return bad("is missing");
    if (tensor->dtype != DType::f32)
      return bad(fmt::format("is {}, expected F32", to_string(tensor->dtype)));
    if (tensor->shape.size() != 1 || (tensor->shape[0] != size && tensor->shape[0] != 1))
      return bad(fmt::format("has shape {}, expected [{}] or [1]", to_string(tensor->shape), size));
    if (!all_finite(*tensor)) return bad("holds NaN or infinity");
    const auto* values = reinterpret_cast<const float*>(tensor->bytes.data());
    parts[i].assign(values, values + tensor->size());
    if (i == 0 && std::ranges::find(parts[0], 0.0F) != parts[0].end())
      return bad("holds 0: what it scales could not be undone");
    if (i == 1 && parts[1].size() != parts[0].size())
      return bad(fmt::format("has {} numbers, its scale has {}", parts[1].size(), parts[0].size()));
  }
  normalisers_.emplace(sensor, Normaliser(std::move(parts[0]), std::move(parts[1]), clamp));
  return {};
}

std::vector<TensorView> Bundle::stem_weights(std::string_view sensor) const {
  return file_.views(stem_prefix(spec_.embodiment, sensor));
}
std::vector<TensorView> Bundle::head_weights() const {
  return file_.views(head_prefix(spec_.embodiment));
}

Result<void> check_fits(const Bundle& bundle, const Stock& stock) {
  const BundleSpec& spec = bundle.spec();
  const auto differ = [&](const std::string& what) {
    return Error{Code::incompatible,
                 fmt::format("bundle '{}' does not fit stock '{}': {}",
                             bundle.file().path().string(), stock.file().path().string(), what)};
  };
  if (spec.trunk_id != stock.trunk_id())
    return differ(
        fmt::format("it was made for trunk {}, this one is {}", spec.trunk_id, stock.trunk_id()));
  if (spec.width != stock.shape().width)
    return differ(
        fmt::format("its tokens are {} wide, the trunk's {}", spec.width, stock.shape().width));
  // A trunk that counts time steps would take what is longer for several.
  const auto& hyper_parameters = stock.shape().hyper_parameters;
  if (const auto step = hyper_parameters.find("tokens_per_step"); step != hyper_parameters.end()) {
    std::uint32_t most = 0;
    const std::string& text = step->second;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), most);
    if (read.ec == std::errc() && spec.tokens() > most)
      return differ(fmt::format("its layout has {} tokens, a time step of the trunk at most {}",
                                spec.tokens(), most));
  }
  std::vector<std::string> sensors;
  for (const SharedStem& stem : stock.shared_stems()) sensors.push_back(stem.sensor);
  for (const LayoutEntry& entry : spec.layout) {
    if (!entry.shared) continue;
    const SharedStem* stem = stock.find_stem(entry.sensor);
    if (stem == nullptr)
      return differ(fmt::format("the stock has no shared stem for sensor '{}'{}", entry.sensor,
                                base::did_you_mean(entry.sensor, sensors)));
    if (stem->stem != entry.stem || !has_parameters(entry, *stem))
      return differ(
          fmt::format("sensor '{}' is read by a '{}' stem in the bundle, by a '{}' stem "
                      "in the stock, or their parameters differ",
                      entry.sensor, entry.stem, stem->stem));
    if (stem->each_number()) {
      if (entry.shape.size() != 1 || entry.tokens != entry.shape[0])
        return differ(
            fmt::format("sensor '{}' is [{}] -> {} tokens in the bundle, the stock's stem makes "
                        "one token for each number of [n]",
                        entry.sensor, fmt::join(entry.shape, ", "), entry.tokens));
    } else if (stem->shape != entry.shape || stem->tokens != entry.tokens)
      return differ(
          fmt::format("sensor '{}' is [{}] -> {} tokens in the bundle, [{}] -> {} in the "
                      "stock",
                      entry.sensor, fmt::join(entry.shape, ", "), entry.tokens,
                      fmt::join(stem->shape, ", "), stem->tokens));
    if (stem->horizon < spec.observation_horizon)
      return differ(fmt::format("it hands over {} observations, the shared stem for '{}' reads {}",
                                spec.observation_horizon, entry.sensor, stem->horizon));
  }
  return {};
}

Result<Bundle> write_bundle(const std::filesystem::path& file, const BundleSpec& spec,
                            std::span<const TensorToWrite> tensors) {
  auto layout = nlohmann::ordered_json::array();
  for (const LayoutEntry& entry : spec.layout)
    layout.push_back({{"sensor", entry.sensor},
                      {"stem", entry.stem},
                      {"shape", entry.shape},
                      {"tokens", entry.tokens},
                      {"shared", entry.shared},
                      {"parameters", entry.parameters}});
  const nlohmann::ordered_json head = {{"name", spec.head}, {"parameters", spec.head_parameters}};
  Metadata metadata = {{"cambium.kind", "bundle"},
                       {"embodiment", spec.embodiment},
                       {"trunk_id", spec.trunk_id},
                       {"width", std::to_string(spec.width)},
                       {"horizon", std::to_string(spec.horizon)},
                       {"dof", std::to_string(spec.dof)},
                       {"action_kind", to_string(spec.action_kind)},
                       {"control_hz", fmt::format("{}", spec.control_hz)},
                       {"observation_horizon", std::to_string(spec.observation_horizon)},
                       {"pooling", to_string(spec.pooling)},
                       {"pooled", std::to_string(spec.pooled)},
                       {"layout", layout.dump()},
                       {"head", head.dump()}};
  if (spec.clamp) metadata["clamp"] = fmt::format("{}", *spec.clamp);
  if (!spec.trained.empty()) metadata["trained"] = spec.trained;
  if (auto done = write_safetensors(file, tensors, metadata); !done) return done.error();
  return Bundle::open(file);
}

}  // namespace cambium::nn
