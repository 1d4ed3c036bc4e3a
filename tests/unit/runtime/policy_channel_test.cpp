// Both ends of the memory that a host shares with a policy's process; the other end at its worst.
#include "core/runtime/policy_channel.hpp"

#include <gmock/gmock.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <cstring>
#include <limits>

#include "core/base/descriptor.hpp"
#include "core/runtime/policy_report.hpp"

namespace cambium::runtime {
namespace {

using testing::Each;
using testing::HasSubstr;

// Counts its chunks, and remembers the count.
class CountingPolicy final : public Policy {
 public:
  explicit CountingPolicy(const PolicyShape& shape) {
    shape_ = shape;
    state_ = {{.owner = "head:counting", .version = 2, .bytes = std::vector<std::byte>(16)}};
  }
  Outcome encode(const ObservationWindow& window, std::span<float> out) noexcept override {
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = window.sensor(1).data[0] + static_cast<float>(window.steps());
    return {};
  }
  Outcome decode(FeaturesView features, std::span<float> out) noexcept override {
    if (features.data[0] < 0) return {.status = {Code::limit, 7}};
    std::fill(out.begin(), out.end(), static_cast<float>(++count_));
    return {};
  }
  Outcome poll(std::span<float>) noexcept override { return {.status = Code::failed}; }
  void abandon() noexcept override {}
  const PolicyState& state() noexcept override {
    state_[0].size = sizeof count_;
    std::memcpy(state_[0].bytes.data(), &count_, sizeof count_);
    return state_;
  }
  StateReport restore(const PolicyState& state) noexcept override {
    StateReport report;
    if (state[0].size != sizeof count_ || state[0].version != 2) {
      report.cold = 1;
      std::strcpy(report.why.text, "not mine");
      return report;
    }
    std::memcpy(&count_, state[0].bytes.data(), sizeof count_);
    report.carried = 1;
    return report;
  }

 private:
  int count_ = 0;
  PolicyState state_;
};

class Channel : public testing::Test {
 protected:
  Channel() {
    PolicyState state = policy_.state();
    host_ = HostEnd::open(memory_.get(), job_.get(), sizes_, state).value();
    child_ = ChildEnd::open(memory_.get(), sizes_, state).value();
    spoiler_ = ChannelView::map(memory_.get(), sizes_).value();
    const float first[] = {1, 2, 10, 0, 0}, second[] = {3, 4, 20, 0, 0};
    window_.push(first);
    window_.push(second);
  }

  Outcome ask(float feature = 1) {
    std::fill(features_.begin(), features_.end(), feature);
    return host_->decode({features_.data(), 1, 4});
  }

  PolicyShape shape_{
      .tokens = 3, .width = 4, .features = 1, .horizon = 5, .dof = 2, .observation_horizon = 2};
  ChannelSizes sizes_{.shape = shape_, .sensors = {2, 3}, .state = {16}};
  CountingPolicy policy_{shape_};
  base::Descriptor memory_{::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  base::Descriptor job_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::unique_ptr<HostEnd> host_;
  std::unique_ptr<ChildEnd> child_;
  std::unique_ptr<ChannelView> spoiler_;
  ObservationWindow window_{std::vector<std::uint32_t>{2, 3}, 2};
  std::vector<float> features_ = std::vector<float>(4);
  std::vector<float> tokens_ = std::vector<float>(12), chunk_ = std::vector<float>(10);
};

TEST_F(Channel, CarriesAWindowInAndTokensOut) {
  ASSERT_TRUE(host_->encode(window_).under_way);
  EXPECT_TRUE(host_->poll(tokens_).under_way);
  EXPECT_TRUE(child_->serve(policy_));
  EXPECT_FALSE(child_->serve(policy_)) << "a job is done once";
  const Outcome outcome = host_->poll(tokens_);
  EXPECT_FALSE(outcome.under_way);
  EXPECT_TRUE(outcome.status.ok());
  EXPECT_THAT(tokens_, Each(12.0F)) << "the oldest goal and both steps";
  EXPECT_EQ(host_->poll(tokens_).status.code(), Code::failed) << "nothing is under way any more";
}

TEST_F(Channel, CarriesARefusalWithItsDetail) {
  ASSERT_TRUE(ask(-1).under_way);
  child_->serve(policy_);
  const Status status = host_->poll(chunk_).status;
  EXPECT_EQ(status.code(), Code::limit);
  EXPECT_EQ(status.detail(), 7);
}

TEST_F(Channel, RefusesAWindowOrFeaturesOfOtherSizes) {
  ObservationWindow other(std::vector<std::uint32_t>{2, 4}, 2), empty(sizes_.sensors, 2);
  const float values[] = {1, 2, 3, 4, 5, 6};
  other.push(values);
  EXPECT_EQ(host_->encode(other).status.code(), Code::bad_argument);
  EXPECT_EQ(host_->encode(empty).status.code(), Code::bad_argument);
  EXPECT_EQ(host_->decode({values, 1, 3}).status.code(), Code::bad_argument);
}

TEST_F(Channel, NothingCanShrinkTheMemoryUnderItsReader) {
  EXPECT_NE(::ftruncate(memory_.get(), 0), 0);
  EXPECT_NE(::ftruncate(memory_.get(), 1 << 30), 0);
}

TEST_F(Channel, RefusesMemoryOfAnotherSize) {
  auto sizes = sizes_;
  sizes.shape.horizon = 500;
  const auto child = ChildEnd::open(memory_.get(), sizes, {});
  ASSERT_FALSE(child);
  EXPECT_THAT(child.error().message, HasSubstr("this end expects"));
  sizes.shape.horizon = sizes.shape.dof = UINT32_MAX;
  const base::Descriptor memory(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const auto host = HostEnd::open(memory.get(), job_.get(), sizes, {});
  ASSERT_FALSE(host);
  EXPECT_EQ(host.error().code, Code::limit);
}

TEST_F(Channel, StateOfTheChildComesWithEachAnswerAndGoesOnInAnother) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(ask().under_way);
    child_->serve(policy_);
    ASSERT_TRUE(host_->poll(chunk_).status.ok());
  }
  const PolicyState state = host_->state();
  ASSERT_EQ(state.size(), 1U);
  EXPECT_EQ(state[0].owner, "head:counting");
  EXPECT_EQ(state[0].version, 2U);
  ASSERT_EQ(state[0].size, sizeof(int));

