#include "core/adapters/json/request.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cfloat>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "core/adapters/json/base64.hpp"
#include "core/adapters/json/long_texts.hpp"
#include "core/base/nearest.hpp"
#include "core/config/config.hpp"

namespace cambium::adapters {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kReadings = 256;    // of one observation
constexpr std::size_t kDepth = 6;         // of objects in one
constexpr std::size_t kKeyBytes = 256;    // of a key, with those around it
constexpr std::size_t kNameBytes = 1024;  // of a robot's name, a token, an id
constexpr std::size_t kTaskBytes = 4096;

enum class Top : std::uint8_t {
  robot,
  token,
  observation,
  task,
  episode_start,
  id,
  describe,
  ping,
  none
};
const std::vector<std::string> kTop = {"robot",         "token", "observation", "task",
                                       "episode_start", "id",    "describe",    "ping"};

struct Type {
  std::string_view name, descr;
};
constexpr std::array kTypes = {
    Type{"uint8", "|u1"},   Type{"int8", "|i1"},    Type{"uint16", "<u2"},  Type{"int16", "<i2"},
    Type{"uint32", "<u4"},  Type{"int32", "<i4"},   Type{"uint64", "<u8"},  Type{"int64", "<i8"},
    Type{"float16", "<f2"}, Type{"float32", "<f4"}, Type{"float64", "<f8"}, Type{"bool", "|b1"}};

/// Nested lists as they are read: how long the lists of each level are.
struct Lists {
  std::vector<std::uint64_t> open;  ///< elements so far, of each list that is not at its end
  std::array<std::uint64_t, formats::ArrayView::kMaxRank> shape{};
  std::uint32_t known = 0;  ///< bit d: shape[d] was seen
  std::size_t rank = 0;     ///< where the numbers are
  std::vector<float> numbers;
};

/// Is called for each value in the order of the text; false ends the reading.
class Handler {
 public:
  Handler(Request& to, Refusal& why, std::span<const LongText> long_texts)
      : to_(to), why_(why), long_texts_(long_texts) {}

  bool null() { return fail("null is no value here; NaN has no place in JSON either"); }
  bool boolean(bool value) {
    if (in_list()) return fail("true or false among numbers");
    if (!top_only("true or false")) return false;
    switch (key_) {
      case Top::episode_start:
        to_.episode_start = value;
        return true;
      case Top::describe:
      case Top::ping:
        if (!value) return fail("is true or left out");
        kinds_ |= key_ == Top::ping ? 2 : 4;
        return true;
      default:
        return fail("true or false is no value of this key");
    }
  }
  bool number_integer(Json::number_integer_t value) {
    return is_id() ? (to_.id = std::to_string(value), true) : number(static_cast<double>(value));
  }
  bool number_unsigned(Json::number_unsigned_t value) {
    return is_id() ? (to_.id = std::to_string(value), true) : number(static_cast<double>(value));
  }
  bool number_float(double value, const std::string& text) {
    if (!is_id()) return number(value);
    if (text.size() > kNameBytes) return fail("too long");
    to_.id = text;
    return true;
  }
  bool string(std::string& value) {
    const std::string_view taken = taken_text();
    if (in_list()) return fail("a text among numbers");
    if (objects_.size() > 1) return packed(taken.empty() ? std::string_view(value) : taken);
    if (!top_only("a text")) return false;
    if (!taken.empty() || value.size() > (key_ == Top::task ? kTaskBytes : kNameBytes))
      return fail("too long a text");
    switch (key_) {
      case Top::robot:
        if (!config::is_name(value)) return fail("no name that a robot may have");
        to_.robot = std::move(value);
        return true;
      case Top::token:
        to_.token = std::move(value);
        return true;
      case Top::task:
        to_.task = std::move(value);
        return true;
      case Top::id:
        to_.id = Json(value).dump();
        return true;
      default:
        return fail("a text is no value of this key");
    }
  }
  bool binary(Json::binary_t&) { return fail("bytes"); }

