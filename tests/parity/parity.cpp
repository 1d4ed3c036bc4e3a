#include "tests/parity/parity.hpp"

#include <algorithm>
#include <exception>
#include <stdexcept>

#include "core/nn/product.hpp"
#include "tests/parity/parity_kinds.hpp"
#include "tests/parity/rounding.hpp"

namespace cambium::parity {

bool CaseReport::passed() const noexcept {
  return problem.empty() && std::all_of(comparisons.begin(), comparisons.end(),
                                        [](const Comparison& one) { return one.pass; });
}

std::vector<std::filesystem::path> find_cases(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  const auto consider = [&](const std::filesystem::path& path) {
    if (std::filesystem::exists(path / "case.safetensors")) found.push_back(path);
  };
  consider(folder);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_directory()) consider(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

CaseReport run_case(const std::filesystem::path& folder, nn::Backend backend,
                    nn::Precision precision) {
  const Kind* const kinds[] = {&kStem,   &kMlp,       &kConv1d, &kTransformerDecoder,
                               &kGmm,    &kDiffusion, &kTrunk,  &kPolicyStream,
                               &kPolicy, &kStreaming, &kInfini};
  CaseReport report;
  report.name = folder.filename().string();
  const auto one = Case::open(folder);
  if (!one) {
    report.problem = one.error().message;
    return report;
  }
  for (const Kind* kind : kinds) {
    if (!kind->recognises(*one)) continue;
    const bool rounded = precision != nn::Precision::f32;
    if (rounded && kind->blocks == nullptr) return report;
    report.kind = kind->name;
    try {
      // The model would take f32 instead, and that would be no answer to the question.
      const auto chosen = nn::choose_precision(backend, precision);
      if (chosen.precision != precision) throw std::runtime_error(chosen.why);
      double limit = 0;
      if (rounded) {
        const std::uint32_t blocks = *kind->blocks == '\0' ? 1 : one->count(kind->blocks);
        limit = rounding_tolerance(precision, blocks, kind->products);
      }
      report.comparisons = compare(*one, kind->run(*one, {backend, precision}), limit);
    } catch (const std::exception& problem) {
      report.problem = problem.what();
    }
    return report;
  }
  return report;
}

}  // namespace cambium::parity
