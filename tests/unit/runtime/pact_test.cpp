#include "core/runtime/pact.hpp"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <vector>

namespace cambium::runtime {
namespace {

// What each of three parties was told, of whom one may not be well.
std::array<bool, 3> told(Pact& pact, std::size_t sick) {
  std::array<bool, 3> all{};
  std::vector<std::thread> parties;
  for (std::size_t i = 0; i < all.size(); ++i)
    parties.emplace_back([&, i] { all[i] = pact.agree(i != sick); });
  for (auto& party : parties) party.join();
  return all;
}

TEST(Pact, AllGoOnIfAllAreWell) {
  Pact pact(3);
  EXPECT_EQ(told(pact, 9), (std::array{true, true, true}));
}

TEST(Pact, OneThatIsNotWellStopsAll) {
  Pact pact(3);
  EXPECT_EQ(told(pact, 1), (std::array{false, false, false}));
}

TEST(Pact, EachRoundBeginsAnew) {
  Pact pact(3);
  EXPECT_EQ(told(pact, 0), (std::array{false, false, false}));
  EXPECT_EQ(told(pact, 9), (std::array{true, true, true}));
}

TEST(Pact, OneThatFailedIsSeenBeforeTheOthersHaveCome) {
  Pact pact(2);
  EXPECT_FALSE(pact.failed());
  std::thread sick([&] { pact.agree(false); });
  while (!pact.failed()) std::this_thread::yield();
  EXPECT_FALSE(pact.agree(true));
  sick.join();
  EXPECT_FALSE(pact.failed());
}

TEST(Pact, AloneNobodyIsWaitedFor) {
  Pact pact(1);
  EXPECT_TRUE(pact.agree(true));
  EXPECT_FALSE(pact.agree(false));
}

}  // namespace
}  // namespace cambium::runtime
