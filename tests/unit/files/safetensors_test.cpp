#include "core/nn/safetensors.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

#include <cstring>
#include <limits>
#include <random>

#include "core/base/descriptor.hpp"
#include "tests/support/temporary.hpp"

namespace cambium::nn {
namespace {

using test::read_bytes;
using test::TemporaryFolder;
using test::write_bytes;
using test::write_raw;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

struct Malformed {
  const char* name;
  const char* header;
  std::size_t data_bytes;
  std::vector<std::string> said;
};

class SafetensorsRefuses : public testing::TestWithParam<Malformed> {};

TEST_P(SafetensorsRefuses, AndSaysWhy) {
  const TemporaryFolder folder;
  const auto file = folder / "weights.safetensors";
  write_raw(file, GetParam().header, GetParam().data_bytes);
  const auto opened = SafetensorsFile::open(file);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::bad_data);
  EXPECT_THAT(opened.error().message, HasSubstr(file.string()));
  for (const auto& text : GetParam().said) EXPECT_THAT(opened.error().message, HasSubstr(text));
}

INSTANTIATE_TEST_SUITE_P(
    , SafetensorsRefuses,
    testing::Values(
        Malformed{"NotJson", R"({"a":)", 0, {"not valid JSON"}},
        Malformed{"NotAnObject", R"([1,2])", 0, {"not a JSON object"}},
        Malformed{"InvalidUtf8", "{\"\xff\":1}", 0, {"not valid JSON"}},
        Malformed{"TruncatedData",
                  R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})",
                  12,
                  {"'a'", "16", "12"}},
        Malformed{"TrailingBytes",
                  R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                  12,
                  {"byte 4", "12"}},
        Malformed{
            "Overlap",
            R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
            8,
            {"'b'", "begins at byte 4", "ends at 8"}},
        Malformed{
            "Hole",
            R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
            12,
            {"'b'", "hole after byte 4"}},
        Malformed{
            "Misaligned",
            R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
            6,
            {"'b'", "byte 2", "multiple of 4"}},
        Malformed{"WrongLength",
                  R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})",
                  8,
                  {"'a'", "takes 12 bytes", "give 8"}},
        Malformed{"Backwards",
                  R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}})",
                  8,
                  {"'a'", "ends at byte 4", "begins at 8"}},
        Malformed{"ShapeOverflow",
                  R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})",
                  0,
                  {"'a'", "overflows"}},
        Malformed{"OffsetOverflow",
                  R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[99999999999999999999,4]}})",
                  4,
                  {"'a'", "pair of sizes"}},
        Malformed{"NegativeExtent",
                  R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})",
                  4,
                  {"'a'", "not a size"}},
        Malformed{"FractionalExtent",
                  R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})",
                  4,
                  {"'a'", "not a size"}},
        Malformed{"SixDimensions",
                  R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1],"data_offsets":[0,4]}})",
                  4,
                  {"'a'", "6 dimensions", "5"}},
        Malformed{"UnknownDType",
                  R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})",
                  1,
                  {"'a'", "F8_E4M3", "BF16"}},
        Malformed{"DTypeNotText",
                  R"({"a":{"dtype":32,"shape":[1],"data_offsets":[0,4]}})",
                  4,
                  {"'a'", "dtype is not text"}},
        Malformed{"MissingField", R"({"a":{"dtype":"F32","shape":[1]}})", 4, {"'data_offsets'"}},
        Malformed{"MisspeltField",
                  R"({"a":{"dtype":"F32","shap":[1],"data_offsets":[0,4]}})",
                  4,
                  {"'shap'", "did you mean 'shape'"}},
        Malformed{"EntryNotAnObject", R"({"a":[1]})", 0, {"'a'"}},
        Malformed{
            "DuplicateName",
            R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
            8,
            {"two tensors named 'a'"}},
        Malformed{"MetadataNotText", R"({"__metadata__":{"width":64}})", 0, {"'width'", "64"}},
        Malformed{"MetadataNotAnObject", R"({"__metadata__":"x"})", 0, {"__metadata__"}}),
    [](const auto& c) { return std::string(c.param.name); });