  bool start_object(std::size_t) {
    if (in_list()) return fail("an object among numbers");
    if (objects_.empty()) {
      objects_.emplace_back();
      return true;
    }
    if (objects_.size() == 1) {
      if (key_ != Top::observation) return fail("an object is no value of this key");
      kinds_ |= 1;
      objects_.emplace_back();
      return true;
    }
    if (objects_.size() > kDepth)
      return fail("objects nested deeper than " + std::to_string(kDepth));
    Object inner;
    inner.prefix = name_ + "/";
    objects_.push_back(std::move(inner));
    return true;
  }
  bool key(std::string& name) {
    Object& object = objects_.back();
    if (!taken_text().empty()) return fail("too long a key");
    if (objects_.size() == 1) {
      const auto found = std::ranges::find(kTop, name);
      where_ = name;
      if (found == kTop.end())
        return fail("no key of a message" + base::did_you_mean(name.substr(0, 64), kTop));
      key_ = static_cast<Top>(found - kTop.begin());
    } else {
      name_ = object.prefix + name;
      where_ = name_;
      if (name_.size() > kKeyBytes) return fail("too long a key");
      if (++keys_ > kReadings) return fail("more than " + std::to_string(kReadings) + " keys");
    }
    return object.keys.insert(name).second || fail("the key comes twice");
  }
  bool end_object() {
    Object object = std::move(objects_.back());
    objects_.pop_back();
    where_ = object.prefix.substr(0, object.prefix.size() - (object.prefix.empty() ? 0 : 1));
    return (!object.base64 && !object.dtype) || unpack(object);
  }

  bool start_array(std::size_t) {
    if (!in_list()) {
      if (objects_.size() < 2) return top_only("a list") && fail("a list is no value of this key");
      lists_ = {};
    }
    const std::size_t level = lists_.open.size();
    if (level > 0) ++lists_.open.back();
    if (lists_.rank != 0 && level >= lists_.rank) return fail("lists and numbers side by side");
    if (level == formats::ArrayView::kMaxRank)
      return fail("lists nested deeper than " + std::to_string(formats::ArrayView::kMaxRank));
    lists_.open.push_back(0);
    return true;
  }
  bool end_array() {
    const std::size_t level = lists_.open.size() - 1;
    const std::uint64_t count = lists_.open.back();
    lists_.open.pop_back();
    if ((lists_.known >> level & 1U) != 0 && lists_.shape[level] != count)
      return fail("lists of different lengths: " + std::to_string(lists_.shape[level]) + " and " +
                  std::to_string(count));
    lists_.known |= 1U << level;
    lists_.shape[level] = count;
    return level > 0 || finish_lists();
  }

  bool parse_error(std::size_t at, const std::string&, const nlohmann::detail::exception& error) {
    if (!why_.message.empty()) return false;
    const std::string_view what = error.what();
    why_.code = Code::bad_data;
    std::size_t taken = 0;
    for (const LongText& one : long_texts_)
      if (one.at < at) taken += one.text.size();
    why_.message = "byte " + std::to_string(at + taken) + ": ";
    if (error.id == 406)
      why_.message += "a number that is too large";
    else if (what.find("UTF-8") != std::string_view::npos)
      why_.message += "a text that is not UTF-8";
    else
      why_.message += "this is not JSON";
    return false;
  }

  /// After the last byte.
  bool finish() {
    where_.clear();
    std::vector<std::string_view> names;
    for (const auto& reading : to_.readings) names.push_back(reading.key);
    std::ranges::sort(names);
    if (const auto twice = std::ranges::adjacent_find(names); twice != names.end()) {
      where_ = *twice;  // "a/b", and b in a
      return fail("the key comes twice");
    }
    if (std::popcount(kinds_) > 1) return fail("more than one of observation, describe and ping");
    if (kinds_ == 0) return fail("neither observation nor describe nor ping");
    to_.kind = kinds_ == 1   ? Request::Kind::observation
               : kinds_ == 2 ? Request::Kind::ping
                             : Request::Kind::describe;
    return true;
  }

 private:
  /// An object that is not at its end: the message itself, its observation, what is nested there.
  struct Object {
    std::string prefix;
    std::set<std::string, std::less<>> keys;
    std::optional<std::string> dtype;  ///< of an array as bytes
    std::optional<std::vector<std::byte>> base64;
  };

  bool fail(const std::string& message) {
    why_.code = Code::bad_data;
    why_.message = message;
    why_.key = where_.substr(0, kKeyBytes);
    return false;
  }
  bool in_list() const { return !lists_.open.empty(); }
  bool is_id() const { return objects_.size() == 1 && key_ == Top::id; }
  bool top_only(const char* what) {
    if (objects_.size() == 1) return true;
    return fail(std::string(what) +
                (objects_.empty() ? " instead of an object" : " is no reading of a sensor"));
  }

