#include "core/nn/stock.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/unit/files/temporary.hpp"

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

TEST(Stock, WritesWhatItReads) {
  const TemporaryFolder folder;
  const auto first = open_with(metadata());
  const auto again =
      write_stock(folder / "s", first->shape(), first->shared_stems(), tensors(), "x");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->trunk_id(), first->trunk_id());
  EXPECT_EQ(again->trained(), "x");
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