TEST(Safetensors, RefusesAHeaderLongerThanTheFileAndNamesBothNumbers) {
  const TemporaryFolder folder;
  const auto file = folder / "lying.safetensors";
  for (const std::uint64_t lie : {std::uint64_t{1000}, std::numeric_limits<std::uint64_t>::max()}) {
    std::string bytes(reinterpret_cast<const char*>(&lie), 8);
    write_bytes(file, bytes + "{}      ");
    const auto opened = SafetensorsFile::open(file);
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().message,
                AllOf(HasSubstr(std::to_string(lie)), HasSubstr("holds 8")));
  }
}

TEST(Safetensors, RefusesFilesTooShortForALength) {
  const TemporaryFolder folder;
  for (const char* bytes : {"", "abc"}) {
    write_bytes(folder / "short", bytes);
    const auto opened = SafetensorsFile::open(folder / "short");
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().message, HasSubstr("8"));
  }
}

// A reader that follows nesting with its own stack would end the process here.
TEST(Safetensors, RefusesAHeaderThatIsNestedWithoutEnd) {
  const TemporaryFolder folder;
  const std::string deep(200'000, '['), closed = deep + std::string(200'000, ']');
  for (const std::string& header : {deep, closed, R"({"__metadata__":{"a":)" + closed + "}}",
                                    R"({"a":{"dtype":)" + closed + "}}"}) {
    write_raw(folder / "deep", header, 0);
    const auto opened = SafetensorsFile::open(folder / "deep");
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().message, HasSubstr("nested deeper than 16"));
  }
}

TEST(Safetensors, RefusesWhatIsNotAFile) {
  const TemporaryFolder folder;
  EXPECT_EQ(SafetensorsFile::open(folder / "absent").error().code, Code::not_found);
  EXPECT_FALSE(SafetensorsFile::open(folder.path()));
}

TEST(Safetensors, SurvivesEveryTruncationAndRandomDamage) {
  const TemporaryFolder folder;
  const auto file = folder / "a.safetensors";
  const std::vector<float> values = {1, 2, 3, 4};
  ASSERT_TRUE(write_safetensors(file, std::vector{to_write("w", {2, 2}, values)}, {{"k", "v"}}));
  const std::string whole = read_bytes(file);
  const auto damaged = folder / "damaged.safetensors";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_bytes(damaged, whole.substr(0, size));
    EXPECT_FALSE(SafetensorsFile::open(damaged)) << size << " bytes";
  }
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = whole;
    bytes[random() % (whole.size() - 16)] = static_cast<char>(random());
    write_bytes(damaged, bytes);
    const auto opened = SafetensorsFile::open(damaged);
    if (!opened) continue;
    for (const auto& tensor : opened->tensors())
      EXPECT_TRUE(opened->read_f32(tensor.name)) << tensor.name;
  }
}

