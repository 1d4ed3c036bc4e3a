// cambium-parity: are the numbers those of the original?
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <system_error>

#include "tests/parity/parity.hpp"

namespace {

using cambium::parity::CaseReport;

constexpr int kDone = 0, kFailed = 1, kBadUsage = 2;

void print_table(const std::vector<CaseReport>& reports) {
  int name_width = 4, tensor_width = 6;
  for (const auto& report : reports) {
    name_width = std::max(name_width, static_cast<int>(report.name.size()));
    for (const auto& one : report.comparisons) {
      tensor_width = std::max(tensor_width, static_cast<int>(one.tensor.size()));
    }
  }
  std::printf("%-*s  %-*s  %12s  %12s  %10s\n", name_width, "case", tensor_width, "tensor",
              "max abs err", "max rel err", "tolerance");
  for (const auto& report : reports) {
    if (report.skipped()) {
      std::printf("%-*s  %-*s  %12s  %12s  %10s  SKIP\n", name_width, report.name.c_str(),
                  tensor_width, "-", "-", "-", "-");
    } else if (!report.problem.empty()) {
      std::printf("%-*s  %-*s  %12s  %12s  %10s  FAIL  %s\n", name_width, report.name.c_str(),
                  tensor_width, "-", "-", "-", "-", report.problem.c_str());
    }
    for (const auto& one : report.comparisons) {
      std::printf("%-*s  %-*s  %12.3e  %12.3e  %10.1e  %s\n", name_width, report.name.c_str(),
                  tensor_width, one.tensor.c_str(), one.max_abs, one.max_rel, one.tolerance,
                  one.pass ? "PASS" : "FAIL");
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
      row["tensors"].push_back({{"tensor", one.tensor},
                                {"max_abs_err", one.max_abs},
                                {"max_rel_err", one.max_rel},
                                {"tolerance", one.tolerance},
                                {"pass", one.pass}});
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
      "Example: cambium-parity ../shared/golden --backend eigen\n"
      "Exit codes: 0 all known cases pass, 1 one failed or could not be read, 2 bad usage.");
  std::string folder,
      backend = cambium::nn::default_backend() == cambium::nn::Backend::onednn ? "onednn" : "eigen";
  bool json = false;
  program.add_option("DIR", folder, "Folder of cases")->required();
  program.add_option("--backend", backend, "Who computes the trunk's products")
      ->check(CLI::IsMember({"onednn", "eigen"}))
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
  std::vector<CaseReport> reports;
  try {
    const auto chosen =
        backend == "eigen" ? cambium::nn::Backend::eigen : cambium::nn::Backend::onednn;
    for (const auto& one : cambium::parity::find_cases(folder)) {
      reports.push_back(cambium::parity::run_case(one, chosen));
    }
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "cambium-parity: %s\n", problem.what());
    return kFailed;
  }
  if (reports.empty()) {
    std::fprintf(stderr, "cambium-parity: no case.safetensors below '%s'\n", folder.c_str());
    return kBadUsage;
  }
  json ? print_json(reports) : print_table(reports);
  const bool passed =
      std::all_of(reports.begin(), reports.end(), [](const auto& one) { return one.passed(); });
  return passed ? kDone : kFailed;
}
