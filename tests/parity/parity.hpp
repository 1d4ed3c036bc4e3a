// tests/parity/parity.hpp: runs every case below a folder.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/nn/backend.hpp"
#include "core/nn/precision.hpp"
#include "tests/parity/parity_case.hpp"

namespace cambium::parity {

struct CaseReport {
  std::string name;
  std::string kind;     ///< empty: no code for this kind, skipped
  std::string problem;  ///< why it could not be read or run; empty if it could
  std::vector<Comparison> comparisons;

  bool skipped() const noexcept { return kind.empty() && problem.empty(); }
  bool passed() const noexcept;
};

/// Folders that hold a case.safetensors: `folder` itself or any below, in order of path.
std::vector<std::filesystem::path> find_cases(const std::filesystem::path& folder);

/// precision   of the trunk's products; with another than f32 only cases with a trunk are run, and
///             judged by rounding.hpp. One that this machine has not is the report's problem.
CaseReport run_case(const std::filesystem::path& folder, nn::Backend backend,
                    nn::Precision precision = nn::Precision::f32);

}  // namespace cambium::parity
