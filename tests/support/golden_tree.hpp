// tests/support/golden_tree.hpp: the trees of ../shared/golden/wire (its README describes them)
// against what a reader of ours made of the same bytes.
#pragma once

#include <array>
#include <bit>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/sha256.hpp"
#include "core/formats/value.hpp"

namespace cambium::test {

using Json = nlohmann::json;

inline std::vector<std::byte> golden_bytes(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

inline Json golden_json(const std::filesystem::path& file) {
  std::ifstream in(file);
  return Json::parse(in);
}

/// The element bytes in row-major order, which is what the captures' sums are of.
inline std::vector<std::byte> row_major(const formats::ArrayView& array) {
  if (!array.column_major || array.rank < 2) return {array.data.begin(), array.data.end()};
  std::vector<std::byte> out;
  std::array<std::uint64_t, formats::ArrayView::kMaxRank> index{};
  for (std::uint64_t n = array.count(); n > 0; --n) {
    std::uint64_t at = 0;
    for (std::uint32_t i = array.rank; i-- > 0;) at = at * array.shape[i] + index[i];
    const auto element = array.data.subspan(at * array.element_bytes, array.element_bytes);
    out.insert(out.end(), element.begin(), element.end());
    for (std::uint32_t i = array.rank; i-- > 0;) {
      if (++index[i] < array.shape[i]) break;
      index[i] = 0;
    }
  }
  return out;
}

/// Says how `value` differs from the tree, at the first place where it does; empty: nowhere.
class GoldenTree {
 public:
  static std::string difference(const Json& tree, const formats::Value& value) {
    return node(tree, value, "root");
  }

 private:
  using Value = formats::Value;

  static std::string sum(std::span<const std::byte> bytes) {
    base::Sha256 sha;
    sha.update(bytes);
    return base::to_hex(sha.finish());
  }
  static std::string hex(std::span<const std::byte> bytes) {
    std::string out;
    for (const std::byte b : bytes)
      for (const unsigned half : {unsigned(b) >> 4, unsigned(b) & 15U})
        out += "0123456789abcdef"[half];
    return out;
  }
  static double number(const Json& json) {
    if (!json.is_string()) return json.is_boolean() ? double(json.get<bool>()) : json.get<double>();
    return json == "nan"   ? std::numeric_limits<double>::quiet_NaN()
           : json == "inf" ? std::numeric_limits<double>::infinity()
                           : -std::numeric_limits<double>::infinity();
  }

  static std::string node(const Json& tree, const Value& value, const std::string& at) {
    const std::string type = tree.at("t");
    if (type == "map" || type == "dict") {
      const auto* map = value.as<formats::Map>();
      return map ? entries(tree["v"], *map, at) : at + ": is no map";
    }
    if (type == "object") {
      const auto* object = value.as<formats::Object>();
      if (!object) return at + ": is no object";
      const std::string name = std::string(object->module) + " " + std::string(object->name);
      if (name != tree["class"]) return at + ": is a " + name;
      return entries(tree["v"], object->fields, at);
    }
    if (type == "array" || type == "list" || type == "tuple") {
      const auto* list = value.as<formats::List>();
      if (!list || list->size() != tree["v"].size()) return at + ": is no list of as many";
      for (std::size_t i = 0; i < list->size(); ++i)
        if (auto d = node(tree["v"][i], (*list)[i], at + "/" + std::to_string(i)); !d.empty())
          return d;
      return "";
    }
    if (type == "ndarray") {
      const auto* array = value.as<formats::ArrayView>();
      return array ? numbers(tree, *array, at) : at + ": is no array";
    }
    if (type == "npscalar") return node(tree["v"], value, at);
    return same_leaf(type, tree, value) ? "" : at + ": is not " + tree.dump().substr(0, 100);
  }

  static bool same_leaf(const std::string& type, const Json& tree, const Value& value) {
    if (type == "nil") return value.as<std::monostate>() != nullptr;
    if (type == "bool") return value.as<bool>() && *value.as<bool>() == tree["v"].get<bool>();
    if (type == "str")
      return value.as<std::string_view>() &&
             *value.as<std::string_view>() == tree["v"].get<std::string>();
    if (type == "int") {
      if (const auto* large = value.as<std::uint64_t>())
        return tree["v"].is_number_unsigned() && tree["v"].get<std::uint64_t>() == *large;
      return value.as<std::int64_t>() && tree["v"] == *value.as<std::int64_t>();
    }
    if (type == "float") {
      const auto bits = std::stoull(tree["bits"].get<std::string>(), nullptr, 16);
      return value.as<double>() && std::bit_cast<std::uint64_t>(*value.as<double>()) == bits;
    }
    if (type == "bin") {
      const auto* bytes = value.as<formats::Bytes>();
      if (!bytes || bytes->size() != tree["len"].get<std::size_t>()) return false;
      return tree.contains("hex") ? hex(*bytes) == tree["hex"] : sum(*bytes) == tree["sha256"];
    }
    return false;
  }

  static std::string entries(const Json& tree, const formats::Map& map, const std::string& at) {
    if (map.size() != tree.size()) return at + ": has " + std::to_string(map.size()) + " entries";
    for (std::size_t i = 0; i < map.size(); ++i) {
      const Json& key = tree[i]["k"];
      const std::string place = at + "/" + (key.is_string() ? key.get<std::string>() : key.dump());
      const Json wanted = key.is_string() ? Json{{"t", "str"}, {"v", key}} : key;
      if (auto d = node(wanted, map[i].first, place + " (the key)"); !d.empty()) return d;
      if (auto d = node(tree[i]["v"], map[i].second, place); !d.empty()) return d;
    }
    return "";
  }

  static std::string numbers(const Json& tree, const formats::ArrayView& array,
                             const std::string& at) {
    formats::ArrayView type;
    if (!formats::read_descr(tree["dtype"].get<std::string>(), type))
      return at + ": of a type that is refused";
    if (type.element != array.element || type.element_bytes != array.element_bytes ||
        (type.big_endian != array.big_endian && array.element_bytes > 1))
      return at + ": is " + array.text();
    if (tree["shape"].size() != array.rank) return at + ": is " + array.text();
    for (std::uint32_t i = 0; i < array.rank; ++i)
      if (tree["shape"][i] != array.shape[i]) return at + ": is " + array.text();
    const bool fortran =
        tree.value("fortran_order", false) || tree.value("pickle_order", "C") == "F";
    if (fortran != array.column_major) return at + ": in another order";
    const auto ordered = row_major(array);
    if (sum(ordered) != tree["sha256"]) return at + ": has other bytes";
    if (tree.contains("wire_sha256") && sum(array.data) != tree["wire_sha256"])
      return at + ": has other bytes in the message";
    if (!tree.contains("values")) return "";
    const Json& values = tree["values"];
    std::string text;
    std::vector<float> floats(array.count());
    const bool readable = formats::to_floats(array, floats);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::string place = at + "[" + std::to_string(i) + "]";
      if (array.element == formats::Element::text) {
        if (!formats::to_text(array, i, text) || values[i] != text) return place + ": " + text;
      } else if (array.element != formats::Element::bytes) {
        const auto wanted = static_cast<float>(number(values[i]));
        if (!readable || !(floats[i] == wanted || (floats[i] != floats[i] && wanted != wanted)))
          return place + ": another number";
      }
    }
    return "";
  }
};

}  // namespace cambium::test
