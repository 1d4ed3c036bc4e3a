// cambium-parity: are the numbers those of the original?
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/nn/product.hpp"
#include "tests/parity/parity.hpp"

namespace {

using cambium::parity::CaseReport;

constexpr int kDone = 0, kFailed = 1, kBadUsage = 2;

// `rounded`: two columns more, and it is they that the verdict is about.
void print_table(const std::vector<CaseReport>& reports, bool rounded) {
  int name_width = 4, tensor_width = 6;
  for (const auto& report : reports) {
    name_width = std::max(name_width, static_cast<int>(report.name.size()));
    for (const auto& one : report.comparisons) {
      tensor_width = std::max(tensor_width, static_cast<int>(one.tensor.size()));
    }
  }
  std::printf("%-*s  %-*s  %12s  %12s  %10s", name_width, "case", tensor_width, "tensor",
              "max abs err", "max rel err", rounded ? "f32's tol." : "tolerance");
  std::printf(rounded ? "  %12s  %10s\n" : "\n", "rms rel err", "tolerance");
  for (const auto& report : reports) {
    if (report.skipped()) {
      if (rounded) continue;  // most of them: they have no trunk
      std::printf("%-*s  %-*s  %12s  %12s  %10s  SKIP\n", name_width, report.name.c_str(),
                  tensor_width, "-", "-", "-", "-");
    } else if (!report.problem.empty()) {
      std::printf("%-*s  %-*s  %12s  %12s  %10s  FAIL  %s\n", name_width, report.name.c_str(),
                  tensor_width, "-", "-", "-", "-", report.problem.c_str());
    }
    for (const auto& one : report.comparisons) {
      std::printf("%-*s  %-*s  %12.3e  %12.3e  %10.1e  ", name_width, report.name.c_str(),
                  tensor_width, one.tensor.c_str(), one.max_abs, one.max_rel, one.tolerance);
      if (rounded) std::printf("%12.3e  %10.1e  ", one.rms_rel, one.rms_tolerance);
      std::printf("%s\n", one.pass ? "PASS" : "FAIL");
    }
  }
}

void print_json(const std::vector<CaseReport>& reports) {
  auto all = nlohmann::json::array();
  for (const auto& report : reports) {
    nlohmann::json row = {{"case", report.name},
                          {"kind", report.kind},
                          {"result", report.skipped()  ? "skip"
                                     : report.passed() ? "pass"
                                                       : "fail"},
                          {"tensors", nlohmann::json::array()}};
    if (!report.problem.empty()) row["problem"] = report.problem;
    for (const auto& one : report.comparisons) {
      nlohmann::json tensor = {{"tensor", one.tensor},
                               {"max_abs_err", one.max_abs},
                               {"max_rel_err", one.max_rel},
                               {"tolerance", one.tolerance},
                               {"pass", one.pass}};
      if (one.rms_tolerance > 0)
        tensor.update({{"rms_rel_err", one.rms_rel}, {"rms_tolerance", one.rms_tolerance}});
      row["tensors"].push_back(std::move(tensor));
    }
    all.push_back(std::move(row));
  }
  std::printf("%s\n", all.dump(2).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program{
      "Compares stems, heads and trunk with reference numbers.\n"
      "Every folder below DIR with a case.safetensors is one case; kinds without code are "
      "skipped."};
  program.footer(
      "Errors are against f64. f32 has to be within each case's own tolerance of the largest "
      "error\n"
      "over the largest number. With --precision bf16 or int8 only cases with a trunk run, and "
      "the\n"
      "rms of the error over the rms of the output has to be at most what rounding both factors "
      "of\n"
      "a product adds (bf16 0.0032, int8 0.0129) times the root of the products in a row, four a\n"
      "block, and more where there are few numbers; f32's tolerance is shown beside it.\n"
      "Examples:\n"
      "  cambium-parity ../shared/golden --backend eigen\n"
      "  cambium-parity ../shared/golden --precision bf16\n"
      "Exit codes: 0 all known cases pass, 1 one failed or could not be read, 2 bad usage.");
  std::string folder,
      backend = cambium::nn::default_backend() == cambium::nn::Backend::onednn ? "onednn" : "eigen";
  std::string precision_name = "f32";
  bool json = false;
  program.add_option("DIR", folder, "Folder of cases")->required();
  program.add_option("--backend", backend, "Who computes the trunk's products")
      ->check(CLI::IsMember({"onednn", "eigen"}))
      ->capture_default_str();
  program.add_option("--precision", precision_name, "What the trunk's products are computed in")
      ->check(CLI::IsMember({"f32", "bf16", "int8"}))
      ->capture_default_str();
  program.add_flag("--json", json, "Print one JSON list instead of the table");
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? kDone : kBadUsage;
  }

  std::error_code unreadable;
  if (!std::filesystem::is_directory(folder, unreadable)) {
    std::fprintf(stderr, "cambium-parity: '%s' is not a folder\n", folder.c_str());
    return kBadUsage;
  }
  const auto chosen =
      backend == "eigen" ? cambium::nn::Backend::eigen : cambium::nn::Backend::onednn;
  const auto precision = *cambium::nn::parse_precision(precision_name);
  if (const auto here = cambium::nn::choose_precision(chosen, precision);
      here.precision != precision) {
    std::fprintf(stderr, "cambium-parity: option --precision: %s\n", here.why.c_str());
    return kBadUsage;
  }
  std::vector<CaseReport> reports;
  try {
    for (const auto& one : cambium::parity::find_cases(folder)) {
      reports.push_back(cambium::parity::run_case(one, chosen, precision));
    }
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "cambium-parity: %s\n", problem.what());
    return kFailed;
  }
  if (reports.empty()) {
    std::fprintf(stderr, "cambium-parity: no case.safetensors below '%s'\n", folder.c_str());
    return kBadUsage;
  }
  json ? print_json(reports) : print_table(reports, precision != cambium::nn::Precision::f32);
  const bool passed =
      std::all_of(reports.begin(), reports.end(), [](const auto& one) { return one.passed(); });
  return passed ? kDone : kFailed;
}
