// A glance at every benchmark of bench_kernels: each set that this machine runs is there, and
// exact.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/nn/kernels.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/temporary.hpp"

namespace cambium {
namespace {

TEST(KernelBench, MeasuresEverySetAndFindsThemExact) {
  test::TemporaryFolder folder;
  const auto out = folder.path() / "kernels.json";
  test::ChildProcess process({BENCH_KERNELS, "--benchmark_min_time=0.0001",
                              "--benchmark_out=" + out.string(), "--benchmark_out_format=json"},
                             folder.path());
  while (!process.line().empty()) {  // a full pipe would stop it
  }
  ASSERT_EQ(process.wait(), 0) << process.error();
  std::ifstream file(out);
  const auto report = nlohmann::json::parse(file, nullptr, false);
  ASSERT_TRUE(report.is_object());
  std::map<std::string, std::set<std::string>> sets_of;
  for (const auto& one : report["benchmarks"]) {
    const std::string name = one["name"];
    sets_of[name.substr(0, name.find('/'))].insert(name.substr(name.rfind('/') + 1));
    EXPECT_GT(one["per_element"].get<double>(), 0) << name;
    // Where int8 follows, a coarser GELU is meant.
    EXPECT_LT(one["max_error"].get<double>(), name.starts_with("rescale_gelu") ? 2e-4 : 1e-5)
        << name;
  }
  std::set<std::string> sets;
  for (const auto* set = nn::all_kernels(); *set != nullptr; ++set) sets.insert((*set)->name);
  for (const char* kernel :
       {"layer_norm", "attention", "softmax", "gelu", "to_bf16", "quantise", "rescale"})
    EXPECT_EQ(sets_of[kernel], sets) << kernel;
}

}  // namespace
}  // namespace cambium
