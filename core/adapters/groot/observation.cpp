#include "core/adapters/groot/observation.hpp"

#include <cstring>
#include <string_view>
#include <utility>

#include "core/base/nearest.hpp"
#include "core/formats/text.hpp"

namespace cambium::groot {
namespace {

using formats::ArrayView;
using formats::Value;

Error wrong(const std::string& key, const std::string& why) {
  return {Code::bad_data, formats::shown(key) + " " + why};
}

// The first text in lists of any depth; null if there is none.
const std::string_view* first_text(const Value& value) {
  if (const auto* list = value.as<formats::List>()) {
    for (const Value& one : *list)
      if (const auto* text = first_text(one)) return text;
    return nullptr;
  }
  return value.as<std::string_view>();
}

bool is_task(std::string_view key) {
  if (key.starts_with("language.")) key.remove_prefix(9);
  return key == "task" || key.starts_with("annotation.");
}

class Reader {
 public:
  explicit Reader(Asked& to) : to_(to) {}

  Result<void> read(const Value& value, const std::string& key) {
    if (const auto* map = value.as<formats::Map>()) {
      for (const auto& [name, inner] : *map) {
        const auto* text = name.as<std::string_view>();
        if (!text) continue;  // Python's complex numbers: nothing of ours
        if (auto done =
                read(inner, key.empty() ? std::string(*text) : key + "." + std::string(*text));
            !done)
          return done;
      }
      return {};
    }
    if (const auto* array = value.as<ArrayView>()) return read_array(*array, key);
    if (const auto* text = first_text(value)) {
      take_task(*text, key);
    } else if (double number = 0; value.number(number)) {
      to_.numbers.push_back(number);
      to_.observation.entries.push_back({key, formats::view_of(to_.numbers.back())});
    }
    return {};
  }

 private:
  // Of several texts the one that GR00T's own data sets call the task.
  void take_task(std::string_view text, const std::string& key) {
    if (has_task_ && (task_is_named_ || !is_task(key))) return;
    to_.task = text;
    has_task_ = true;
    task_is_named_ = is_task(key);
  }

  Result<void> read_array(ArrayView array, const std::string& key) {
    if (array.element == formats::Element::text) {
      std::string text;
      if (formats::to_text(array, 0, text)) take_task(text, key);
      return {};
    }
    // What belongs to one moment: (rows, columns, colours), or the numbers of a state. Other arrays
    // have no axes that we know of.
    const bool video = key.starts_with("video."), known = video || key.starts_with("state.");
    const std::uint32_t own = video ? 3 : 1;
    if (known && array.rank == own + 2) {
      if (array.shape[0] != 1)
        return wrong(key, "has a batch of " + std::to_string(array.shape[0]) +
                              "; a client drives one robot: send batches of 1");
      to_.manner.batched = true;
      take_newest(array, 1);
    } else if (known && array.rank == own + 1) {
      take_newest(array, 0);
    }
    to_.observation.entries.push_back({key, array});
    return {};
  }

  // Takes off the time axis, which is `axis`, and those before it, whose length is 1.
  void take_newest(ArrayView& array, std::uint32_t axis) {
    const std::uint64_t moments = array.shape[axis];
    if (array.data.empty()) return;  // refused by whoever needs it
    ArrayView last = array;
    last.rank = array.rank - axis - 1;
    for (std::uint32_t i = 0; i < last.rank; ++i) last.shape[i] = array.shape[axis + 1 + i];
    const std::size_t size = array.data.size() / moments, step = array.element_bytes;
    if (!array.column_major || moments == 1) {
      last.data = array.data.last(size);
    } else {  // the moments of each number lie side by side
      auto& picture = to_.pictures.emplace_back(size);
      for (std::size_t i = 0; i < size / step; ++i)
        std::memcpy(&picture[i * step], &array.data[((i + 1) * moments - 1) * step], step);
      last.data = picture;
    }
    array = last;
  }

  Asked& to_;
  bool has_task_ = false, task_is_named_ = false;
};

// Since N1.6: {"observation", "options"}; whatever else is there is a mistake of the caller, which
// the original refuses too.
Result<void> only_known_keys(const formats::Map& data) {
  for (const auto& [key, value] : data) {
    const auto* name = key.as<std::string_view>();
    if (!name || (*name != "observation" && *name != "options"))
      return Error{Code::bad_data,
                   "data has an unknown key " + formats::shown(name ? *name : "?") +
                       base::did_you_mean(name ? *name : "", {"observation", "options"})};
  }
  return {};
}

bool is_map(const Value* value) {
  return value && value->as<formats::Map>();
}

}  // namespace

Result<void> read_observation(const formats::Value* data, formats::ArrayDialect dialect,
                              Asked& to) {
  if (!is_map(data))
    return Error{Code::bad_data, "get_action needs 'data', a map with the observation"};
  to.manner.dialect = dialect;
  const Value* observation = data;
  if (const Value* inner = data->find("observation")) {
    if (auto done = only_known_keys(*data->as<formats::Map>()); !done) return done;
    if (!is_map(inner)) return wrong("observation", "is no map");
    to.manner.listed = true;
    observation = inner;
  }
  to.manner.flat = !is_map(observation->find("video")) && !is_map(observation->find("state")) &&
                   !is_map(observation->find("language"));
  if (auto done = Reader(to).read(*observation, ""); !done) return done;
  to.observation.task = to.task;
  return {};
}

}  // namespace cambium::groot