  CountingPolicy fresh(shape_);
  EXPECT_EQ(host_->restore(state).carried, 1U);
  ASSERT_TRUE(ask().under_way);
  child_->serve(fresh);
  ASSERT_TRUE(host_->poll(chunk_).status.ok());
  EXPECT_THAT(chunk_, Each(4.0F)) << "it counts on from three";
  EXPECT_EQ(host_->restored().carried, 1U);
}

TEST_F(Channel, StateThatDoesNotFitStartsAnewAndSaysWhy) {
  PolicyState large = {{.owner = "head:counting", .version = 2, .size = 64, .bytes = {}}};
  large[0].bytes.resize(64);
  StateReport report = host_->restore(large);
  EXPECT_EQ(report.cold, 1U);
  EXPECT_STREQ(report.why.text, "head:counting: 64 bytes of state, there is room for 16");

  large[0].owner = "head:other";
  report = host_->restore(large);
  EXPECT_EQ(report.carried + report.cold, 0U) << "nobody here has that name";

  large[0] = {.owner = "head:counting", .version = 1, .size = 4, .bytes = large[0].bytes};
  EXPECT_EQ(host_->restore(large).carried, 1U) << "on its way";
  ASSERT_TRUE(ask().under_way);
  child_->serve(policy_);
  ASSERT_TRUE(host_->poll(chunk_).status.ok());
  EXPECT_EQ(host_->restored().cold, 1U) << "the child's own judgement";
  EXPECT_STREQ(host_->restored().why.text, "not mine");
}

TEST_F(Channel, AnAnswerToAnotherJobIsNoAnswer) {
  ASSERT_TRUE(ask().under_way);
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{2}, ~std::uint64_t{0}}) {
    spoiler_->header().answered = number;
    EXPECT_TRUE(host_->poll(chunk_).under_way);
    EXPECT_TRUE(host_->unanswered(base::monotonic_ns() + base::kSecond, 1));
  }
}

TEST_F(Channel, CodesOutOfRangeAreBadData) {
  for (const auto& [code, detail] : {std::pair{12U, 0U}, {~0U, 0U}, {0U, 0x10000U}}) {
    ASSERT_TRUE(ask().under_way);
    child_->serve(policy_);
    spoiler_->header().code = code;
    spoiler_->header().detail = detail;
    EXPECT_EQ(host_->poll(chunk_).status.code(), Code::bad_data);
  }
}

TEST_F(Channel, NumbersThatAreNotFiniteAreRefused) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    ASSERT_TRUE(ask().under_way);
    child_->serve(policy_);
    spoiler_->output()[9] = bad;
    EXPECT_EQ(host_->poll(chunk_).status.code(), Code::not_finite);
  }
}

TEST_F(Channel, SizesOfStateBeyondTheHostsOwnAreNoState) {
  ASSERT_TRUE(ask().under_way);
  child_->serve(policy_);
  for (const std::uint32_t size : {17U, ~0U}) {
    spoiler_->header().from_child[0].size = size;
    ASSERT_TRUE(ask().under_way || host_->poll(chunk_).status.ok());
    EXPECT_EQ(host_->state()[0].size, 0U);
  }
}

TEST_F(Channel, AnEndlessSentenceIsCut) {
  PolicyState none = host_->state();
  host_->restore(none);
  ASSERT_TRUE(ask().under_way);
  child_->serve(policy_);
  std::memset(spoiler_->header().why.text, 'x', sizeof(Message));
  ASSERT_TRUE(host_->poll(chunk_).status.ok());
  EXPECT_EQ(std::strlen(host_->restored().why.text), sizeof(Message) - 1);
}

