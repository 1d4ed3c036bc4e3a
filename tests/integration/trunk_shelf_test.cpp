// A trunk process that loads a second model beside the one that serves, over its real socket.
#include <gmock/gmock.h>

#include <atomic>
#include <fstream>
#include <stdexcept>

#include "core/trunk/link.hpp"
#include "core/trunk/server.hpp"
#include "tests/support/fake_model.hpp"
#include "tests/support/sanitized.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/tokens.hpp"
#include "tests/support/trunk_caller.hpp"

namespace cambium::trunk {
namespace {

using test::digest;
using test::tokens_message;
using test::TrunkCaller;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint32_t kWidth = 4;
// 128 MB; a sanitizer takes longer to write that than a model nobody names stays.
constexpr std::size_t kLargeFloats = test::kSanitized ? 1 << 10 : 32 << 20;

// Counts itself, and takes real memory if it is asked to.
class CountedModel final : public TrunkModel {
 public:
  CountedModel(std::uint32_t width, std::shared_ptr<std::atomic<int>> alive, std::size_t floats,
               test::Gate* gate)
      : model_(width, gate), alive_(std::move(alive)), weights_(floats, 1.0F) {
    ++*alive_;
  }
  ~CountedModel() override { --*alive_; }
  const ModelInfo& info() const noexcept override { return model_.info(); }
  Status forward(std::span<const Segment> segments, float* rows) noexcept override {
    return model_.forward(segments, rows);
  }

 private:
  test::FakeModel model_;
  std::shared_ptr<std::atomic<int>> alive_;
  std::vector<float> weights_;
};

class TrunkShelfTest : public testing::Test {
 protected:
  ~TrunkShelfTest() override {
    gate_.open();
    reading_.open();
  }

  // The name of a stock says what it is: "/b" is trunk bb…, four wide.
  Result<OpenedStock> open(const std::filesystem::path& file) {
    const std::string name = file.filename();
    reading_.pass(0);
    if (name == "damaged") return Error{Code::bad_data, "'" + file.string() + "': damaged"};
    if (name == "hungry") throw std::bad_alloc();
    const auto fill = static_cast<unsigned char>(name[0] == 'b' ? 0xbb : 0xcc);
    const std::uint32_t width = name == "wide" ? 5000 : kWidth;
    const std::size_t floats = name == "b_large" ? kLargeFloats : 1;
    return OpenedStock{.id = digest(fill), .width = width, .make_model = [this, floats] {
                         return Result<std::unique_ptr<TrunkModel>>(
                             std::make_unique<CountedModel>(kWidth, alive_, floats, &gate_));
                       }};
  }
  void SetUp() override {
    auto server = TrunkServer::start({.endpoint = "ipc://" + (folder_ / "trunk").string(),
                                      .queue = 16,
                                      .max_batch = 8,
                                      .max_tokens = 32,
                                      .open = [this](const auto& file) { return open(file); },
                                      .lease = 1200 * base::kMillisecond},
                                     {digest(0xab), "fake", 0},
                                     std::make_unique<test::FakeModel>(kWidth, &gate_));
    ASSERT_TRUE(server) << server.error().message;
    server_.emplace(std::move(*server));
    auto link = TrunkLink::open(context_, server_->endpoint(), "host A", 1 << 16);
    ASSERT_TRUE(link);
    link_.emplace(std::move(*link));
  }

  Result<LoadReply> load(const std::string& path, const base::Digest* id = nullptr) {
    return load_stock(context_, server_->endpoint(), path, id, 10 * base::kSecond,
                      [] { return false; });
  }
  // Says hello all the while; for ten seconds at most.
  template <class So>
  bool eventually(So so) {
    FeaturesReply nothing;
    const auto until = base::monotonic_ns() + 10 * base::kSecond;
    for (auto now = base::monotonic_ns(); now < until; now = base::monotonic_ns()) {
      link_->heartbeat(now);
      while (link_->receive(nothing, now)) {
      }
      if (link_->identity() && so(*link_->identity())) return true;
      poller_.wait(base::kMillisecond);
    }
    return false;
  }
  bool serves(std::vector<base::Digest> ids) {
    return eventually([&](const TrunkInfo& info) { return info.ids == ids; });
  }

  test::Gate gate_, reading_;
  std::shared_ptr<std::atomic<int>> alive_ = std::make_shared<std::atomic<int>>(0);
  test::TemporaryFolder folder_;
  transport::Context context_;
  transport::Poller poller_;
  std::optional<TrunkServer> server_;
  std::optional<TrunkLink> link_;
};

TEST_F(TrunkShelfTest, AStockThatAHostAsksForIsServedBesideTheFirst) {
  const auto loaded = load("/b");
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->id, digest(0xbb));
  EXPECT_EQ(loaded->width, kWidth);
  EXPECT_TRUE(serves({digest(0xab), digest(0xbb)}));
  ASSERT_TRUE(load("/b")) << "asked for twice, it is loaded once";
  EXPECT_EQ(*alive_, 1);
}

TEST_F(TrunkShelfTest, RequestsForBothAreAnsweredAndNeverInOneBatch) {
  ASSERT_TRUE(load("/b"));
  TrunkCaller caller(server_->endpoint());
  const auto passes = gate_.batches().size();
  gate_.close();
  caller.send(tokens_message(1, 1, kWidth).bytes());  // holds the model
  gate_.wait_for(passes + 1);
  for (std::uint64_t i = 2; i < 8; ++i) {
    auto message = tokens_message(i, 2, kWidth);
    message.trunk.assign(32, i % 2 == 0 ? 0xab : 0xbb);
    caller.send(message.bytes());
  }
  caller.settle();
  gate_.open();
  for (int i = 0; i < 7; ++i) EXPECT_EQ(caller.receive_features()->code(), 0U);
  const auto batches = gate_.batches();
  EXPECT_THAT(std::vector(batches.begin() + static_cast<long>(passes), batches.end()),
              ElementsAre(1, 3, 3));
}

TEST_F(TrunkShelfTest, TheFirstGoesOnServingWhileTheSecondIsReadAndASecondOrderIsBusy) {
  TrunkCaller caller(server_->endpoint());
  reading_.close();
  ASSERT_TRUE(serves({digest(0xab)}));
  ASSERT_TRUE(link_->order(1, "/b", nullptr).ok());
  reading_.wait_for(1);
  caller.send(tokens_message(1, 2, kWidth).bytes());
  EXPECT_EQ(caller.receive_features()->code(), 0U);
  const auto second = load("/c");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::busy);
  EXPECT_EQ(second.error().message, "the trunk is loading '/b'; ask again");
  reading_.open();
  EXPECT_TRUE(serves({digest(0xab), digest(0xbb)}));
}

