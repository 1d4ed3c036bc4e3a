// core/config/section.hpp: one table of the file, read key by key. Not seen outside this folder: it
// knows toml++.
#pragma once

#include <toml++/toml.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"
#include "core/config/endpoint.hpp"

namespace cambium::config {

/// Everything that is wrong with one file.
class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}

  void add(toml::source_position where, std::string sentence);
  bool empty() const noexcept { return problems_.empty(); }
  /// All of them, one a line, in the order of the file.
  Error error() const;

 private:
  struct Problem {
    toml::source_position where;
    std::string sentence;
  };
  std::string file_;
  std::vector<Problem> problems_;
};

/// One table. A read of a key that is absent leaves the value as it was, so defaults are the
/// values that structs start with. finish() complains about every key that nobody read.
class Section {
 public:
  /// name   "trunk", "robot.gate"; empty for the file itself
  /// label  as people write it: "[trunk]", "[robot.gate]"
  /// Borrows `table` and `problems`.
  Section(const toml::table& table, std::string name, std::string label, Problems& problems);

  void text(const char* key, std::string& value);
  void name(const char* key, std::string& value);     ///< letters, digits, '_' and '-'
  void session(const char* key, std::string& value);  ///< the same and '.', but not as the first
  void path(const char* key, std::filesystem::path& value, const std::filesystem::path& base);
  void endpoint(const char* key, std::string& value, const std::filesystem::path& base,
                Reach reach);
  void flag(const char* key, bool& value);
  void count(const char* key, std::uint32_t& value, std::uint32_t min, std::uint32_t max);
  /// A list of them, each only once.
  void counts(const char* key, std::vector<std::uint32_t>& values, std::uint32_t min,
              std::uint32_t max);
  void real(const char* key, double& value, double min, double max);
  void milliseconds(const char* key, std::chrono::milliseconds& value);  ///< 1 to 60000
  /// One text or more.
  void texts(const char* key, std::vector<std::string>& values);
  /// A table of any names, each with a text.
  void text_map(const char* key, std::map<std::string, std::string>& values);
  /// A name out of `names`, which are the enumerators in order.
  template <class E>
  void choice(const char* key, E& value, const std::vector<std::string>& names) {
    std::size_t index = static_cast<std::size_t>(value);
    choose(key, index, names);
    value = static_cast<E>(index);
  }
  /// One or more of them.
  template <class E>
  void choices(const char* key, std::vector<E>& values, const std::vector<std::string>& names) {
    std::vector<std::string> read;
    texts(key, read);
    values.clear();
    for (const auto& one : read) {
      std::size_t index = 0;
      if (!choose(key, one, index, names)) return;
      values.push_back(static_cast<E>(index));
    }
  }
  /// Complains that `key` is missing unless it is there.
  void require(const char* key, const char* expected);

  /// The sub-table of that name; empty if the file has none. Its name is "<name>.<key>".
  Section table(const char* key);
  /// The tables of [[key]].
  std::vector<Section> tables(const char* key);
  void finish();

  /// "key 'x' in [trunk]: sentence", at the key's value.
  void complain(const char* key, const std::string& sentence);
  /// Line of the key's value; 0 if it is absent.
  std::uint32_t line(const char* key) const;
  /// Line where the table begins.
  std::uint32_t line() const;
  /// Full names of the keys that were read, and of those that the file sets.
  const std::set<std::string>& known() const noexcept { return known_; }
  const std::set<std::string>& given() const noexcept { return given_; }

 private:
  const toml::node* find(const char* key);
  void choose(const char* key, std::size_t& index, const std::vector<std::string>& names);
  bool choose(const char* key, const std::string& read, std::size_t& index,
              const std::vector<std::string>& names);
  std::string full(std::string_view key) const;
  void complain_at(toml::source_position where, std::string_view key, const std::string& sentence);

  const toml::table* table_;
  std::string name_;
  std::string label_;
  Problems* problems_;
  std::set<std::string> known_, given_;
};

/// Collects what each section of a file knew and was given.
struct Keys {
  std::set<std::string> known, given;

  /// Unknown keys of the section are complained about here.
  void close(Section& section) {
    section.finish();
    known.insert(section.known().begin(), section.known().end());
    given.insert(section.given().begin(), section.given().end());
  }
};

}  // namespace cambium::config
