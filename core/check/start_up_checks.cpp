// activate(): with the weights of a bundle, again, and with weights that must be refused.
#include <fmt/format.h>

#include <cstring>

#include "core/check/check.hpp"
#include "core/check/process_facts.hpp"

namespace cambium::check {
namespace {

Finding starts_up(Context& c) {
  std::string titles;
  for (const auto& spec : c.parts()) {
    c.doing("activate() of " + spec.title);
    Part part(spec);
    part.activate();
    titles += (titles.empty() ? "" : ", ") + spec.title;
  }
  for (const auto& entry : c.bundle().spec().layout)
    if (entry.shared && c.subject().stock.empty())
      return warn(titles + "; shared stems were left out, --stock FILE brings their weights");
  return pass(titles);
}

Finding starts_up_again(Context& c) {
  for (const auto& spec : c.parts()) {
    c.doing("activate() after deactivate() of " + spec.title);
    Part part(spec), beside(spec);
    beside.activate();
    const auto sample = spec.sample(c.random());
    for (int i = 0; i < 10; ++i) {
      part.activate();
      part.run(sample);
      part.deactivate();
    }
    beside.run(sample);
  }
  return pass();
}

/// One wrong set of weights or parameters.
struct Wrong {
  std::string what;  ///< "without tensor 'net.0.bias'"
  std::string name;  ///< that the refusal has to name
  std::vector<TensorView> weights;
  std::vector<Parameter> parameters;
  bool must = true;  ///< else it is only a warning if it is accepted
};

std::vector<Wrong> wrong_ones(const PartSpec& spec, std::vector<float>& room) {
  std::vector<Wrong> all;
  for (std::size_t i = 0; i < spec.weights.size(); ++i) {
    const std::string name = spec.weights[i].name;
    Wrong missing{"without tensor '" + name + "'", name, spec.weights, spec.parameters};
    missing.weights.erase(missing.weights.begin() + static_cast<std::ptrdiff_t>(i));
    all.push_back(std::move(missing));
    Wrong shape{"with a tensor '" + name + "' of another shape", name, spec.weights,
                spec.parameters};
    auto& tensor = shape.weights[i];
    if (tensor.rank == 0) continue;
    ++tensor.shape[tensor.rank - 1];
    room.resize(std::max<std::size_t>(room.size(), tensor.size()));
    all.push_back(std::move(shape));
  }
  for (auto& one : all)  // the last dimension has grown, the file's tensor has not
    for (auto& tensor : one.weights)
      if (one.name == tensor.name) tensor.data = room.data();
  room.resize(std::max<std::size_t>(room.size(), 1));
  constexpr const char* kExtra = "cambium_check.extra";
  Wrong extra{"with an extra tensor", kExtra, spec.weights, spec.parameters, false};
  extra.weights.push_back({kExtra, room.data(), 1, {1}});
  all.push_back(std::move(extra));
  Wrong unknown{"with an unknown parameter", kExtra, spec.weights, spec.parameters, false};
  unknown.parameters.push_back({kExtra, "1"});
  all.push_back(std::move(unknown));
  return all;
}

void try_wrong(const PartSpec& spec, const Wrong& wrong, Remarks& remarks) {
  Part part(spec);
  Message why;
  const Status status = part.activate(wrong.weights, wrong.parameters, why);
  const auto title = fmt::format("{} {}", spec.title, wrong.what);
  if (status.ok()) {
    if (wrong.must) throw Ended{fail(title + ": activate() says ok")};
    remarks.add(title + ": activate() says ok, expected 'incompatible'");
    return;
  }
  if (why.text[0] == 0)
    throw Ended{fail(fmt::format("{}: refused as '{}' without a sentence", title,
                                 cambium::to_string(status.code())))};
  if (status.code() != Code::incompatible)
    remarks.add(fmt::format("{}: refused as '{}', expected 'incompatible'", title,
                            cambium::to_string(status.code())));
  else if (std::string_view(why.text).find(wrong.name) == std::string_view::npos)
    remarks.add(fmt::format("{}: the refusal does not name '{}': {}", title, wrong.name, why.text));
  part.activate();  // a refusal leaves an object that can still be set up
}

Finding refuses_wrong_weights(Context& c) {
  Remarks remarks;
  for (const auto& spec : c.parts()) {
    std::vector<float> room;
    for (const auto& wrong : wrong_ones(spec, room)) {
      c.doing("activate() of " + spec.title + " " + wrong.what);
      try_wrong(spec, wrong, remarks);
    }
  }
  return std::move(remarks).finding();
}

Finding gives_all_back(Context& c) {
  constexpr int kRounds = 50;
  const auto before_threads = threads_now();
  for (const auto& spec : c.parts()) {
    c.doing("running " + spec.title + " again and again");
    const auto sample = spec.sample(c.random());
    const auto once = [&] {
      Part part(spec);
      part.activate();
      part.run(sample);
    };
    for (int i = 0; i < 10; ++i) once();
    const auto before = allocated_bytes();
    for (int i = 0; i < kRounds; ++i) once();
    const auto after = allocated_bytes();
    if (const auto threads = threads_now(before_threads); threads > before_threads)
      return fail(fmt::format("{}: {} threads run on after deactivate(); it has to join them",
                              spec.title, threads - before_threads));
    if (after >= before + 16 * kRounds)  // malloc gives no less than 32 bytes
      return fail(fmt::format("{}: {} bytes more after {} rounds of activate() and deactivate()",
                              spec.title, after - before, kRounds));
  }
  return pass();
}

constexpr Check kChecks[] = {
    {kStartsUp, starts_up, {.bundle = true}, "opens"},
    {"starts up again after deactivate()", starts_up_again, {.bundle = true}, kStartsUp},
    {"refuses weights that are missing, misshapen or too many",
     refuses_wrong_weights,
     {.bundle = true},
     kStartsUp},
    {"deactivate() gives everything back", gives_all_back, {.bundle = true}, kStartsUp},
};

}  // namespace

std::span<const Check> start_up_checks() noexcept {
  return kChecks;
}

}  // namespace cambium::check