TEST_F(TrunkShelfTest, WhatCannotBeServedIsRefusedInASentence) {
  const auto refused = [&](const std::string& path, const base::Digest* id = nullptr) {
    const auto loaded = load(path, id);
    return loaded ? "loaded" : loaded.error().message;
  };
  EXPECT_EQ(refused("/damaged"), "'/damaged': damaged");
  EXPECT_THAT(refused("/hungry"), HasSubstr("'/hungry': "));
  EXPECT_EQ(refused("/wide"), "'/wide' is 5000 wide, this trunk takes up to 2048");
  EXPECT_THAT(refused("beside"), HasSubstr("an absolute path of at most 4096 bytes"));
  EXPECT_THAT(refused("/" + std::string(5000, 'x')), HasSubstr("at most 4096 bytes"));
  const auto other = digest(0xdd);
  EXPECT_EQ(refused("/b", &other),
            "'/b' is stock bbbbbbbbbbbbbbbb, expected dddddddddddddddd; the file was replaced");
  EXPECT_TRUE(serves({digest(0xab)}));
  EXPECT_EQ(*alive_, 0);
}

TEST_F(TrunkShelfTest, TheOldLeavesWhenNobodyNamesItAndItsMemoryReturns) {
  ASSERT_TRUE(load("/b_large"));
  link_->need({digest(0xab), digest(0xbb)});
  std::uint64_t both = 0;
  ASSERT_TRUE(eventually([&](const TrunkInfo& info) {
    both = info.resident_kb;
    return info.ids.size() == 2;
  }));
  link_->need({digest(0xab)});
  EXPECT_TRUE(serves({digest(0xab)}));
  EXPECT_TRUE(eventually([&](const TrunkInfo&) { return *alive_ == 0; }));
  if (test::kSanitized) return;  // freed memory is kept to find its users
  EXPECT_TRUE(eventually([&](const TrunkInfo& info) {
    return info.resident_kb + kLargeFloats * sizeof(float) / 1024 * 9 / 10 < both;
  })) << both
      << " kB with both, " << link_->identity()->resident_kb << " after";
}

TEST_F(TrunkShelfTest, WhatOneHostStillNamesStaysForIt) {
  ASSERT_TRUE(load("/b"));
  link_->need({digest(0xbb)});
  auto other = TrunkLink::open(context_, server_->endpoint(), "host B", 1 << 16);
  ASSERT_TRUE(other);
  other->need({digest(0xab)});
  FeaturesReply nothing;
  const auto lease_over = base::monotonic_ns() + 2 * base::kSecond;
  ASSERT_TRUE(eventually([&](const TrunkInfo& info) {
    other->heartbeat(base::monotonic_ns());
    while (other->receive(nothing, base::monotonic_ns())) {
    }
    EXPECT_EQ(info.ids.size(), 2U);
    return base::monotonic_ns() > lease_over;
  }));
  const auto third = load("/c");
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Code::busy);
  EXPECT_THAT(third.error().message,
              HasSubstr("the trunk serves two stocks already, abababababababab (needed by 'host "
                        "B') and bbbbbbbbbbbbbbbb (needed by 'host A')"));
  EXPECT_TRUE(serves({digest(0xbb)})) << "host B says nothing any more";
}

TEST_F(TrunkShelfTest, WhoAsksAndDiesLeavesTheOldOneServing) {
  link_->need({digest(0xab), digest(0xbb)});
  ASSERT_TRUE(load("/b"));
  ASSERT_TRUE(serves({digest(0xab), digest(0xbb)}));
  link_.reset();
  auto link = TrunkLink::open(context_, server_->endpoint(), "who looks", 1 << 16);
  ASSERT_TRUE(link);
  link_.emplace(std::move(*link));
  EXPECT_TRUE(serves({digest(0xab)}));
}

TEST_F(TrunkShelfTest, WhatNobodyNeedsMakesRoomForWhatSomebodyAsksFor) {
  ASSERT_TRUE(load("/b"));
  link_->need({digest(0xab)});
  EXPECT_TRUE(eventually([&](const TrunkInfo&) {
    const auto third = load("/c");
    return third && third->id == digest(0xcc);
  }));
  EXPECT_TRUE(serves({digest(0xab), digest(0xcc)}));
}

TEST_F(TrunkShelfTest, StopsWhileAModelIsLoading) {
  ASSERT_TRUE(serves({digest(0xab)}));
  ASSERT_TRUE(link_->order(1, "/b", nullptr).ok());
  reading_.wait_for(1);
  server_->stop();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "trunk"));
}

}  // namespace
}  // namespace cambium::trunk
