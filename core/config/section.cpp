#include "core/config/section.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "core/base/nearest.hpp"
#include "core/base/session_name.hpp"
#include "core/config/config.hpp"
#include "core/config/endpoint.hpp"

namespace cambium::config {
namespace {

const toml::table kEmpty;

const char* kind(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

// "'two' is a string": the value as it was written, cut where it would fill the screen.
std::string what_it_is(const toml::node& node) {
  if (node.is_table() || node.is_array()) return std::string("is ") + kind(node);
  std::ostringstream text;
  text << toml::node_view<const toml::node>(node);
  std::string value = text.str();
  if (value.size() > 60) value = value.substr(0, 57) + "...";
  return value + " is " + kind(node);
}

}  // namespace

bool is_name(std::string_view text) noexcept {
  return base::is_session_name(text) && text.find('.') == text.npos;
}

void Problems::add(toml::source_position where, std::string sentence) {
  problems_.push_back({where, std::move(sentence)});
}

Error Problems::error() const {
  auto sorted = problems_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Problem& a, const Problem& b) { return a.where < b.where; });
  std::string message;
  for (const auto& problem : sorted)
    message += fmt::format("{}{}:{}:{}: {}", message.empty() ? "" : "\n", file_, problem.where.line,
                           problem.where.column, problem.sentence);
  return Error{Code::bad_argument, std::move(message)};
}

Section::Section(const toml::table& table, std::string name, std::string label, Problems& problems)
    : table_(&table), name_(std::move(name)), label_(std::move(label)), problems_(&problems) {}

std::string Section::full(std::string_view key) const {
  return name_.empty() ? std::string(key) : name_ + "." + std::string(key);
}

const toml::node* Section::find(const char* key) {
  known_.insert(full(key));
  const toml::node* node = table_->get(key);
  if (node != nullptr) given_.insert(full(key));
  return node;
}

void Section::complain_at(toml::source_position where, std::string_view key,
                          const std::string& sentence) {
  const std::string in = label_.empty() ? "" : " in " + label_;
  problems_->add(where, fmt::format("key '{}'{}: {}", key, in, sentence));
}

void Section::complain(const char* key, const std::string& sentence) {
  const toml::node* node = table_->get(key);
  complain_at(node != nullptr ? node->source().begin : table_->source().begin, key, sentence);
}

std::uint32_t Section::line(const char* key) const {
  const toml::node* node = table_->get(key);
  return node == nullptr ? 0 : node->source().begin.line;
}

std::uint32_t Section::line() const {
  return table_->source().begin.line;
}

void Section::text(const char* key, std::string& value) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  if (!node->is_string()) return complain(key, what_it_is(*node) + ", expected a string");
  if (node->as_string()->get().empty()) return complain(key, "is empty, expected a string");
  // A zero byte would cut the text short for every system call that it reaches.
  if (node->as_string()->get().find('\0') != std::string::npos)
    return complain(key, "has a zero byte in it");
  value = node->as_string()->get();
}

void Section::name(const char* key, std::string& value) {
  std::string read;
  text(key, read);
  if (read.empty()) return;
  if (!is_name(read))
    return complain(key,
                    fmt::format("'{}' is no name, expected 1 to 64 letters, digits, '_' or '-'",
                                read.substr(0, 80)));
  value = std::move(read);
}

void Section::session(const char* key, std::string& value) {
  std::string read;
  text(key, read);
  if (read.empty()) return;
  if (!base::is_session_name(read))
    return complain(key, fmt::format("'{}' is no name of a session, expected 1 to 64 letters, "
                                     "digits, '_', '-' or '.', not beginning with '.'",
                                     read.substr(0, 80)));
  value = std::move(read);
}

void Section::path(const char* key, std::filesystem::path& value,
                   const std::filesystem::path& base) {
  std::string read;
  text(key, read);
  if (!read.empty()) value = (base / read).lexically_normal();
}

void Section::endpoint(const char* key, std::string& value, const std::filesystem::path& base,
                       Reach reach) {
  std::string read;
  text(key, read);
  if (read.empty()) return;
  auto checked = checked_endpoint(read, base, reach);
  if (!checked) return complain(key, checked.error().message);
  value = std::move(checked).value();
}

void Section::flag(const char* key, bool& value) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  if (!node->is_boolean()) return complain(key, what_it_is(*node) + ", expected true or false");
  value = node->as_boolean()->get();
}

void Section::count(const char* key, std::uint32_t& value, std::uint32_t min, std::uint32_t max) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  const std::string expected = fmt::format("expected an integer from {} to {}", min, max);
  if (!node->is_integer()) return complain(key, what_it_is(*node) + ", " + expected);
  const std::int64_t read = node->as_integer()->get();
  if (read < min || read > max) return complain(key, fmt::format("{}, {}", read, expected));
  value = static_cast<std::uint32_t>(read);
}

