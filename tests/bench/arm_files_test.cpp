// What the bench's robots are made of is what a host takes.
#include "bench/arm_files.hpp"

#include <gtest/gtest.h>

#include "core/nn/bundle.hpp"
#include "core/plugin/plugin_library.hpp"
#include "tests/support/temporary.hpp"

namespace cambium::bench {
namespace {

TEST(ArmFiles, BundlesFitTheirStockAndDifferWithTheirSeed) {
  const auto stock = nn::Stock::open(STOCK);
  ASSERT_TRUE(stock) << stock.error().message;
  const test::TemporaryFolder folder;
  for (const unsigned seed : {1U, 2U}) {
    const auto file = folder / std::to_string(seed);
    ASSERT_TRUE(write_arm_bundle(file, *stock, {.dof = 6, .control_hz = 500}, seed));
    const auto bundle = nn::Bundle::open(file);
    ASSERT_TRUE(bundle) << bundle.error().message;
    EXPECT_TRUE(nn::check_fits(*bundle, *stock));
    EXPECT_EQ(bundle->spec().embodiment, "bench_arm6_500");
  }
  EXPECT_NE(test::read_bytes(folder / "1"), test::read_bytes(folder / "2"));
}

TEST(ArmFiles, ARebuiltLibraryIsAnotherLibraryThatDoesTheSame) {
  const test::TemporaryFolder folder;
  std::vector<std::string> shas;
  for (const std::uint64_t number : {1U, 2U}) {
    ASSERT_TRUE(write_rebuilt(BENCH_HEAD, folder / "head.so", number));
    const auto library =
        plugin::open_library(folder / "head.so", {.run_dir = folder.path() / "run"});
    ASSERT_TRUE(library) << library.error().message;
    EXPECT_TRUE((*library)->create_head("mlp"));
    shas.push_back((*library)->sha256());
  }
  EXPECT_NE(shas[0], shas[1]);
}

TEST(ArmFiles, WhatHasNoMarkIsRefusedByASentence) {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "other.so", "no mark");
  const auto made = write_rebuilt(folder / "other.so", folder / "copy.so", 1);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("other.so"), std::string::npos);
}

TEST(ArmFiles, TheArmsOfEveryRateAreThere) {
  const test::TemporaryFolder folder;
  const auto library = plugin::open_library(BENCH_ARM, {.run_dir = folder.path()});
  ASSERT_TRUE(library) << library.error().message;
  for (const int hz : {200, 500}) {
    for (const unsigned dof : {6U, 7U}) {
      const ArmBody body{.dof = dof, .control_hz = hz};
      const auto found = (*library)->embodiment(body.name());
      ASSERT_TRUE(found) << found.error().message;
      EXPECT_EQ(found->dof(), dof);
      EXPECT_EQ(found->control_hz, hz);
    }
  }
}

}  // namespace
}  // namespace cambium::bench
