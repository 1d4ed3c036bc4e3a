#include "core/nn/stock.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/support/temporary.hpp"

namespace cambium::nn {
namespace {

using test::TemporaryFolder;
using testing::AllOf;
using testing::HasSubstr;

const std::vector<float> kValues = {1, 2, 3, 4};

Metadata metadata() {
  return {
      {"cambium.kind", "stock"},
      {"architecture", "hpt"},
      {"embed_dim", "4"},
      {"num_blocks", "1"},
      {"num_heads", "2"},
      {"mlp_ratio", "4"},
      {"shared_stems",
       R"([{"sensor":"tool","stem":"token","shape":[3],"horizon":1,"tokens":1,"parameters":{"widths":"[8]"}}])"}};
}

std::vector<TensorToWrite> tensors() {
  return {to_write("trunk.blocks.0.norm_1.weight", {4}, kValues),
          to_write("stems.shared_tool.net.0.weight", {2, 2}, kValues)};
}

Result<Stock> open_with(const Metadata& meta, const std::vector<TensorToWrite>& all = tensors()) {
  const TemporaryFolder folder;
  EXPECT_TRUE(write_safetensors(folder / "stock.safetensors", all, meta));
  return Stock::open(folder / "stock.safetensors");
}

TEST(Stock, ReadsShapeAndSharedStems) {
  const auto stock = open_with(metadata());
  ASSERT_TRUE(stock) << stock.error().message;
  EXPECT_EQ(stock->shape().heads, 2U);
  ASSERT_NE(stock->find_stem("tool"), nullptr);
  EXPECT_EQ(stock->find_stem("tool")->parameters.at("widths"), "[8]");
  EXPECT_EQ(stock->find_stem("goal"), nullptr);
  ASSERT_EQ(stock->stem_weights("tool").size(), 1U);
  EXPECT_STREQ(stock->stem_weights("tool")[0].name, "net.0.weight");
}

// Computed apart from this code, from the words of docs/files.md.
TEST(Stock, TrunkIdIsWhatTheDocumentSays) {
  EXPECT_EQ(open_with(metadata())->trunk_id(),
            "17af55f8268746263b1f82fc7d3465789b1a33a2f4ce8963211aa98dc1e5aefb");
}

TEST(Stock, TrunkIdIgnoresWordsForPeopleAndSeesEveryWeight) {
  const std::string id = open_with(metadata())->trunk_id();
  auto meta = metadata();
  meta["trained"] = "yesterday";
  EXPECT_EQ(open_with(meta)->trunk_id(), id);
  meta["num_heads"] = "1";
  EXPECT_NE(open_with(meta)->trunk_id(), id);
  auto other = kValues;
  other[3] = std::nextafter(other[3], 5.0F);
  auto all = tensors();
  all[1].data = other.data();
  EXPECT_NE(open_with(metadata(), all)->trunk_id(), id);
}

class StockStems : public testing::Test {
 protected:
  void write(const std::vector<TensorToWrite>& all, const Metadata& meta = metadata()) const {
    ASSERT_TRUE(write_safetensors(file_, all, meta));
  }
  TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_ / "stock.safetensors";
};

TEST_F(StockStems, AreThoseOfTheWholeFileToTheLastBit) {
  auto other = tensors();  // bytes before them in the file: what is read lies elsewhere
  std::vector<std::uint8_t> odd(13, 7);
  other.push_back({"trunk.blocks.0.odd", DType::u8, {13}, odd.data()});
  write(other);
  const auto whole = Stock::open(file_);
  ASSERT_TRUE(whole) << whole.error().message;
  const auto stems = Stock::open_stems(file_, whole->identity());
  ASSERT_TRUE(stems) << stems.error().message;
  EXPECT_EQ(stems->trunk_id(), whole->trunk_id());
  EXPECT_EQ(stems->shape().heads, whole->shape().heads);
  ASSERT_EQ(stems->file().tensors().size(), 1U) << "the trunk is not read";
  const auto a = whole->stem_weights("tool"), b = stems->stem_weights("tool");
  ASSERT_EQ(b.size(), 1U);
  EXPECT_STREQ(b[0].name, a[0].name);
  EXPECT_EQ(std::vector(b[0].data, b[0].data + 4), std::vector(a[0].data, a[0].data + 4));
}

TEST_F(StockStems, OfAFileThatWasReplacedAreRefused) {
  write(tensors());
  const auto identity = Stock::open(file_)->identity();
  auto values = kValues;
  values[3] = std::nextafter(values[3], 5.0F);
  auto all = tensors();
  all[1].data = values.data();
  write(all);
  const auto other_stem = Stock::open_stems(file_, identity);
  ASSERT_FALSE(other_stem);
  EXPECT_EQ(other_stem.error().code, Code::incompatible);
  EXPECT_THAT(other_stem.error().message, HasSubstr("not those that the host has read"));

  auto meta = metadata();
  meta["num_heads"] = "1";
  write(tensors(), meta);
  EXPECT_EQ(Stock::open_stems(file_, identity).error().code, Code::incompatible);
}

// The stems are what the trunk id was computed with; a trunk is not run here.
TEST_F(StockStems, DoNotMindOtherTrunkWeights) {
  write(tensors());
  const auto identity = Stock::open(file_)->identity();
  const std::vector<float> values = {9, 9, 9, 9};
  auto all = tensors();
  all[0].data = values.data();
  write(all);
  ASSERT_NE(Stock::open(file_)->trunk_id(), identity.trunk);
  const auto stems = Stock::open_stems(file_, identity);
  ASSERT_TRUE(stems) << stems.error().message;
  EXPECT_EQ(stems->trunk_id(), identity.trunk);
}

TEST_F(StockStems, AreReadOnlyFromASoundFile) {
  write(tensors());
  const auto identity = Stock::open(file_)->identity();
  std::filesystem::resize_file(file_, std::filesystem::file_size(file_) - 1);
  EXPECT_THAT(Stock::open_stems(file_, identity).error().message, HasSubstr("truncated?"));
}

TEST(Stock, WritesWhatItReads) {
  const TemporaryFolder folder;
  const auto first = open_with(metadata());
  const auto again =
      write_stock(folder / "s", first->shape(), first->shared_stems(), tensors(), "x");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->trunk_id(), first->trunk_id());
  EXPECT_EQ(again->trained(), "x");
}

constexpr const char kJointsStem[] =
    R"({"sensor":"joint_position","stem":"joints","shape":[],"horizon":1,"tokens":0,"parameters":{"widths":"[8]"}})";

TEST(Stock, MayHaveAStemForBodiesOfAnySize) {
  auto meta = metadata();
  meta["shared_stems"] = std::string("[") + kJointsStem + "]";
  const std::vector<TensorToWrite> all = {
      tensors()[0], to_write("stems.shared_joint_position.net.0.weight", {2, 2}, kValues)};
  const auto stock = open_with(meta, all);
  ASSERT_TRUE(stock) << stock.error().message;
  const SharedStem& stem = *stock->find_stem("joint_position");
  EXPECT_TRUE(stem.each_number());
  EXPECT_TRUE(stem.shape.empty());
  const TemporaryFolder folder;
  const auto again = write_stock(folder / "s", stock->shape(), stock->shared_stems(), all, "");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(again->find_stem("joint_position")->each_number());
}

TEST(Stock, TakesOneTokenForEachNumberOnlyWithoutAShape) {
  const auto said = [](const char* from, const char* to) {
    auto meta = metadata();
    std::string stem = kJointsStem;
    stem.replace(stem.find(from), std::string(from).size(), to);
    meta["shared_stems"] = "[" + stem + "]";
    const auto stock = open_with(meta);
    return stock ? std::string("was read") : stock.error().message;
  };
  EXPECT_THAT(said(R"("tokens":0)", R"("tokens":2)"),
              AllOf(HasSubstr("'shared_stems[0]'"), HasSubstr("'tokens' is 2 and shape []")));
  EXPECT_THAT(said(R"("shape":[])", R"("shape":[3])"), HasSubstr("'tokens' is 0 and shape [3]"));
}

class StockWithHead : public testing::Test {
 protected:
  StockWithHead() {
    all_.push_back(to_write("heads.shared.net.0.weight", {2, 2}, kValues));
    meta_["shared_head"] = R"({"name":"joint","parameters":{"widths":"[8]"},"horizon":8})";
  }

