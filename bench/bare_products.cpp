#include "bench/bare_products.hpp"

#ifdef CAMBIUM_HAVE_ONEDNN
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "bench/bare_product.hpp"
#include "bench/pages.hpp"
#include "bench/pinned.hpp"

namespace cambium::bench {
namespace {

using Clock = std::chrono::steady_clock;
using nn::Precision;

/// Whole vectors for everybody, of every product.
bool can_share_columns(const BareSpec& spec) {
  constexpr std::uint32_t kVector = 16;
  return spec.cores.size() > 1 && spec.width % (kVector * spec.cores.size()) == 0;
}

std::vector<Form> forms_of(const BareSpec& spec) {
  using Type = Form::Type;
  std::vector<Form> types;
  switch (spec.precision) {
    case Precision::f32:
      types = {{}};
      break;
    case Precision::bf16:
      types = {{.in = Type::bf16, .weight = Type::bf16, .out = Type::f32},
               {.in = Type::bf16, .weight = Type::bf16, .out = Type::bf16}};
      break;
    case Precision::int8:
      types = {{.in = Type::u8, .weight = Type::s8, .out = Type::s32},
               {.in = Type::u8, .weight = Type::s8, .out = Type::f32}};
      break;
  }
  std::vector<Form> forms;
  for (Form form : types) {
    for (const auto primitive : {Primitive::matmul, Primitive::inner_product}) {
      for (const auto share : {Share::team, Share::columns}) {
        if (share == Share::columns && !can_share_columns(spec)) continue;
        form.primitive = primitive;
        form.share = share;
        forms.push_back(form);
      }
    }
  }
  return forms;
}

/// oneDNN prepares for, and runs with, as many threads as the calling one may have.
class TeamOf {
 public:
  explicit TeamOf(std::size_t threads) : before_(omp_get_max_threads()) {
    omp_set_num_threads(static_cast<int>(threads));
  }
  ~TeamOf() { omp_set_num_threads(before_); }
  TeamOf(const TeamOf&) = delete;
  TeamOf& operator=(const TeamOf&) = delete;

 private:
  int before_;
};

class OnednnProducts final : public BareProducts {
 public:
  OnednnProducts(const BareSpec& spec, const Form& form)
      : spec_(spec), share_(form.share), name_(name_of(form)), engine_(dnnl::engine::kind::cpu, 0) {
    const std::size_t parts = share_ == Share::team ? 1 : spec.cores.size();
    const TeamOf team(spec.cores.size() / parts);
    dnnl::stream stream(engine_);
    const auto shapes = products_of_block(spec.width);
    parts_.resize(parts);
    std::size_t size = 0;
    for (std::uint32_t part = 0; part < parts; ++part) {
      for (const auto& whole : shapes) {
        const auto columns = whole.out / static_cast<std::uint32_t>(parts);
        parts_[part].emplace_back(engine_, form, spec.rows, ProductShape{whole.in, columns},
                                  part * columns);
        size += parts_[part].back().packed_size();
      }
    }
    pages_ = std::make_unique<Pages>(size * spec.blocks);
    std::byte* place = pages_->data();
    for (std::size_t i = 0; i < shapes.size(); ++i) numbers_.emplace_back(shapes[i], spec.rows);
    for (auto& part : parts_) {
      for (std::uint32_t block = 0; block < spec.blocks; ++block) {
        for (std::size_t i = 0; i < shapes.size(); ++i) {
          part[i].take(stream, numbers_[i], place);
          place += part[i].packed_size();
        }
      }
    }
  }

  const std::string& form() const noexcept override { return name_; }

  void run(std::span<double> ms) override {
    if (share_ == Share::team) {  // not pinned: the team would inherit one core
      std::thread([&] { run_part(0, spec_.cores.size(), nullptr, ms); }).join();
      return;
    }
    SpinBarrier barrier(parts_.size());
    on_cores({spec_.cores.data(), parts_.size()},
             [&](std::size_t part) { run_part(part, 1, &barrier, ms); });
  }

  double error() const override {
    double worst = 0;
    for (const auto& part : parts_)
      for (std::size_t i = 0; i < part.size(); ++i)
        worst = std::max(worst, part[i].error(numbers_[i]));
    return worst;
  }

