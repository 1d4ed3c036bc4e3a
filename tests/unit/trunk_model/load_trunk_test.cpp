#include "core/trunk/load_trunk.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "core/base/descriptor.hpp"
#include "core/nn/convert_stock.hpp"
#include "core/nn/product.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/toy_files.hpp"

namespace cambium::trunk {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class LoadTrunk : public testing::Test {
 protected:
  Result<LoadedTrunk> load(std::optional<Precision> precision = {}) const {
    return load_trunk(file_, {.backend = Backend::eigen, .max_rows = 64}, precision);
  }
  base::Descriptor writer() const {
    return base::Descriptor(::open(file_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  }
  /// Writes the stock again with other metadata or tensors.
  void rewrite(const nn::Metadata& more, const std::vector<float>* bad = nullptr) const {
    const auto old = nn::SafetensorsFile::open(file_);
    auto metadata = old->metadata();
    for (const auto& [key, value] : more) metadata[key] = value;
    std::vector<nn::TensorToWrite> tensors;
    for (const auto& tensor : old->tensors()) {
      const bool spoilt = bad != nullptr && tensor.name == "trunk.blocks.0.mlp.fc1.weight";
      tensors.push_back({tensor.name, tensor.dtype, tensor.shape,
                         spoilt ? static_cast<const void*>(bad->data()) : tensor.bytes.data()});
    }
    ASSERT_TRUE(nn::write_safetensors(file_, tensors, metadata));
  }

  test::TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_ / "stock.safetensors";
  const std::string id_ = test::write_toy_stock(file_);
};

TEST_F(LoadTrunk, GivesAModelTheIdentityOfItsBytesAndTheTimeItTook) {
  const auto loaded = load();
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->identity.trunk, id_);
  EXPECT_EQ(loaded->identity.stems, nn::Stock::open(file_)->identity().stems);
  EXPECT_EQ(loaded->model->info().width, test::kToyWidth);
  const LoadTimes& took = loaded->took;
  for (const double one : {took.open, took.hash, took.pack, took.warm_up}) EXPECT_GT(one, 0);
  EXPECT_GE(took.all, took.open + took.pack + took.warm_up);
}

TEST_F(LoadTrunk, LetsGoOfTheFileBeforeTheModelIsUsed) {
  const auto loaded = load();
  ASSERT_TRUE(loaded);
  EXPECT_TRUE(writer()) << "nobody waits for a trunk that runs";
}

TEST_F(LoadTrunk, OfAFileThatIsOpenForWritingCopiesIt) {
  const auto open = writer();
  const auto loaded = load();
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_FALSE(loaded->mapped);
  EXPECT_EQ(loaded->identity.trunk, id_);
}

TEST_F(LoadTrunk, ComputesTheSameMappedAndCopied) {
  const auto first = load();
  const auto open = writer();
  const auto second = load();
  std::vector<float> a(5 * test::kToyWidth, 0.5F), b = a;
  const Segment segment[] = {{0, 5}};
  ASSERT_TRUE(first->model->forward(segment, a.data()).ok());
  ASSERT_TRUE(second->model->forward(segment, b.data()).ok());
  EXPECT_EQ(a, b);
}

TEST_F(LoadTrunk, RunsAConvertedStockInItsPrecisionUnlessItIsToldAnother) {
  const auto converted = folder_ / "converted";
  for (const auto precision : nn::kPrecisions) {
    ASSERT_TRUE(nn::convert_stock(file_, converted, precision, {}));
    for (const auto backend : {Backend::eigen, nn::default_backend()}) {
      const ModelOptions options{.backend = backend, .max_rows = 64};
      const auto loaded = load_trunk(converted, options, {});
      ASSERT_TRUE(loaded) << loaded.error().message;
      EXPECT_EQ(loaded->model->info().precision,
                nn::choose_precision(backend, precision).precision);
      const auto told = load_trunk(converted, options, Precision::f32);
      ASSERT_TRUE(told) << told.error().message;
      EXPECT_EQ(told->model->info().precision, Precision::f32);
    }
  }
}

TEST_F(LoadTrunk, ComputesAConvertedStockAsTheNumbersThatItHolds) {
  const auto converted = folder_ / "converted", widened = folder_ / "widened";
  for (const auto precision : {Precision::bf16, Precision::int8}) {
    ASSERT_TRUE(nn::convert_stock(file_, converted, precision, {}));
    ASSERT_TRUE(nn::convert_stock(converted, widened, Precision::f32, {}));
    std::vector<float> results[2];
    for (const auto& [file, result] : {std::pair{converted, 0}, std::pair{widened, 1}}) {
      const auto loaded =
          load_trunk(file, {.backend = Backend::eigen, .max_rows = 8}, Precision::f32);
      ASSERT_TRUE(loaded) << loaded.error().message;
      results[result].assign(5 * test::kToyWidth, 0.5F);
      const Segment segment[] = {{0, 5}};
      ASSERT_TRUE(loaded->model->forward(segment, results[result].data()).ok());
    }
    EXPECT_EQ(results[0], results[1]);
  }
}

TEST_F(LoadTrunk, RefusesAWeightThatIsNoNumber) {
  const auto stored = nn::SafetensorsFile::open(file_)->read_f32("trunk.blocks.0.mlp.fc1.weight");
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    auto values = *stored;
    values.back() = bad;
    rewrite({}, &values);
    const auto loaded = load();
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, Code::bad_data);
    EXPECT_THAT(loaded.error().message, AllOf(HasSubstr(file_.string()), HasSubstr("not finite")));
  }
}

TEST_F(LoadTrunk, RefusesWhatIsNoStock) {
  EXPECT_EQ(load_trunk(folder_ / "absent", {}, {}).error().code, Code::not_found);
  test::write_bytes(file_, "stock");
  EXPECT_EQ(load().error().code, Code::bad_data);
}

}  // namespace
}  // namespace cambium::trunk
