// tests/unit/trunk_model/gr1_reference.hpp: GR-1's trunk in f64, written from its equations: no
// memory, no cache, every window as a whole.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "cambium/frame.hpp"
#include "core/trunk/models/gr1_model.hpp"

namespace cambium::test {

using Row = std::vector<double>;

/// What becomes of the rows of a window, its steps given as their tokens, and of queries at its
/// end.
class Gr1Reference {
 public:
  Gr1Reference(trunk::Gr1Spec spec, const std::vector<TensorView>& weights)
      : spec_(std::move(spec)) {
    for (const TensorView& one : weights) weights_[one.name] = one;
  }

  std::vector<Row> run(const std::vector<std::vector<Row>>& steps,
                       const std::vector<Row>& queries) const {
    std::vector<Row> x;
    for (std::size_t step = 0; step < steps.size(); ++step) {
      for (Row token : steps[step]) {
        for (std::size_t j = 0; j < token.size(); ++j)
          token[j] += at("embed_timestep.weight", step * spec_.width + j);
        x.push_back(norm("embed_ln", token));
      }
    }
    const std::size_t remembered = x.size();
    for (const Row& query : queries) x.push_back(norm("embed_ln", query));
    for (std::uint32_t i = 0; i < spec_.blocks; ++i)
      block("transformer.h." + std::to_string(i) + ".", remembered, x);
    for (Row& row : x) row = norm("transformer.ln_f", row);
    return x;
  }

 private:
  double at(const std::string& name, std::size_t i) const { return weights_.at(name).data[i]; }

  Row norm(const std::string& name, const Row& x) const {
    const auto n = static_cast<double>(x.size());
    double mean = 0, variance = 0;
    for (const double value : x) mean += value / n;
    for (const double value : x) variance += (value - mean) * (value - mean) / n;
    Row y;
    for (std::size_t j = 0; j < x.size(); ++j)
      y.push_back((x[j] - mean) / std::sqrt(variance + 1e-5) * at(name + ".weight", j) +
                  at(name + ".bias", j));
    return y;
  }
  /// x W + b, W is (in, out).
  Row product(const std::string& name, const Row& x) const {
    const std::size_t out = weights_.at(name + ".bias").shape[0];
    Row y;
    for (std::size_t o = 0; o < out; ++o) {
      double sum = at(name + ".bias", o);
      for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * at(name + ".weight", i * out + o);
      y.push_back(sum);
    }
    return y;
  }
  double act(double x) const {
    if (spec_.activation == "relu") return std::max(x, 0.0);
    if (spec_.activation == "gelu") return x / 2 * (1 + std::erf(x / std::sqrt(2.0)));
    return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  }
  void block(const std::string& name, std::size_t remembered, std::vector<Row>& x) const {
    const std::size_t width = spec_.width, dim = width / spec_.heads;
    std::vector<Row> qkv;
    for (const Row& row : x) qkv.push_back(product(name + "attn.c_attn", norm(name + "ln_1", row)));
    for (std::size_t r = 0; r < x.size(); ++r) {
      const std::size_t visible = std::min(r + 1, remembered);
      Row mixed(width, 0.0);
      for (std::size_t h = 0; h < width; h += dim) {
        Row shares;
        double sum = 0;
        for (std::size_t k = 0; k < visible; ++k) {
          double dot = 0;
          for (std::size_t j = h; j < h + dim; ++j) dot += qkv[r][j] * qkv[k][width + j];
          shares.push_back(std::exp(dot / std::sqrt(static_cast<double>(dim))));
          sum += shares.back();
        }
        for (std::size_t k = 0; k < visible; ++k)
          for (std::size_t j = h; j < h + dim; ++j)
            mixed[j] += shares[k] / sum * qkv[k][2 * width + j];
      }
      add(product(name + "attn.c_proj", mixed), x[r]);
    }
    for (Row& row : x) {
      Row hidden = product(name + "mlp.c_fc", norm(name + "ln_2", row));
      for (double& value : hidden) value = act(value);
      add(product(name + "mlp.c_proj", hidden), row);
    }
  }
  static void add(const Row& what, Row& to) {
    for (std::size_t j = 0; j < to.size(); ++j) to[j] += what[j];
  }

  trunk::Gr1Spec spec_;
  std::map<std::string, TensorView> weights_;
};

}  // namespace cambium::test
