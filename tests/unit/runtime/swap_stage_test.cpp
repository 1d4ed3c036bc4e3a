#include "core/runtime/swap_stage.hpp"

#include <gtest/gtest.h>

namespace cambium::runtime {
namespace {

// One test for each arrow of the machine.
constexpr SwapPlan kPlain = {}, kShadow = {.shadow = 10}, kProbation = {.probation = 10},
                   kDry = {.dry_run = true}, kDryShadow = {.shadow = 10, .dry_run = true};

TEST(SwapStage, WhatCannotBePreparedIsRefused) {
  for (const auto& plan : {kPlain, kShadow, kProbation, kDry})
    EXPECT_EQ(next(SwapStage::prepare, false, plan), SwapStage::refused);
}

TEST(SwapStage, WhatIsPreparedIsCommittedAtOnceIfNoShadowIsAskedFor) {
  EXPECT_EQ(next(SwapStage::prepare, true, kPlain), SwapStage::commit);
}

TEST(SwapStage, WhatIsPreparedRunsAsAShadowFirstIfAsked) {
  EXPECT_EQ(next(SwapStage::prepare, true, kShadow), SwapStage::shadow);
  EXPECT_EQ(next(SwapStage::prepare, true, kDryShadow), SwapStage::shadow);
}

TEST(SwapStage, ADryRunEndsWhenItIsPrepared) {
  EXPECT_EQ(next(SwapStage::prepare, true, kDry), SwapStage::rehearsed);
}

TEST(SwapStage, AShadowThatDiffersOrFailsIsRefused) {
  EXPECT_EQ(next(SwapStage::shadow, false, kShadow), SwapStage::refused);
  EXPECT_EQ(next(SwapStage::shadow, false, kDryShadow), SwapStage::refused);
}

TEST(SwapStage, AShadowThatAgreesIsCommitted) {
  EXPECT_EQ(next(SwapStage::shadow, true, kShadow), SwapStage::commit);
}

TEST(SwapStage, ADryRunEndsAfterItsShadow) {
  EXPECT_EQ(next(SwapStage::shadow, true, kDryShadow), SwapStage::rehearsed);
}

TEST(SwapStage, WhatIsCommittedIsOnProbationIfAsked) {
  EXPECT_EQ(next(SwapStage::commit, true, kProbation), SwapStage::probation);
}

TEST(SwapStage, WhatIsCommittedWithoutProbationRetiresTheOldOne) {
  EXPECT_EQ(next(SwapStage::commit, true, kPlain), SwapStage::retire);
}

TEST(SwapStage, WithOthersTheirProbationIsWaitedFor) {
  EXPECT_EQ(next(SwapStage::commit, true, {.together = true}), SwapStage::probation);
  EXPECT_EQ(next(SwapStage::probation, false, {.together = true}), SwapStage::rollback);
}

TEST(SwapStage, AFaultOnProbationIsRolledBack) {
  EXPECT_EQ(next(SwapStage::probation, false, kProbation), SwapStage::rollback);
  EXPECT_EQ(next(SwapStage::rollback, true, kProbation), SwapStage::rolled_back);
}

TEST(SwapStage, AProbationThatIsStoodRetiresTheOldOne) {
  EXPECT_EQ(next(SwapStage::probation, true, kProbation), SwapStage::retire);
  EXPECT_EQ(next(SwapStage::retire, true, kProbation), SwapStage::swapped);
}

TEST(SwapStage, AnEndStaysAnEnd) {
  for (const auto end :
       {SwapStage::swapped, SwapStage::refused, SwapStage::rolled_back, SwapStage::rehearsed}) {
    EXPECT_TRUE(is_end(end));
    EXPECT_EQ(next(end, true, kPlain), end);
    EXPECT_EQ(next(end, false, kPlain), end);
  }
}

TEST(SwapStage, EveryPlanComesToAnEnd) {
  for (std::uint32_t shadow : {0U, 5U})
    for (std::uint32_t probation : {0U, 5U})
      for (bool dry_run : {false, true})
        for (unsigned wells = 0; wells < 256; ++wells) {
          SwapStage stage = SwapStage::prepare;
          for (unsigned i = 0; i < 8; ++i)
            stage = next(stage, (wells >> i & 1) != 0, {shadow, probation, dry_run});
          EXPECT_TRUE(is_end(stage)) << to_string(stage);
          if (dry_run) {
            EXPECT_NE(stage, SwapStage::swapped) << "a dry run moves nothing";
          }
        }
}

}  // namespace
}  // namespace cambium::runtime