TEST_F(Channel, TheChildRefusesJobsThatMakeNoSense) {
  ASSERT_TRUE(host_->encode(window_).under_way);
  spoiler_->header().steps = 3;
  child_->serve(policy_);
  EXPECT_EQ(host_->poll(tokens_).status.code(), Code::bad_argument);
  ASSERT_TRUE(host_->encode(window_).under_way);
  spoiler_->header().kind = 9;
  child_->serve(policy_);
  EXPECT_EQ(host_->poll(tokens_).status.code(), Code::bad_argument);
}

PolicyReport sound_report() {
  PolicyReport report;
  report.body = {.name = "arm",
                 .summary = "\xff no UTF-8",
                 .joints = {{.name = "a",
                             .position_min = -0.1,
                             .position_max = 1.0 / 3,
                             .velocity_max = 1,
                             .acceleration_max = 1}},
                 .sensors = {{"joint_position", "rad", "joint", {1}}}};
  report.has_policy = true;
  report.shape = {.tokens = 1, .width = 1, .features = 1, .horizon = 1, .dof = 1};
  report.token_layout = "joint_position (1) by pass: 1; 1 wide; mean pooled";
  report.state = {{.owner = "head:mlp", .bytes = std::vector<std::byte>(8)}};
  return report;
}

TEST(PolicyReport, SurvivesItsWay) {
  const auto read = read_report(to_line(sound_report()));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(same_body(read->body, sound_report().body)) << "every number to its last bit";
  EXPECT_EQ(read->state[0].bytes.size(), 8U);
  EXPECT_EQ(read->token_layout, sound_report().token_layout);
  const auto refused = read_report(to_line(Error{Code::not_found, "no such plugin"}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::not_found);
  EXPECT_EQ(refused.error().message, "no such plugin");
}

TEST(PolicyReport, IsRefusedWithASentenceWhateverItHolds) {
  const std::string sound = to_line(sound_report());
  const auto with = [&](const std::string& before, const std::string& after) {
    std::string line = sound;
    const auto at = line.find(before);
    if (at == std::string::npos) throw std::runtime_error(before);
    line.replace(at, before.size(), after);
    const auto read = read_report(line);
    return read ? "sound" : read.error().message;
  };
  EXPECT_THAT(with("\"dof\":1", "\"dof\":2"), HasSubstr("2 numbers in an action"));
  EXPECT_THAT(with("\"tokens\":1", "\"tokens\":-1"), HasSubstr("'tokens'"));
  EXPECT_THAT(with("\"tokens\":1", "\"tokens\":0"), HasSubstr("'tokens'"));
  EXPECT_THAT(with("\"tokens\":1", "\"tokens\":4294967296"), HasSubstr("'tokens'"));
  EXPECT_THAT(with("\"pooling\":0", "\"pooling\":5"), HasSubstr("'pooling'"));
  EXPECT_THAT(with("\"bytes\":8", "\"bytes\":65537"), HasSubstr("'bytes'"));
  EXPECT_THAT(with("head:mlp", std::string(64, 'x')), HasSubstr("'owner'"));
  EXPECT_THAT(with("\"ok\":true", "\"ok\":1"), HasSubstr("'ok'"));
  EXPECT_THAT(with("\"velocity_max\":1.0", "\"velocity_max\":-1.0"), HasSubstr("velocity_max"));
  EXPECT_THAT(with("\"velocity_max\":1.0", "\"velocity_max\":null"), HasSubstr("velocity_max"));
  const std::string no_trunk = "\"trunk\":\"" + std::string(64, '0');
  EXPECT_THAT(with(no_trunk, "\"trunk\":\"" + std::string(64, 'x')), HasSubstr("'trunk'"));
  EXPECT_THAT(with(no_trunk, "\"trunk\":\""), HasSubstr("'trunk'"));
  for (std::size_t length = 0; length < sound.size() - 2; length += 7)
    EXPECT_FALSE(read_report(sound.substr(0, length)));
  EXPECT_THAT(read_report(to_line(Error{Code::limit, ""})).error().message, HasSubstr("'error'"));
  for (const char* text : {"[]", "{}", "nonsense", "{\"ok\":true}", "\xff\xfe"})
    EXPECT_THAT(read_report(text).error().message, HasSubstr("is not sound"));
  EXPECT_FALSE(read_report(std::string(kMaxReportBytes, '[')));
}

TEST(PolicyReport, TellsPeopleNothingThatATerminalObeysOrThatHasNoEnd) {
  const auto escape = read_report(to_line(Error{Code::failed, "clear\x1b[2J\nit"}));
  EXPECT_EQ(escape.error().message, "clear [2J it");
  auto report = sound_report();
  report.plugin.version = "1\x7f";
  EXPECT_EQ(read_report(to_line(report))->plugin.version, "1 ");
  const auto endless = read_report("\"" + std::string(100'000, 'x'));
  ASSERT_FALSE(endless);
  EXPECT_LT(endless.error().message.size(), 1000U);
}

}  // namespace
}  // namespace cambium::runtime
