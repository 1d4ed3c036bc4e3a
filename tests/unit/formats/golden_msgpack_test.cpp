// Every capture of openpi's and GR00T's original clients and servers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/formats/msgpack.hpp"
#include "tests/support/golden_tree.hpp"

namespace cambium::formats {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const std::filesystem::path kWire = std::filesystem::path(CAMBIUM_GOLDEN) / "wire";

/// Sound msgpack whose meaning is wrong: the adapters refuse it, not the reader.
const std::set<std::string> kForThePolicyLayer = {
    "bad_data_list",     "bad_endpoint_int", "bad_endpoint_nil", "bad_no_endpoint",
    "bad_token_not_str", "bad_top_list",     "bad_top_nil",      "bad_top_str"};
/// Have a tree, because the original's reader takes them; ours refuses, as their `expect` says.
const std::set<std::string> kTooOddForUs = {"refuse_datetime", "refuse_int_key",
                                            "refuse_longdouble", "dialect_str_keys",
                                            "n17_structured_array"};

/// Have numpy's scalars, which we read and never write.
const std::set<std::string> kHaveScalars = {"rich_0", "n17_odd_arrays_token"};

/// Streams, HTTP and closing frames.
bool is_msgpack(const std::string& name) {
  return !name.starts_with("ws_") && !name.starts_with("healthz_") &&
         !name.starts_with("error_close_frame");
}

struct Capture {
  std::string name;  ///< without its endings
  std::filesystem::path bytes, json;
};

std::vector<Capture> captures(const std::string& protocol) {
  std::vector<Capture> all;
  const auto manifest = test::golden_json(kWire / "manifest.json");
  for (const auto& file : manifest["files"]) {
    const std::filesystem::path path = file["path"].get<std::string>();
    const std::string name = path.filename();
    if (path.parent_path() != protocol || path.extension() != ".bin" || !is_msgpack(name)) continue;
    all.push_back({name.substr(0, name.find('.')), kWire / path,
                   kWire / protocol / file["json"].get<std::string>()});
  }
  return all;
}

class GoldenMsgpack : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kWire)) GTEST_SKIP() << "no captures in " << kWire;
  }
};
INSTANTIATE_TEST_SUITE_P(Of, GoldenMsgpack, testing::Values("openpi", "groot"),
                         [](const auto& one) { return std::string(one.param); });

TEST_P(GoldenMsgpack, IsReadAsTheOriginalReadsIt) {
  std::size_t seen = 0;
  for (const auto& capture : captures(GetParam())) {
    const auto json = test::golden_json(capture.json);
    if (!json.contains("tree") || kTooOddForUs.contains(capture.name)) continue;
    const auto bytes = test::golden_bytes(capture.bytes);
    const auto message = read_msgpack(bytes);
    ASSERT_TRUE(message) << capture.bytes << ": " << message.error().message;
    EXPECT_EQ(test::GoldenTree::difference(json["tree"], message->root), "") << capture.bytes;
    ++seen;
  }
  EXPECT_GT(seen, 30u);
}

TEST_P(GoldenMsgpack, IsRefusedInASentenceWhereItIsForged) {
  std::size_t seen = 0;
  for (const auto& capture : captures(GetParam())) {
    const auto json = test::golden_json(capture.json);
    const bool odd = kTooOddForUs.contains(capture.name);
    if ((json.contains("tree") && !odd) || kForThePolicyLayer.contains(capture.name) ||
        capture.name.starts_with("npy_ok_"))
      continue;
    const auto bytes = test::golden_bytes(capture.bytes);
    const auto message = read_msgpack(bytes);
    ASSERT_FALSE(message) << capture.bytes;
    EXPECT_EQ(message.error().code, Code::bad_data);
    EXPECT_THAT(message.error().message, StartsWith("msgpack, byte ")) << capture.bytes;
    EXPECT_GT(message.error().message.size(), 25u) << message.error().message;
    ++seen;
  }
  EXPECT_GT(seen, 30u);
}

TEST_P(GoldenMsgpack, IsReadWhereOnlyItsMeaningIsWrong) {
  for (const auto& capture : captures(GetParam())) {
    if (!kForThePolicyLayer.contains(capture.name)) continue;
    const auto bytes = test::golden_bytes(capture.bytes);
    const auto message = read_msgpack(bytes);
    EXPECT_TRUE(message) << capture.bytes << ": " << message.error().message;
  }
}