void Section::counts(const char* key, std::vector<std::uint32_t>& values, std::uint32_t min,
                     std::uint32_t max) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  const std::string expected = fmt::format("expected a list of integers from {} to {}", min, max);
  if (!node->is_array()) return complain(key, what_it_is(*node) + ", " + expected);
  std::vector<std::uint32_t> read;
  for (const toml::node& element : *node->as_array()) {
    if (!element.is_integer()) return complain(key, what_it_is(element) + ", " + expected);
    const std::int64_t number = element.as_integer()->get();
    if (number < min || number > max) return complain(key, fmt::format("{}, {}", number, expected));
    const auto count = static_cast<std::uint32_t>(number);
    if (std::find(read.begin(), read.end(), count) != read.end())
      return complain(key, fmt::format("{} stands there twice", number));
    read.push_back(count);
  }
  values = std::move(read);
}

void Section::real(const char* key, double& value, double min, double max) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  const std::string expected = fmt::format("expected a number from {} to {}", min, max);
  const auto read = node->is_number() ? node->value<double>() : std::nullopt;
  if (!read) return complain(key, what_it_is(*node) + ", " + expected);
  // Written so that NaN is refused too.
  if (!(*read >= min && *read <= max)) return complain(key, fmt::format("{}, {}", *read, expected));
  value = *read;
}

void Section::milliseconds(const char* key, std::chrono::milliseconds& value) {
  auto read = static_cast<std::uint32_t>(value.count());
  count(key, read, 1, 60'000);
  value = std::chrono::milliseconds(read);
}

void Section::texts(const char* key, std::vector<std::string>& values) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  const std::string expected = "expected a list of strings";
  if (!node->is_array()) return complain(key, what_it_is(*node) + ", " + expected);
  if (node->as_array()->empty()) return complain(key, "is empty, " + expected);
  std::vector<std::string> read;
  for (const toml::node& element : *node->as_array()) {
    if (!element.is_string()) return complain(key, what_it_is(element) + ", " + expected);
    const std::string& one = element.as_string()->get();
    if (one.empty() || one.find('\0') != one.npos)
      return complain(key, "has a string in it that is empty or holds a zero byte");
    read.push_back(one);
  }
  values = std::move(read);
}

void Section::text_map(const char* key, std::map<std::string, std::string>& values) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  if (!node->is_table())
    return complain(key, what_it_is(*node) + ", expected a table [" + full(key) + "]");
  for (const auto& [name, element] : *node->as_table()) {
    if (!element.is_string()) return complain(key, what_it_is(element) + ", expected a string");
    values[std::string(name.str())] = element.as_string()->get();
  }
}

void Section::choose(const char* key, std::size_t& index, const std::vector<std::string>& names) {
  std::string read;
  text(key, read);
  if (!read.empty()) (void)choose(key, read, index, names);
}

bool Section::choose(const char* key, const std::string& read, std::size_t& index,
                     const std::vector<std::string>& names) {
  const auto at = std::find(names.begin(), names.end(), read);
  if (at == names.end()) {
    const std::string near = base::nearest(read, names);
    const std::string hint = near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near);
    complain(key, fmt::format("'{}', expected '{}'{}", read, fmt::join(names, "' or '"), hint));
    return false;
  }
  index = static_cast<std::size_t>(at - names.begin());
  return true;
}

void Section::require(const char* key, const char* expected) {
  if (find(key) == nullptr) complain(key, fmt::format("missing, expected {}", expected));
}

Section Section::table(const char* key) {
  const toml::node* node = find(key);
  const std::string label = "[" + full(key) + "]";
  if (node != nullptr && !node->is_table())
    complain(key, fmt::format("{}, expected a table {}", what_it_is(*node), label));
  const toml::table* sub = node == nullptr ? nullptr : node->as_table();
  return {sub == nullptr ? kEmpty : *sub, full(key), label, *problems_};
}

std::vector<Section> Section::tables(const char* key) {
  std::vector<Section> sections;
  const toml::node* node = find(key);
  if (node == nullptr) return sections;
  const std::string label = "[[" + full(key) + "]]";
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    complain(key, fmt::format("{}, expected {} with two brackets, one for each", what_it_is(*node),
                              label));
    return sections;
  }
  for (const toml::node& element : *array) {
    if (element.is_table())
      sections.emplace_back(*element.as_table(), full(key), label, *problems_);
    else
      complain_at(element.source().begin, key,
                  fmt::format("{}, expected a table {}", what_it_is(element), label));
  }
  return sections;
}

void Section::finish() {
  std::vector<std::string> names;
  const std::size_t prefix = name_.empty() ? 0 : name_.size() + 1;
  for (const auto& key : known_) names.push_back(key.substr(prefix));
  for (const auto& [key, node] : *table_)
    if (std::find(names.begin(), names.end(), key.str()) == names.end())
      complain_at(key.source().begin, key.str(), "unknown" + base::did_you_mean(key.str(), names));
}

}  // namespace cambium::config
