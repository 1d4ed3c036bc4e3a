// Readings that lie in a controller's memory: into the window exactly, or refused with a reason.
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/base/shared_slot.hpp"
#include "core/client/frame_ring.hpp"
#include "core/runtime/frame_memory.hpp"
#include "tests/support/malloc_guard.hpp"
#include "tests/unit/runtime/robot_fixture.hpp"

namespace cambium::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint64_t kMost = 1 << 20;

MemoryOffer offer_of(const client::FrameRing& ring) {
  return {.process = static_cast<std::uint32_t>(::getpid()),
          .descriptor = static_cast<std::uint32_t>(ring.descriptor()),
          .bytes = ring.bytes(),
          .token = ring.token()};
}

ReadingPlace place_of(const client::FrameRing::Place& place) {
  return {.offset = place.offset, .sequence = place.sequence, .size = place.size};
}

client::FrameRing ring_for(std::vector<std::size_t> sizes) {
  auto ring = client::FrameRing::make(sizes);
  if (!ring) throw std::runtime_error(ring.error().message);
  return std::move(*ring);
}

TEST(FrameMemory, RefusesATokenThatIsNotThereAndSizesThatMakeNoSense) {
  const auto ring = ring_for({2, 3});
  auto offer = offer_of(ring);
  EXPECT_TRUE(FrameMemory::open(offer, kMost));
  offer.token[5] ^= std::byte{1};
  const auto foreign = FrameMemory::open(offer, kMost);
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code, Code::unavailable);
  EXPECT_THAT(foreign.error().message, HasSubstr("is another one here"));
  for (const std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{64}, kMost + 1, UINT64_MAX}) {
    offer.bytes = bytes;
    const auto refused = FrameMemory::open(offer, kMost);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::limit) << bytes;
  }
}

TEST(FrameMemory, RefusesPlacesThatItDoesNotHave) {
  auto ring = ring_for({5});
  const std::vector<float> values = {1, 2, 3, 4, 5};
  ring.write(0, values, 0);
  const ReadingPlace sound = place_of(ring.lend(0, 1));
  const auto memory = FrameMemory::open(offer_of(ring), kMost);
  ASSERT_TRUE(memory);
  std::vector<float> out(5);
  bool finite = false;
  ASSERT_TRUE((*memory)->read(sound, out, finite).ok());
  EXPECT_TRUE(finite);
  EXPECT_EQ(out, values);

  const std::uint64_t bytes = ring.bytes();
  const auto code = [&](const ReadingPlace& place) {
    return (*memory)->read(place, out, finite).code();
  };
  for (const std::uint64_t offset :
       {std::uint64_t{0}, std::uint64_t{1}, sound.offset + 1, sound.offset + 8, bytes - 64, bytes,
        bytes + 64, UINT64_MAX - 63, UINT64_MAX, std::uint64_t{1} << 63}) {
    EXPECT_EQ(code({offset, sound.sequence, 5}), Code::bad_data) << offset;
  }
  for (const std::uint64_t size :
       {std::uint64_t{0}, std::uint64_t{4}, std::uint64_t{6}, std::uint64_t{1} << 62, UINT64_MAX})
    EXPECT_EQ(code({sound.offset, sound.sequence, size}), Code::bad_data) << size;
  EXPECT_EQ(code({sound.offset, 0, 5}), Code::bad_data);
  EXPECT_EQ(code({sound.offset, sound.sequence + 1, 5}), Code::bad_data) << "is being written";
  EXPECT_EQ(code({sound.offset, sound.sequence + 2, 5}), Code::stale);
  EXPECT_EQ(code({sound.offset + 128, sound.sequence, 5}), Code::stale) << "a slot never written";
  // The largest that would fit nowhere.
  std::vector<float> large(bytes / sizeof(float));
  EXPECT_EQ((*memory)->read({64, 2, large.size()}, large, finite).code(), Code::bad_data);
}