/// The first array in a tree.
const ArrayView* first_array(const Value& value) {
  if (const auto* array = value.as<ArrayView>()) return array;
  if (const auto* map = value.as<Map>())
    for (const auto& [key, inner] : *map)
      if (const auto* found = first_array(inner)) return found;
  return nullptr;
}

TEST_P(GoldenMsgpack, HasNpyFilesOfEveryLegalForm) {
  std::set<std::string> names;
  for (const auto& capture : captures(GetParam())) {
    if (!capture.name.starts_with("npy_ok_")) continue;
    const auto bytes = test::golden_bytes(capture.bytes);
    const auto message = read_msgpack(bytes);
    ASSERT_TRUE(message) << capture.bytes << ": " << message.error().message;
    EXPECT_EQ(message->dialect, ArrayDialect::npy);
    const auto* array = first_array(message->root);
    ASSERT_TRUE(array) << capture.bytes;
    EXPECT_EQ(array->text(), "float32 (4)") << capture.bytes;
    names.insert(capture.name);
  }
  EXPECT_GE(names.size(), std::string(GetParam()) == "groot" ? 6u : 0u);
}

/// Writes what was read; false if the writer has no such array.
bool write(const Value& value, ArrayDialect dialect, MsgpackWriter& to) {
  if (value.as<std::monostate>()) return to.nil(), true;
  if (const auto* truth = value.as<bool>()) return to.boolean(*truth), true;
  if (const auto* integer = value.as<std::int64_t>()) return to.integer(*integer), true;
  if (const auto* real = value.as<double>()) return to.number(*real), true;
  if (const auto* text = value.as<std::string_view>()) return to.text(*text), true;
  if (const auto* bytes = value.as<Bytes>()) return to.binary(*bytes), true;
  if (const auto* list = value.as<List>()) {
    to.list(static_cast<std::uint32_t>(list->size()));
    for (const Value& inner : *list)
      if (!write(inner, dialect, to)) return false;
    return true;
  }
  if (const auto* map = value.as<Map>()) {
    to.map(static_cast<std::uint32_t>(map->size()));
    for (const auto& [key, inner] : *map)
      if (!write(key, dialect, to) || !write(inner, dialect, to)) return false;
    return true;
  }
  const auto* array = value.as<ArrayView>();
  if (!array || array->element != Element::f32 || array->big_endian || array->column_major)
    return false;
  std::vector<float> values(array->count());
  if (!to_floats(*array, values)) return false;
  to.array(dialect, std::span(array->shape).first(array->rank), values);
  return true;
}

TEST_P(GoldenMsgpack, IsWrittenByteForByteWhereTheWriterHasItsArrays) {
  std::size_t same = 0, other_arrays = 0;
  for (const auto& capture : captures(GetParam())) {
    const auto json = test::golden_json(capture.json);
    const std::string file = capture.bytes.filename();
    if (!json.contains("tree") || file.find(".req.") != std::string::npos ||
        kHaveScalars.contains(capture.name))
      continue;
    const auto bytes = test::golden_bytes(capture.bytes);
    const auto message = read_msgpack(bytes);
    ASSERT_TRUE(message) << file;
    MsgpackWriter writer;
    if (!write(message->root, message->dialect, writer)) {
      ++other_arrays;  // of float64, int64
      continue;
    }
    const auto written = writer.bytes();
    EXPECT_TRUE(std::ranges::equal(written, bytes)) << file;
    ++same;
  }
  RecordProperty("written", static_cast<int>(same));
  EXPECT_GT(same, std::string(GetParam()) == "groot" ? 40u : 3u) << other_arrays;
}

TEST_P(GoldenMsgpack, BorrowsPicturesFromTheMessage) {
  for (const auto& capture : captures(GetParam())) {
    if (capture.name != "aloha_sim_full_3x224x224" && capture.name != "n17_get_action_so100")
      continue;
    const auto bytes = test::golden_bytes(capture.bytes);
    const auto message = read_msgpack(bytes);
    ASSERT_TRUE(message) << message.error().message;
    const auto* array = first_array(message->root);
    if (!array) continue;  // the reply
    EXPECT_GE(array->data.data(), bytes.data());
    EXPECT_LE(array->data.data() + array->data.size(), bytes.data() + bytes.size());
  }
}

}  // namespace
}  // namespace cambium::formats