  Metadata meta_ = metadata();
  std::vector<TensorToWrite> all_ = tensors();
};

TEST_F(StockWithHead, HandsItToWhoeverGrafts) {
  const auto stock = open_with(meta_, all_);
  ASSERT_TRUE(stock) << stock.error().message;
  EXPECT_EQ(stock->shared_head(), (SharedHead{"joint", {{"widths", "[8]"}}, 8}));
  ASSERT_EQ(stock->shared_head_weights().size(), 1U);
  EXPECT_STREQ(stock->shared_head_weights()[0].name, "net.0.weight");
  EXPECT_FALSE(open_with(metadata())->shared_head());
  const TemporaryFolder folder;
  const auto again = write_stock(folder / "s", stock->shape(), stock->shared_stems(), all_, "",
                                 stock->shared_head());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->shared_head(), stock->shared_head());
}

TEST_F(StockWithHead, IsTheTrunkThatItIsWithout) {
  EXPECT_EQ(open_with(meta_, all_)->trunk_id(), open_with(metadata())->trunk_id());
}

TEST_F(StockWithHead, IsOpenedForItsStemsAlone) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_safetensors(folder / "s", all_, meta_));
  const auto whole = Stock::open(folder / "s");
  ASSERT_TRUE(whole) << whole.error().message;
  const auto stems = Stock::open_stems(folder / "s", whole->identity());
  ASSERT_TRUE(stems) << stems.error().message;
  EXPECT_TRUE(stems->shared_head_weights().empty());
}