TEST(FrameRing, WritesTheSameSlotAgainOnlyWhenTheHostIsDoneWithIt) {
  auto ring = ring_for({0, 4});
  const std::vector<float> values(4, 1.0F);
  ring.write(1, values, 0);
  const auto first = ring.lend(1, 1);
  ring.write(1, values, /*answered=*/0);
  const auto second = ring.lend(1, 2);
  EXPECT_NE(second.offset, first.offset);
  ring.write(1, values, /*answered=*/2);
  EXPECT_EQ(ring.lend(1, 3).offset, second.offset);
  std::vector<std::size_t> offsets;
  for (std::uint64_t i = 4; i < 4 + client::FrameRing::kSlots; ++i) {
    ring.write(1, values, /*answered=*/2);
    offsets.push_back(ring.lend(1, i).offset);
  }
  std::ranges::sort(offsets);
  EXPECT_EQ(std::ranges::unique(offsets).begin(), offsets.end()) << "as many as there are slots";
}

TEST(FrameRing, RefusesToTakeAllMemory) {
  for (const std::size_t size : {std::size_t{1} << 26, std::size_t{1} << 40}) {
    const auto ring = client::FrameRing::make(std::vector<std::size_t>{size, size});
    ASSERT_FALSE(ring);
    EXPECT_EQ(ring.error().code, Code::limit);
  }
}

// The robot's second sensor, three numbers, comes through memory.
class SharedReadingsTest : public RobotTest {
 protected:
  SharedReadingsTest() { share(ring_, 1); }

  void share(const client::FrameRing& ring, std::uint64_t number) {
    auto memory = FrameMemory::open(offer_of(ring), kMost);
    if (!memory) throw std::runtime_error(memory.error().message);
    (*memory)->number = number;
    *robot_.mailbox().memory.loan() = std::move(*memory);
    robot_.mailbox().memory.publish();
  }

  ReadingPlace write(float value) {
    ring_.write(1, std::vector<float>(3, value), sequence_);
    return place_of(ring_.lend(1, sequence_ + 1));
  }

  void observe_shared(const ReadingPlace& place, std::uint64_t memory = 1) {
    auto* frame = robot_.mailbox().observations.loan();
    ASSERT_NE(frame, nullptr);
    frame->body = 1;
    frame->sequence = ++sequence_;
    frame->readable = clock_ += 10 * base::kMillisecond;
    frame->want_chunk = frame->episode_start = false;
    frame->reading_count = 2;
    frame->sizes[0] = 2;
    frame->sizes[1] = static_cast<std::uint32_t>(place.size);
    frame->values[0] = frame->values[1] = 0;
    frame->memory = memory;
    frame->shared = 2;
    frame->places[1] = place;
    robot_.mailbox().observations.publish();
    robot_.handle_messages();
  }

  std::vector<float> seen() {
    const auto newest = robot_.generation()->window.newest(1);
    return {newest.begin(), newest.end()};
  }

  client::FrameRing ring_ = ring_for({0, 3});
};

TEST_F(SharedReadingsTest, ReachTheWindowAndAreAnswered) {
  observe_shared(write(0.25F));
  EXPECT_EQ(next(OutFrame::Kind::action).sequence, 1U);
  EXPECT_THAT(seen(), ElementsAre(0.25F, 0.25F, 0.25F));
  EXPECT_EQ(robot_.counters().shared_bytes.load(), ring_.bytes());
}

TEST_F(SharedReadingsTest, AnOverwrittenReadingIsRefusedCountedAndLeavesTheWindowAsItWas) {
  observe_shared(write(0.25F));
  next(OutFrame::Kind::action);
  next(OutFrame::Kind::tokens);
  const auto place = write(0.5F);
  // The controller has gone round its ring before the host came to it.
  std::vector<float> values(3, 0.75F);
  ring_.write(1, values, sequence_ + 1);
  observe_shared(place);
  const auto& refusal = next(OutFrame::Kind::notice);
  EXPECT_EQ(refusal.code, Code::stale);
  EXPECT_STREQ(refusal.text.data(),
               "robot 'left': reading 1 was overwritten before the host came to it");
  EXPECT_THAT(seen(), ElementsAre(0.25F, 0.25F, 0.25F));
  EXPECT_EQ(robot_.counters().overwritten.load(), 1U);
  EXPECT_EQ(robot_.counters().refused.load(), 1U);
  observe_shared(write(1.0F));
  next(OutFrame::Kind::action);
  EXPECT_THAT(seen(), ElementsAre(1.0F, 1.0F, 1.0F));
}

