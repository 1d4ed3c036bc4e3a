#include "core/formats/value.hpp"

namespace cambium::formats {

const Value* Value::find(std::string_view key) const noexcept {
  const Map* map = as<Map>();
  if (const auto* object = as<Object>()) map = &object->fields;
  if (!map) return nullptr;
  for (const auto& [name, value] : *map)
    if (const auto* text = name.as<std::string_view>(); text && *text == key) return &value;
  return nullptr;
}

bool Value::number(double& to) const noexcept {
  if (const auto* real = as<double>())
    to = *real;
  else if (const auto* integer = as<std::int64_t>())
    to = static_cast<double>(*integer);
  else if (const auto* large = as<std::uint64_t>())
    to = static_cast<double>(*large);
  else if (const auto* truth = as<bool>())
    to = *truth ? 1 : 0;
  else
    return false;
  return true;
}

}  // namespace cambium::formats
