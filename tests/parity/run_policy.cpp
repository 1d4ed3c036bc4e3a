// Whole policies: normaliser, stems, positions, trunk, pooling, head, and back to units.
#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/nn/pooling.hpp"
#include "core/nn/sinusoid.hpp"
#include "core/trunk/models/hpt_model.hpp"
#include "heads/mlp/mlp_head.hpp"
#include "stems/image/image_stem.hpp"
#include "stems/proprio/proprio_stem.hpp"
#include "tests/parity/parity_kinds.hpp"

namespace cambium::parity {
namespace {

void expect_ok(Status done, const char* what) {
  if (!done.ok()) throw std::runtime_error(std::string(what) + ": " + to_string(done.code()));
}

std::unique_ptr<trunk::TrunkModel> make_trunk(const Case& one, Engine engine) {
  const trunk::HptSpec spec{
      .width = one.count("embed"), .blocks = one.count("blocks"), .heads = one.count("heads")};
  auto model = trunk::HptModel::create(
      spec, one.weights().stored_views("trunk.trunk."),
      {.backend = engine.backend, .precision = engine.precision, .threads = 1, .max_rows = 2048});
  if (!model) throw std::runtime_error(model.error().message);
  return std::move(*model);
}

/// One embodiment of a policy case: everything but the trunk.
class Embodiment {
 public:
  Embodiment(const Case& one, const nlohmann::json& domain)
      : name_(domain.at("name").get<std::string>()),
        width_(one.count("embed")),
        dof_(domain.at("Da").get<std::uint32_t>()),
        order_(nlohmann::json::parse(one.text("modalities"))) {
    const std::uint32_t views =
        domain.contains("V") ? domain["V"].get<std::uint32_t>() : one.count("V");
    image_.shape = {views, one.count("N"), one.count("F")};
    image_.tokens = one.count("lat_img");
    state_.shape = {domain.at("Ds").get<std::uint32_t>()};
    state_.tokens = one.count("lat_state");
    for (auto* sensor : {&image_, &state_}) {
      sensor->size = 1;
      for (const auto n : sensor->shape) sensor->size *= n;
    }
    activate(one, stem_image_, image_, "image", "img_widths");
    activate(one, stem_state_, state_, "state", "st_widths");

    auto pooling = nn::pooling_from(one.text("post"));
    if (!pooling) throw std::runtime_error(pooling.error().message);
    pooling_ = *pooling;
    if (pooling_ == nn::Pooling::action_token) {
      action_tokens_ = one.weight("action_tokens." + name_);
      pooled_ = one.count("Ha");
    }
    activate_head(one);
    for (const char* sensor : {"state", "action"}) {
      const std::string at = "normalizer." + name_ + ".params_dict." + sensor;
      scale_[sensor] = one.weight(at + ".scale");
      offset_[sensor] = one.weight(at + ".offset");
    }
    rows_ = image_.tokens + state_.tokens + (action_tokens_.empty() ? 0 : pooled_);
    positions_ = nn::SinusoidTable(rows_, width_);
  }

  const std::string& name() const noexcept { return name_; }
  std::uint32_t rows() const noexcept { return rows_; }
  std::uint32_t dof() const noexcept { return dof_; }
  std::size_t image_size() const noexcept { return image_.size; }
  std::size_t state_size() const noexcept { return state_.size; }

  /// Rows of tokens, positions added, from raw windows of `steps` observations.
  void encode(const float* image, const float* state, std::uint32_t steps, float* rows) {
    Numbers normalised(state, state + steps * std::size_t{state_.size});
    for (std::size_t i = 0; i < normalised.size(); ++i) {
      const std::size_t j = i % state_.size;
      normalised[i] = normalised[i] * scale_["state"].at(j) + offset_["state"].at(j);
    }
    float* to = rows;
    for (const auto& modality : order_) {
      const bool is_image = modality == "image";
      Stem& stem = is_image ? static_cast<Stem&>(stem_image_) : stem_state_;
      const Sensor& sensor = is_image ? image_ : state_;
      expect_ok(stem.encode({is_image ? image : normalised.data(), steps, sensor.size},
                            {to, sensor.tokens, width_}),
                "encode");
      to += std::size_t{sensor.tokens} * width_;
    }
    std::copy(action_tokens_.begin(), action_tokens_.end(), to);
    nn::add_sinusoid(positions_, rows, rows_);
  }

  /// A chunk of actions in units, from the trunk's rows.
  Numbers decode(const float* rows) {
    const std::uint32_t kept = nn::pooled_rows(pooling_, rows_, pooled_);
    Numbers features(std::size_t{kept} * width_), chunk(std::size_t{horizon_} * dof_);
    nn::pool(pooling_, rows, rows_, width_, pooled_, features.data());
    expect_ok(head_.decode({features.data(), kept, width_}, {chunk.data(), horizon_, dof_}),
              "decode");
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      chunk[i] = (chunk[i] - offset_["action"].at(i % dof_)) / scale_["action"].at(i % dof_);
    }
    return chunk;
  }

 private:
  struct Sensor {
    std::vector<std::uint32_t> shape;
    std::uint32_t size = 0, tokens = 0;
  };