  bool number(double value) {
    if (objects_.size() < 2)
      return top_only("a number") && fail("a number is no value of this key");
    if (std::abs(value) > FLT_MAX) return fail("a number that is too large");
    if (!in_list()) {
      lists_ = {};
      lists_.numbers.push_back(static_cast<float>(value));
      return finish_lists();
    }
    const std::size_t level = lists_.open.size();
    if (lists_.rank == 0) {
      if ((lists_.known >> level) != 0) return fail("lists and numbers side by side");
      lists_.rank = level;
    } else if (lists_.rank != level) {
      return fail("lists and numbers side by side");
    }
    ++lists_.open.back();
    lists_.numbers.push_back(static_cast<float>(value));
    return true;
  }

  bool finish_lists() {
    const auto rank = static_cast<std::size_t>(std::bit_width(lists_.known));
    Request::Reading reading;
    reading.key = name_;
    reading.numbers = std::move(lists_.numbers);
    (void)formats::read_descr(std::endian::native == std::endian::little ? "<f4" : ">f4",
                              reading.array);
    const auto done = formats::set_data(reading.array, std::span(lists_.shape).first(rank),
                                        std::as_bytes(std::span(reading.numbers)));
    if (!done) return fail(done.error().message);
    to_.readings.push_back(std::move(reading));
    return true;
  }

  /// What was taken out of the next text or key; empty: nothing.
  std::string_view taken_text() {
    const std::size_t number = texts_++;
    if (next_long_ == long_texts_.size() || long_texts_[next_long_].number != number) return {};
    return long_texts_[next_long_++].text;
  }

  bool packed(std::string_view value) {
    const bool inner = objects_.size() > 2;
    if (inner && name_.ends_with("/base64")) {
      if (!read_base64(value, objects_.back().base64.emplace()))
        return fail(
            "its base64 has other letters than A-Z a-z 0-9 + / = or no whole groups of four");
    } else if (inner && name_.ends_with("/dtype") && value.size() <= kNameBytes) {
      objects_.back().dtype = value;
    } else {
      return fail("a text is no reading of a sensor");
    }
    return true;
  }

  /// {"shape": […], "dtype": "uint8", "base64": "…"}: the shape was read as if it were a reading.
  bool unpack(Object& object) {
    if (object.keys.size() != 3 || !object.keys.contains("shape") || !object.base64 ||
        !object.dtype)
      return fail("an array as bytes has shape, dtype and base64, and nothing else");
    Request::Reading reading;
    reading.key = where_;
    if (to_.readings.empty() || to_.readings.back().key != object.prefix + "shape")
      return fail("an array as bytes has a list as shape");
    const std::vector<float> sizes = std::move(to_.readings.back().numbers);
    const bool list = to_.readings.back().array.rank == 1;
    to_.readings.pop_back();
    std::vector<std::uint64_t> shape;
    for (const float size : sizes) {
      // Beyond, a float does not have every integer; no array of a message is as long.
      if (!(size >= 0 && size <= 1 << 24) || size != std::floor(size))
        return fail("a shape has sizes from 0 to 16777216");
      shape.push_back(static_cast<std::uint64_t>(size));
    }
    if (!list) return fail("an array as bytes has a list as shape");
    const auto type = std::ranges::find(kTypes, *object.dtype, &Type::name);
    if (type == kTypes.end()) {
      std::vector<std::string> names;
      for (const Type& one : kTypes) names.emplace_back(one.name);
      return fail("no such dtype" + base::did_you_mean(object.dtype->substr(0, 64), names));
    }
    reading.packed = std::move(*object.base64);
    (void)formats::read_descr(type->descr, reading.array);
    if (const auto done = formats::set_data(reading.array, shape, reading.packed); !done)
      return fail(done.error().message);
    to_.readings.push_back(std::move(reading));
    return true;
  }

  Request& to_;
  Refusal& why_;
  std::span<const LongText> long_texts_;
  std::size_t next_long_ = 0;
  std::size_t texts_ = 0;
  std::vector<Object> objects_;
  Top key_ = Top::none;
  std::string name_;   // of the reading
  std::string where_;  // the key to blame
  Lists lists_;
  std::size_t keys_ = 0;
  unsigned kinds_ = 0;  // 1 observation, 2 ping, 4 describe
};

}  // namespace

bool read_request(std::string_view text, Request& to, Refusal& why) {
  to = {};
  why = {};
  std::string rest;
  const auto long_texts = take_long_texts(text, kTaskBytes, rest);  // no other text may be longer
  if (!long_texts.empty()) text = rest;
  Handler handler(to, why, long_texts);
  return Json::sax_parse(text.begin(), text.end(), &handler) && handler.finish();
}

}  // namespace cambium::adapters
