#include <gtest/gtest.h>

#include <thread>

#include "core/base/histogram.hpp"
#include "core/base/nearest.hpp"
#include "core/base/sha256.hpp"
#include "core/base/spsc_ring.hpp"
#include "core/base/waker.hpp"

namespace cambium::base {
namespace {

TEST(SpscRing, RefusesWhenFullAndKeepsOrder) {
  SpscRing<int> ring(2);
  for (int i = 0; i < 2; ++i) {
    *ring.loan() = i;
    ring.publish();
  }
  EXPECT_EQ(ring.loan(), nullptr);
  EXPECT_EQ(*ring.front(), 0);
  ring.pop();
  EXPECT_NE(ring.loan(), nullptr);
  EXPECT_EQ(*ring.front(), 1);
  ring.pop();
  EXPECT_EQ(ring.front(), nullptr);
}

TEST(SpscRing, LosesNothingBetweenTwoThreads) {
  SpscRing<int> ring(8);
  Waker consumer, producer;
  constexpr int kCount = 20000;
  std::thread other([&] {
    for (int i = 0; i < kCount;) {
      if (int* slot = ring.loan()) {
        *slot = i++;
        ring.publish();
        consumer.wake();
      } else {
        producer.sleep(-1);
      }
    }
  });
  for (int expected = 0; expected < kCount;) {
    if (int* slot = ring.front()) {
      ASSERT_EQ(*slot, expected++);
      ring.pop();
      producer.wake();
    } else {
      consumer.sleep(-1);
    }
  }
  other.join();
}

TEST(Waker, AWakeBeforeTheSleepIsNotLost) {
  Waker waker;
  waker.wake();
  waker.sleep(-1);  // returns
  waker.sleep(kMillisecond);
}

TEST(Histogram, GivesQuantilesWithinItsBins) {
  Histogram histogram;
  EXPECT_EQ(histogram.quantile_us(0.5), 0);
  for (int i = 1; i <= 1000; ++i) histogram.add(i * 1000);
  EXPECT_NEAR(histogram.quantile_us(0.5), 500, 500 * 0.03);
  EXPECT_NEAR(histogram.quantile_us(0.99), 990, 990 * 0.03);
}

TEST(Nearest, SuggestsTheNameThatWasMeant) {
  EXPECT_EQ(nearest("hed", std::vector<std::string>{"stem", "head", "bundle"}), "head");
  EXPECT_EQ(did_you_mean("xyzzy", {"head", "stem"}), " (valid: 'head', 'stem')");
  EXPECT_EQ(did_you_mean("x", {}), "");
}

TEST(Sha256, KnowsTheStandardsExample) {  // FIPS 180-4, example of SHA-256("abc")
  Sha256 sha;
  sha.update(std::string_view("a"));
  sha.update(std::string_view("bc"));
  EXPECT_EQ(to_hex(sha.finish()),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace cambium::base