 private:
  /// The shares of a product end together: the next one would read all of it.
  void run_part(std::size_t part, std::size_t team_size, SpinBarrier* barrier,
                std::span<double> ms) {
    const TeamOf team(team_size);
    const dnnl::stream stream(engine_);
    for (std::size_t i = 0; i <= ms.size(); ++i) {
      const auto begin = Clock::now();
      for (std::uint32_t block = 0; block < spec_.blocks; ++block) {
        for (const auto& product : parts_[part]) {
          product.run(stream, block);
          if (barrier != nullptr) barrier->wait();
        }
      }
      const std::chrono::duration<double, std::milli> time = Clock::now() - begin;
      if (part == 0 && i > 0) ms[i - 1] = time.count();
    }
  }

  BareSpec spec_;
  Share share_;
  std::string name_;
  dnnl::engine engine_;
  std::vector<Numbers> numbers_;
  std::vector<std::vector<BareProduct>> parts_;  // a thread's share of each product
  std::unique_ptr<Pages> pages_;                 // all packed weights, in the order of their use
};

}  // namespace

Result<std::vector<std::string>> bare_forms(const BareSpec& spec) {
  std::vector<std::string> names;
  for (const auto& form : forms_of(spec)) names.push_back(name_of(form));
  return names;
}

Result<std::unique_ptr<BareProducts>> bare_products(const BareSpec& spec,
                                                    const std::string& name) try {
  for (const auto& form : forms_of(spec))
    if (name_of(form) == name) return {std::make_unique<OnednnProducts>(spec, form)};
  return Error{Code::not_found, "bare products: no form '" + name + "'"};
} catch (const dnnl::error& problem) {
  return Error{Code::unavailable, "bare products, " + name + ": oneDNN: " + problem.what()};
}

Result<std::unique_ptr<BareProducts>> fastest_bare_products(const BareSpec& spec) {
  BareSpec some = spec;
  some.blocks = std::min(spec.blocks, 16u);
  std::string best;
  double best_ms = 0;
  Error last{Code::unavailable, "bare products: none"};
  for (const auto& form : forms_of(spec)) {
    auto made = bare_products(some, name_of(form));
    if (!made) {
      last = made.error();
      continue;
    }
    double fastest = 0, spent = 0;
    for (int tries = 0; tries < 10 && (tries < 2 || spent < 100); ++tries) {
      double ms = 0;
      (*made)->run({&ms, 1});
      spent += ms;
      if (tries == 0 || ms < fastest) fastest = ms;
    }
    if (best.empty() || fastest < best_ms) {
      best = name_of(form);
      best_ms = fastest;
    }
  }
  if (best.empty()) return last;
  return bare_products(spec, best);
}

std::string onednn_facts() {
  const auto* version = dnnl::version();
  std::string isa = "other";
  const std::pair<dnnl::cpu_isa, const char*> known[] = {
      {dnnl::cpu_isa::sse41, "sse41"},
      {dnnl::cpu_isa::avx, "avx"},
      {dnnl::cpu_isa::avx2, "avx2"},
      {dnnl::cpu_isa::avx2_vnni, "avx2_vnni"},
      {dnnl::cpu_isa::avx512_core, "avx512_core"},
      {dnnl::cpu_isa::avx512_core_vnni, "avx512_core_vnni"},
      {dnnl::cpu_isa::avx512_core_bf16, "avx512_core_bf16"},
      {dnnl::cpu_isa::avx512_core_amx, "avx512_core_amx"}};
  for (const auto& [value, name] : known)
    if (dnnl::get_effective_cpu_isa() == value) isa = name;
  return "oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
         std::to_string(version->patch) + ", " + isa;
}

}  // namespace cambium::bench

#else

namespace cambium::bench {
namespace {
Error none() {
  return {Code::unavailable, "bare products: oneDNN was not built in (CAMBIUM_ONEDNN=OFF)"};
}
}  // namespace

Result<std::vector<std::string>> bare_forms(const BareSpec&) {
  return none();
}
Result<std::unique_ptr<BareProducts>> bare_products(const BareSpec&, const std::string&) {
  return none();
}
Result<std::unique_ptr<BareProducts>> fastest_bare_products(const BareSpec&) {
  return none();
}
std::string onednn_facts() {
  return "no oneDNN";
}

}  // namespace cambium::bench
#endif