  void activate(const Case& one, Stem& stem, const Sensor& sensor, const char* modality,
                const char* widths) {
    ParameterList parameters;
    parameters.set("widths", one.text(widths));
    parameters.set("crossattn_heads", one.text("ca_heads"));
    parameters.set("crossattn_dim_head", one.text("ca_dim"));
    const auto parameter_view = parameters.view();
    const auto weights = one.weights().views("stems." + name_ + "_" + modality + ".");
    StemSpec spec;
    spec.rank = static_cast<std::uint32_t>(sensor.shape.size());
    std::copy(sensor.shape.begin(), sensor.shape.end(), spec.shape);
    spec.horizon = one.count("observation_horizon");
    spec.tokens = sensor.tokens;
    spec.width = width_;
    spec.parameters = parameter_view;
    spec.weights = weights;
    Message why;
    if (!stem.activate(spec, why).ok()) throw std::runtime_error(why.text);
  }

  void activate_head(const Case& one) {
    ParameterList parameters;
    parameters.set("widths", one.text("head_widths"));
    const std::string described = one.text("head");  // "MLP(widths=head_widths, ln=True, …)"
    for (const char* flag : {"ln", "dropout", "tanh_end"}) {
      const bool on = described.find(std::string(flag) + "=True") != std::string::npos;
      parameters.set(flag, on ? "true" : "false");
    }
    const auto parameter_view = parameters.view();
    const auto weights = one.weights().views("heads." + name_ + ".");
    horizon_ = one.count("chunk") * (pooling_ == nn::Pooling::action_token ? pooled_ : 1);
    HeadSpec spec;
    spec.features = pooling_ == nn::Pooling::action_token ? pooled_ : 1;
    spec.width = width_;
    spec.horizon = horizon_;
    spec.dof = dof_;
    spec.parameters = parameter_view;
    spec.weights = weights;
    Message why;
    if (!head_.activate(spec, why).ok()) throw std::runtime_error(why.text);
  }

  std::string name_;
  std::uint32_t width_, dof_, rows_ = 0, pooled_ = 1, horizon_ = 0;
  nlohmann::json order_;
  Sensor image_, state_;
  stems::ImageStem stem_image_;
  stems::ProprioStem stem_state_;
  heads::MlpHead head_;
  nn::Pooling pooling_ = nn::Pooling::mean;
  Numbers action_tokens_;
  nn::SinusoidTable positions_;
  std::map<std::string, Numbers> scale_, offset_;
};

Outputs run(const Case& one, Engine engine) {
  const auto model = make_trunk(one, engine);
  Outputs outputs;
  for (const auto& domain : nlohmann::json::parse(one.text("domains"))) {
    Embodiment body(one, domain);
    const std::string image_name = "in." + body.name() + ".image";
    const Numbers image = one.numbers(image_name);
    const Numbers state = one.numbers("in." + body.name() + ".state");
    const auto batch = static_cast<std::uint32_t>(one.shape(image_name).at(0));
    const auto steps = static_cast<std::uint32_t>(one.shape(image_name).at(1));
    const std::size_t size = std::size_t{body.rows()} * one.count("embed");
    Numbers rows(batch * size);
    std::vector<trunk::Segment> segments;
    for (std::uint32_t b = 0; b < batch; ++b) {
      body.encode(image.data() + b * steps * body.image_size(),
                  state.data() + b * steps * body.state_size(), steps, rows.data() + b * size);
      segments.push_back({b * body.rows(), body.rows()});
    }
    expect_ok(model->forward(segments, rows.data()), "forward");
    Numbers& actions = outputs[body.name() + ".action"];
    for (std::uint32_t b = 0; b < batch; ++b) {
      const Numbers chunk = body.decode(rows.data() + b * size);
      actions.insert(actions.end(), chunk.begin(), chunk.end());
    }
  }
  return outputs;
}

/// The closed loop: a growing, then sliding window, and a forward pass every action_horizon steps.
Outputs run_stream(const Case& one, Engine engine) {
  const auto model = make_trunk(one, engine);
  Embodiment body(one, nlohmann::json::parse(one.text("domains")).at(0));
  const Numbers image = one.numbers("in.image"), state = one.numbers("in.state");
  const std::size_t horizon = one.count("observation_horizon");
  const std::size_t interval = one.count("action_horizon");
  const std::size_t steps = one.shape("in.state").at(0);
  Numbers actions, chunk, rows(std::size_t{body.rows()} * one.count("embed"));
  for (std::size_t step = 0; step < steps; ++step) {
    if (step % interval == 0) {
      const std::size_t first = step + 1 > horizon ? step + 1 - horizon : 0;
      body.encode(image.data() + first * body.image_size(),
                  state.data() + first * body.state_size(),
                  static_cast<std::uint32_t>(step + 1 - first), rows.data());
      const trunk::Segment all[] = {{0, body.rows()}};
      expect_ok(model->forward(all, rows.data()), "forward");
      chunk = body.decode(rows.data());
    }
    const auto row = chunk.begin() + static_cast<std::ptrdiff_t>(step % interval * body.dof());
    actions.insert(actions.end(), row, row + static_cast<std::ptrdiff_t>(body.dof()));
  }
  return {{"action", std::move(actions)}};
}

bool is_policy(const Case& one) {
  return one.has_weight("trunk.trunk.blocks.0.attn.in_proj_weight");
}

}  // namespace

const Kind kPolicyStream = {
    "policy stream",
    [](const Case& one) { return is_policy(one) && one.has("in.state") && one.has("out.action"); },
    run_stream, "blocks"};
const Kind kPolicy = {"policy",
                      [](const Case& one) { return is_policy(one) && !one.has("in.state"); }, run,
                      "blocks"};

}  // namespace cambium::parity
