// tests/support/json_schema.hpp: messages against the schemas that are published; knows the words
// of JSON Schema that those use, and no others.
#pragma once

#include <regex.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace cambium::test {

class JsonSchema {
 public:
  using Json = nlohmann::json;

  explicit JsonSchema(const std::filesystem::path& file) {
    std::ifstream in(file);
    root_ = Json::parse(in);
  }

  /// Where and why a message does not fit; empty: it does.
  std::string misfit(const Json& message) const { return check(root_, message, "message"); }

 private:
  static bool is(const std::string& type, const Json& value) {
    if (type == "null") return value.is_null();
    if (type == "boolean") return value.is_boolean();
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    if (type == "string") return value.is_string();
    if (type == "array") return value.is_array();
    return type == "object" && value.is_object();
  }

  // POSIX: GCC 12 sees uninitialised memory in std::regex where sanitizers are on.
  static bool matches(const std::string& pattern, const std::string& text) {
    regex_t compiled;
    if (::regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB) != 0) return false;
    const bool found = ::regexec(&compiled, text.c_str(), 0, nullptr, 0) == 0;
    ::regfree(&compiled);
    return found;
  }

  std::string check(const Json& schema, const Json& value, const std::string& at) const {
    static const std::set<std::string> kKnown = {"$schema", "title",      "description",
                                                 "type",    "properties", "required",
                                                 "items",   "enum",       "additionalProperties",
                                                 "const",   "oneOf",      "$ref",
                                                 "$defs",   "minimum",    "maximum",
                                                 "pattern", "maxItems",   "maxLength"};
    for (const auto& [word, ignored] : schema.items())
      if (!kKnown.contains(word)) return at + ": the schema says '" + word + "', unknown here";
    if (schema.contains("$ref")) {
      const std::string name =
          schema["$ref"].get<std::string>().substr(std::string("#/$defs/").size());
      if (auto why = check(root_.at("$defs").at(name), value, at); !why.empty()) return why;
    }
    if (schema.contains("oneOf")) {
      int fits = 0;
      std::string why;
      for (const auto& one : schema["oneOf"]) {
        const auto not_this = check(one, value, at);
        fits += not_this.empty();
        why += not_this + "; ";
      }
      if (fits != 1) return at + ": fits " + std::to_string(fits) + " of the forms: " + why;
    }
    if (schema.contains("type")) {
      bool any = false;
      const Json& types = schema["type"];
      for (const auto& type : types.is_array() ? types : Json::array({types}))
        any = any || is(type.get<std::string>(), value);
      if (!any) return at + ": is no " + types.dump();
    }
    if (schema.contains("const") && value != schema["const"]) return at + ": is another value";
    if (schema.contains("enum") &&
        std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end())
      return at + ": none of " + schema["enum"].dump();
    if (value.is_number()) {
      if (schema.contains("minimum") && value < schema["minimum"]) return at + ": too small";
      if (schema.contains("maximum") && value > schema["maximum"]) return at + ": too large";
    }
    if (value.is_string()) {
      const auto text = value.get<std::string>();
      if (schema.contains("maxLength") && text.size() > schema["maxLength"])
        return at + ": too long";
      if (schema.contains("pattern") && !matches(schema["pattern"].get<std::string>(), text))
        return at + ": has other letters";
    }
    if (value.is_array()) {
      if (schema.contains("maxItems") && value.size() > schema["maxItems"])
        return at + ": too long";
      if (schema.contains("items"))
        for (const auto& item : value)
          if (auto why = check(schema["items"], item, at + "[]"); !why.empty()) return why;
    }
    return value.is_object() ? check_object(schema, value, at) : "";
  }

  std::string check_object(const Json& schema, const Json& value, const std::string& at) const {
    if (schema.contains("required"))
      for (const auto& key : schema["required"])
        if (!value.contains(key)) return at + ": lacks " + key.dump();
    for (const auto& [key, inner] : value.items()) {
      const std::string place = at + "." + key;
      if (schema.contains("properties") && schema["properties"].contains(key)) {
        if (auto why = check(schema["properties"][key], inner, place); !why.empty()) return why;
      } else if (schema.contains("additionalProperties")) {
        const Json& more = schema["additionalProperties"];
        if (more.is_boolean() && !more.get<bool>()) return place + ": is not expected";
        if (more.is_object())
          if (auto why = check(more, inner, place); !why.empty()) return why;
      }
    }
    return "";
  }

  Json root_;
};

}  // namespace cambium::test