TEST_F(StockWithHead, IsRefusedUnlessTensorsAndMetadataAgree) {
  auto meta = meta_;
  meta.erase("shared_head");
  EXPECT_THAT(open_with(meta, all_).error().message,
              AllOf(HasSubstr("'heads.shared.net.0.weight'"), HasSubstr("names")));
  EXPECT_THAT(open_with(meta_).error().message, HasSubstr("no tensor begins with 'heads.shared.'"));
  meta = meta_;
  meta["shared_head"] = R"({"name":"joint","parameters":{},"horizon":0})";
  EXPECT_THAT(open_with(meta, all_).error().message,
              AllOf(HasSubstr("'shared_head'"), HasSubstr("'horizon'")));
  meta["shared_head"] = R"({"name":"joint","parameters":{},"horizon":8,"dof":3})";
  EXPECT_THAT(open_with(meta, all_).error().message, HasSubstr("'dof'"));
  meta["shared_head"] = "joint";
  EXPECT_THAT(open_with(meta, all_).error().message, HasSubstr("'shared_head'"));
  all_.back().dtype = DType::i32;
  EXPECT_THAT(open_with(meta_, all_).error().message, HasSubstr("is I32, shared stems and heads"));
}

TEST(Stock, SaysInWhatPrecisionItsTrunkIsToRun) {
  EXPECT_EQ(open_with(metadata())->precision(), Precision::f32);
  auto meta = metadata();
  meta["precision"] = "bf16";
  const auto stock = open_with(meta);
  ASSERT_TRUE(stock) << stock.error().message;
  EXPECT_EQ(stock->precision(), Precision::bf16);
  EXPECT_EQ(stock->trunk_id(), open_with(metadata())->trunk_id()) << "a setting, not a weight";
}

TEST(Stock, MappedHasTheSameIdentityOnceItIsComputed) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_safetensors(folder / "s", tensors(), metadata()));
  const auto whole = Stock::open(folder / "s"), mapped = Stock::open_mapped(folder / "s");
  ASSERT_TRUE(mapped) << mapped.error().message;
  EXPECT_EQ(mapped->trunk_id(), "");
  EXPECT_EQ(mapped->computed_identity().trunk, whole->identity().trunk);
  EXPECT_EQ(mapped->computed_identity().stems, whole->identity().stems);
}

TEST(Stock, NamesWhatIsWrongInTheMetadata) {
  const auto said = [](const std::string& key, const std::string& value) {
    auto meta = metadata();
    meta[key] = value;
    const auto stock = open_with(meta);
    return stock ? std::string("was accepted") : stock.error().message;
  };
  EXPECT_THAT(said("cambium.kind", "bundle"),
              AllOf(HasSubstr("'cambium.kind'"), HasSubstr("stock")));
  EXPECT_THAT(said("embed_dim", "0"), AllOf(HasSubstr("'embed_dim'"), HasSubstr("is 0")));
  EXPECT_THAT(said("embed_dim", "five"), AllOf(HasSubstr("'embed_dim'"), HasSubstr("five")));
  EXPECT_THAT(said("num_heads", "3"), AllOf(HasSubstr("is 4"), HasSubstr("num_heads = 3")));
  EXPECT_THAT(said("num_head", "2"), AllOf(HasSubstr("num_head"), HasSubstr("'num_heads'")));
  EXPECT_THAT(said("precision", "bf61"),
              AllOf(HasSubstr("'precision'"), HasSubstr("did you mean 'bf16'")));
  EXPECT_THAT(said("precision", "fp8"), HasSubstr("valid: 'f32', 'bf16', 'int8'"));
  EXPECT_THAT(said("shared_stems", "[{}]"),
              AllOf(HasSubstr("shared_stems[0]"), HasSubstr("sensor")));
  EXPECT_THAT(said("shared_stems", "{"), HasSubstr("shared_stems"));
  auto missing = metadata();
  missing.erase("mlp_ratio");
  EXPECT_THAT(open_with(missing).error().message, HasSubstr("'mlp_ratio' is missing"));
}

TEST(Stock, NamesTensorsThatBelongNowhereOrAreMissing) {
  auto all = tensors();
  all.push_back(to_write("stems.shared_goal.net.0.weight", {4}, kValues));
  EXPECT_THAT(open_with(metadata(), all).error().message, HasSubstr("stems.shared_goal"));
  all = tensors();
  all.pop_back();
  EXPECT_THAT(open_with(metadata(), all).error().message, HasSubstr("'stems.shared_tool.'"));
}

}  // namespace
}  // namespace cambium::nn