TEST(Safetensors, ReadsBackWhatWasWritten) {
  const TemporaryFolder folder;
  const auto file = folder / "a.safetensors";
  const std::vector<float> values = {1.5F, -2, 3, 4, 5, 6};
  const std::vector<std::int64_t> counts = {7, -8};
  const std::vector<std::uint8_t> bytes = {9};
  ASSERT_TRUE(write_safetensors(
      file,
      std::vector<TensorToWrite>{{"z", DType::u8, {1}, bytes.data()},
                                 to_write("b.weight", {2, 3}, values),
                                 {"a", DType::i64, {2}, counts.data()},
                                 {"empty", DType::f32, {0, 4}, nullptr},
                                 to_write("scalar", {}, std::span(values).first(1))},
      {{"kind", "x \"quoted\" ü"}}));

  const auto opened = SafetensorsFile::open(file);
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(*opened->meta("kind"), "x \"quoted\" ü");
  EXPECT_EQ(opened->tensors().size(), 5U);
  EXPECT_EQ(opened->tensors()[0].name, "a");
  EXPECT_EQ(*opened->read_f32("b.weight"), values);
  EXPECT_EQ(*opened->read_i64("a"), counts);
  EXPECT_THAT(*opened->read_f64("z"), ElementsAre(9.0));
  EXPECT_THAT(*opened->read_f32("scalar"), ElementsAre(1.5F));
  EXPECT_TRUE(opened->read_f32("empty")->empty());
  EXPECT_EQ(opened->find("b.weight")->shape, (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ(opened->find("b"), nullptr);
}

TEST(Safetensors, ViewsCutThePrefixAndOutliveTheFirstHandle) {
  const TemporaryFolder folder;
  const std::vector<float> values = {1, 2};
  ASSERT_TRUE(write_safetensors(
      folder / "a", std::vector{to_write("stem.w", {1, 2}, values), to_write("x", {2}, values)},
      {}));
  auto first = std::make_unique<SafetensorsFile>(*SafetensorsFile::open(folder / "a"));
  const auto views = first->views("stem.");
  const SafetensorsFile copy = *first;
  first.reset();
  ASSERT_EQ(views.size(), 1U);
  EXPECT_STREQ(views[0].name, "w");
  EXPECT_EQ(views[0].rank, 2U);
  EXPECT_EQ(views[0].size(), 2U);
  EXPECT_EQ(views[0].data[1], 2.0F);
}

TEST(Safetensors, StoredViewsAreOfEveryTypeWithoutTheirPrefixInOrderOfName) {
  const TemporaryFolder folder;
  const std::vector<float> values = {1, 2};
  const std::vector<std::int8_t> bytes = {3, -4};
  ASSERT_TRUE(
      write_safetensors(folder / "a",
                        std::vector<TensorToWrite>{to_write("trunk.b", {2}, values),
                                                   {"trunk.a", DType::i8, {2, 1}, bytes.data()},
                                                   to_write("stems.c", {2}, values)},
                        {}));
  const auto file = SafetensorsFile::open(folder / "a");
  const auto views = file->stored_views("trunk.");
  ASSERT_EQ(views.size(), 2U);
  EXPECT_EQ(views[0].name, "a");
  EXPECT_EQ(views[0].dtype, DType::i8);
  EXPECT_EQ(views[0].shape, (std::vector<std::uint64_t>{2, 1}));
  EXPECT_EQ(views[0].bytes.data(), file->find("trunk.a")->bytes.data()) << "no copy";
  EXPECT_EQ(views[1].name, "b");
}

TEST(Safetensors, StaysWholeWhenItsFileIsOverwrittenInPlace) {
  const TemporaryFolder folder;
  const auto file = folder / "a.safetensors";
  const std::vector<float> values = {1, 2, 3, 4};
  ASSERT_TRUE(write_safetensors(file, std::vector{to_write("w", {4}, values)}, {}));
  const auto opened = SafetensorsFile::open(file);
  ASSERT_TRUE(opened);
  write_bytes(file, "");  // as `cp` begins: a mapping would die of this
  const auto views = opened->views("");
  ASSERT_EQ(views.size(), 1U);
  EXPECT_EQ(views[0].data[3], 4);
}

TEST(Safetensors, MappedIsTheSameFileAndHoldsUpAWriterUntilTheLastHandleIsGone) {
  const TemporaryFolder folder;
  const auto file = folder / "a.safetensors";
  const std::vector<float> values = {1, 2, 3, 4};
  const std::vector<std::uint8_t> odd = {5, 6, 7};
  ASSERT_TRUE(write_safetensors(
      file,
      std::vector<TensorToWrite>{to_write("w", {4}, values), {"odd", DType::u8, {3}, odd.data()}},
      {{"k", "v"}}));
  auto mapped = SafetensorsFile::open_mapped(file);
  ASSERT_TRUE(mapped) << mapped.error().message;
  auto copy = std::make_unique<SafetensorsFile>(*mapped);
  EXPECT_EQ(*copy->meta("k"), "v");
  EXPECT_EQ(*copy->read_f32("w"), values);
  EXPECT_EQ(copy->views("")[0].data[3], 4);
  EXPECT_EQ(*copy->read_i64("odd"), (std::vector<std::int64_t>{5, 6, 7}));
  EXPECT_TRUE(copy->unchanged());
  const auto try_to_write = [&] {
    return base::Descriptor(::open(file.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  };
  *mapped = SafetensorsFile();
  // Where there are no leases it was copied.
  EXPECT_NE(static_cast<bool>(try_to_write()), copy->mapped());
  copy.reset();
  EXPECT_TRUE(try_to_write());
}

TEST(Safetensors, MappedIsCheckedAsWhatIsRead) {
  const TemporaryFolder folder;
  const auto file = folder / "a.safetensors";
  write_raw(file, R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", 12);
  EXPECT_EQ(SafetensorsFile::open_mapped(file).error().message,
            SafetensorsFile::open(file).error().message);
  EXPECT_EQ(SafetensorsFile::open_mapped(folder / "absent").error().code, Code::not_found);
}

TEST(Safetensors, ConvertsHalfPrecisionExactly) {
  const TemporaryFolder folder;
  const std::vector<std::uint16_t> half = {0x3c00, 0xc000, 0x0001, 0x8000, 0x7bff, 0x7c00, 0x03ff};
  const std::vector<std::uint16_t> bfloat = {0x3f80, 0xc000};
  ASSERT_TRUE(write_safetensors(folder / "a",
                                std::vector<TensorToWrite>{{"h", DType::f16, {7}, half.data()},
                                                           {"b", DType::bf16, {2}, bfloat.data()}},
                                {}));
  const auto file = SafetensorsFile::open(folder / "a");
  EXPECT_THAT(*file->read_f32("h"),
              ElementsAre(1.0F, -2.0F, 0x1p-24F, -0.0F, 65504.0F,
                          std::numeric_limits<float>::infinity(), 1023 * 0x1p-24F));
  EXPECT_THAT(*file->read_f32("b"), ElementsAre(1.0F, -2.0F));
}

TEST(Safetensors, NamesTheNearestTensorAndKey) {
  const TemporaryFolder folder;
  const std::vector<float> values = {1};
  ASSERT_TRUE(write_safetensors(folder / "a", std::vector{to_write("net.0.weight", {1}, values)},
                                {{"embed_dim", "64"}}));
  const auto file = SafetensorsFile::open(folder / "a");
  EXPECT_THAT(file->read_f32("net.0.wieght").error().message,
              AllOf(HasSubstr("net.0.wieght"), HasSubstr("did you mean 'net.0.weight'")));
  EXPECT_THAT(file->meta("embed_dims").error().message, HasSubstr("did you mean 'embed_dim'"));
  EXPECT_EQ(file->read_i64("net.0.weight").error().code, Code::incompatible);
}

TEST(Safetensors, AFailedWriteLeavesTheOldFileAndNothingElse) {
  const TemporaryFolder folder;
  const std::vector<float> values = {1};
  const auto tensor = to_write("w", {1}, values);
  ASSERT_TRUE(write_safetensors(folder / "a", std::vector{tensor}, {}));
  const std::string before = read_bytes(folder / "a");
  EXPECT_FALSE(write_safetensors(folder / "a", std::vector{tensor, tensor}, {}));
  EXPECT_FALSE(write_safetensors(folder / "a", std::vector{tensor}, {{"k", "\xff"}}));
  std::filesystem::create_directory(folder / "taken");
  EXPECT_FALSE(write_safetensors(folder / "taken", std::vector{tensor}, {}));
  EXPECT_FALSE(write_safetensors(folder / "no" / "such" / "folder", std::vector{tensor}, {}));
  EXPECT_EQ(read_bytes(folder / "a"), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 2);
}

}  // namespace
}  // namespace cambium::nn
