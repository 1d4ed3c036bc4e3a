#include "bench/transfer/row.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/base/nearest.hpp"

namespace cambium::transfer {
namespace {

using Json = nlohmann::ordered_json;

/// Reads key after key of one line; keeps the first thing that is wrong.
class Reader {
 public:
  explicit Reader(const Json& json) : json_(json) {}

  void read(const char* key, std::string& value) {
    if (const Json* found = find(key, "a string", &Json::is_string)) value = *found;
  }
  template <class Number>
  void read_count(const char* key, Number& value) {
    const Json* found = find(key, "a whole number", &Json::is_number_unsigned);
    if (!found) return;
    const auto number = found->get<std::uint64_t>();
    if (number > std::numeric_limits<Number>::max()) return fail(key, "a smaller number");
    value = static_cast<Number>(number);
  }
  void read(const char* key, double& value) {
    if (const Json* found = find(key, "a number", &Json::is_number)) value = *found;
  }
  /// null stands for what is no number.
  void read_if_any(const char* key, double& value) {
    if (const auto found = json_.find(key); found != json_.end() && found->is_null())
      seen_.emplace_back(key);
    else
      read(key, value);
  }
  std::string done() {
    for (const auto& [key, value] : json_.items())
      if (std::find(seen_.begin(), seen_.end(), key) == seen_.end() && wrong_.empty())
        wrong_ = fmt::format("unknown key '{}'{}", key, base::did_you_mean(key, seen_));
    return wrong_;
  }

 private:
  const Json* find(const char* key, const char* expected, bool (Json::*is)() const noexcept) {
    seen_.emplace_back(key);
    const auto found = json_.find(key);
    if (found != json_.end() && (*found.*is)()) return &*found;
    fail(key, expected);
    return nullptr;
  }
  void fail(const char* key, const char* expected) {
    if (!wrong_.empty()) return;
    const auto found = json_.find(key);
    wrong_ = found == json_.end()
                 ? fmt::format("key '{}' is missing", key)
                 : fmt::format("key '{}' is {}, expected {}", key, found->dump(), expected);
  }

  const Json& json_;
  std::vector<std::string> seen_;
  std::string wrong_;
};

}  // namespace

std::string to_line(const Row& row) {
  const RowKey& key = row.key;
  Json json = {{"revision", kRevision},
               {"task", key.task},
               {"body", key.body},
               {"mode", key.mode},
               {"variant", key.variant},
               {"demos", key.demos},
               {"seed", key.seed},
               {"steps", key.steps},
               {"attempts", key.attempts},
               {"replan", key.replan},
               {"goals", key.goals},
               {"stock", key.stock},
               {"recipe", key.recipe},
               {"succeeded", row.succeeded},
               {"time", row.time},
               {"val_loss", nullptr},
               {"trained_params", row.trained_params},
               {"seconds", row.seconds}};
  if (std::isfinite(row.val_loss)) json["val_loss"] = row.val_loss;
  return json.dump();
}

Result<Row> row_from(std::string_view line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Error{Code::bad_data, "is no JSON object"};
  std::uint32_t revision = 0;
  if (const auto found = json.find("revision"); found != json.end() &&
                                                found->is_number_unsigned() &&
                                                found->get<std::uint64_t>() != kRevision)
    return Row{};
  Row row;
  RowKey& key = row.key;
  Reader reader(json);
  reader.read_count("revision", revision);
  reader.read("task", key.task);
  reader.read("body", key.body);
  reader.read("mode", key.mode);
  reader.read("variant", key.variant);
  reader.read_count("demos", key.demos);
  reader.read_count("seed", key.seed);
  reader.read_count("steps", key.steps);
  reader.read_count("attempts", key.attempts);
  reader.read_count("replan", key.replan);
  reader.read_count("goals", key.goals);
  reader.read("stock", key.stock);
  reader.read("recipe", key.recipe);
  reader.read_count("succeeded", row.succeeded);
  reader.read("time", row.time);
  reader.read_if_any("val_loss", row.val_loss);
  reader.read_count("trained_params", row.trained_params);
  reader.read("seconds", row.seconds);
  if (const std::string wrong = reader.done(); !wrong.empty()) return Error{Code::bad_data, wrong};
  if (key.attempts == 0 || row.succeeded > key.attempts)
    return Error{Code::bad_data, fmt::format("{} of {} attempts succeeded, which cannot be",
                                             row.succeeded, key.attempts)};
  return row;
}

std::string describe(const RowKey& key) {
  return fmt::format("{} {} {}{}, {} demonstrations, seed {}, {} steps", key.task, key.body,
                     key.mode, key.variant.empty() ? "" : " (" + key.variant + ")", key.demos,
                     key.seed, key.steps);
}

}  // namespace cambium::transfer