TEST_F(SharedReadingsTest, APlaceOutsideTheMemoryIsRefused) {
  auto place = write(0.25F);
  place.offset = UINT64_MAX - 63;
  observe_shared(place);
  const auto& refusal = next(OutFrame::Kind::notice);
  EXPECT_EQ(refusal.code, Code::bad_data);
  EXPECT_STREQ(refusal.text.data(),
               "robot 'left': reading 1 lies nowhere in the controller's memory");
}

TEST_F(SharedReadingsTest, AReadingOfAnotherSizeIsRefusedAsOneThatCameAsNumbers) {
  auto place = write(0.25F);
  place.size = 2;
  observe_shared(place);
  EXPECT_STREQ(next(OutFrame::Kind::notice).text.data(),
               "robot 'left': reading 1 has 2 numbers, its sensor has 3");
}

TEST_F(SharedReadingsTest, NaNIsFoundInMemoryToo) {
  ring_.write(1, std::vector<float>{0, 0, std::numeric_limits<float>::quiet_NaN()}, 0);
  observe_shared(place_of(ring_.lend(1, 1)));
  const auto& action = next(OutFrame::Kind::action);
  EXPECT_EQ(action.code, Code::not_finite);
  EXPECT_EQ(robot_.generation()->window.steps(), 0U);
}

// The io thread answers both before the worker wakes; nothing is left to think about.
TEST_F(SharedReadingsTest, AnEpisodeThatBeginsWithNaNForgetsWhatWasStillToBeAskedAbout) {
  for (const float value : {0.0F, std::numeric_limits<float>::quiet_NaN()}) {
    auto* frame = robot_.mailbox().observations.loan();
    frame->body = 1;
    frame->sequence = ++sequence_;
    frame->readable = clock_ += 10 * base::kMillisecond;
    frame->want_chunk = false;
    frame->episode_start = true;
    frame->reading_count = 2;
    frame->sizes[0] = 2;
    frame->sizes[1] = 3;
    std::fill_n(frame->values.get(), 5, value);
    robot_.mailbox().observations.publish();
    robot_.answer();
    next(OutFrame::Kind::action);
  }
  ASSERT_EQ(robot_.generation()->window.steps(), 0U);
  robot_.handle_messages();
  EXPECT_TRUE(silent()) << "no tokens of an empty window";
}

TEST_F(SharedReadingsTest, MemoryThatIsReadNoMoreComesBackAndItsReadingsAreStale) {
  observe_shared(write(0.25F));
  next(OutFrame::Kind::action);
  next(OutFrame::Kind::tokens);
  EXPECT_EQ(robot_.mailbox().spent.front(), nullptr);
  const auto other = ring_for({0, 3});
  share(other, 2);
  observe_shared(write(0.5F), /*memory=*/1);
  EXPECT_EQ(next(OutFrame::Kind::notice).code, Code::stale);
  auto* spent = robot_.mailbox().spent.front();
  ASSERT_NE(spent, nullptr);
  EXPECT_EQ((*spent)->number, 1U);
  robot_.mailbox().spent.pop();
  *robot_.mailbox().memory.loan() = nullptr;
  robot_.mailbox().memory.publish();
  robot_.handle_messages();
  EXPECT_EQ(robot_.counters().shared_bytes.load(), 0U);
  ASSERT_NE(robot_.mailbox().spent.front(), nullptr);
  EXPECT_EQ((*robot_.mailbox().spent.front())->number, 2U);
}

TEST_F(SharedReadingsTest, ATickAllocatesNothing) {
  if (!test::MallocGuard::works()) GTEST_SKIP() << "a sanitizer counts by itself";
  observe_shared(write(0.25F));
  const auto place = write(0.5F);
  const test::MallocGuard guard;
  observe_shared(place);
  EXPECT_EQ(guard.allocations(), 0U);
}

}  // namespace
}  // namespace cambium::runtime
