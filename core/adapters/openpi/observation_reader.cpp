#include "core/adapters/openpi/observation_reader.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "core/formats/text.hpp"

namespace cambium::openpi {
namespace {

using formats::Value;

constexpr std::string_view kTask = "prompt";
// Of a key with all that it is nested in: else few bytes of a message could ask for many.
constexpr std::size_t kLongestKey = 256;

bool number(const Value& value, double& to) {
  if (const bool* truth = value.as<bool>()) {
    to = *truth ? 1 : 0;
    return true;
  }
  return value.number(to);
}

Error bad(const std::string& sentence) {
  return Error{Code::bad_data, sentence};
}

}  // namespace

Result<void> ObservationReader::read(std::span<const std::byte> bytes) {
  observation_ = {};
  numbers_.clear();
  dialect_ = formats::ArrayDialect::openpi;
  auto message = formats::read_msgpack(bytes);
  if (!message) return message.error();
  message_ = std::move(*message);
  if (message_.dialect != formats::ArrayDialect::none) dialect_ = message_.dialect;
  const auto* map = message_.root.as<formats::Map>();
  if (!map) return bad("an observation is a dictionary of arrays");
  if (const Value* task = message_.root.find(kTask))
    if (const auto* text = task->as<std::string_view>()) observation_.task = *text;
  if (auto entered = enter_map("", *map); !entered) return entered;

  std::vector<std::string_view> keys;
  for (const auto& entry : observation_.entries) keys.push_back(entry.key);
  std::ranges::sort(keys);
  if (const auto twice = std::ranges::adjacent_find(keys); twice != keys.end())
    return bad("key " + formats::shown(*twice) + " comes twice: once with its slash, once nested");
  return {};
}

Result<void> ObservationReader::enter_map(const std::string& prefix, const formats::Map& map) {
  for (const auto& [name, value] : map) {
    const auto* key = name.as<std::string_view>();
    if (!key)
      return bad("the keys of " + (prefix.empty() ? "an observation" : formats::shown(prefix)) +
                 " have to be texts");
    if (prefix.size() + key->size() >= kLongestKey)
      return bad("a key has more than " + std::to_string(kLongestKey) + " bytes");
    if (auto entered =
            enter(prefix.empty() ? std::string(*key) : prefix + "/" + std::string(*key), value);
        !entered)
      return entered;
  }
  return {};
}

Result<void> ObservationReader::enter(const std::string& key, const Value& value) {
  if (const auto* array = value.as<formats::ArrayView>()) {
    observation_.entries.push_back({key, *array});
    return {};
  }
  if (const auto* map = value.as<formats::Map>()) return enter_map(key, *map);
  if (const auto* list = value.as<formats::List>()) return enter_list(key, *list);
  double one = 0;
  if (number(value, one))
    observation_.entries.push_back({key, formats::view_of(numbers_.emplace_back(1, one).front())});
  return {};
}

Result<void> ObservationReader::enter_list(const std::string& key, const formats::List& list) {
  std::vector<double> numbers(list.size());
  for (std::size_t i = 0; i < list.size(); ++i)
    if (!number(list[i], numbers[i])) return {};  // of something else
  const auto& kept = numbers_.emplace_back(std::move(numbers));
  formats::ArrayView array;  // of numbers as they are in memory here
  const std::array<std::uint64_t, 1> shape = {kept.size()};
  if (auto set = formats::set_data(array, shape, std::as_bytes(std::span(kept))); !set) return set;
  observation_.entries.push_back({key, array});
  return {};
}

}  // namespace cambium::openpi
