#include "core/runtime/token_layout.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>

#include "core/runtime/generation.hpp"

namespace cambium::runtime {
namespace {

constexpr std::string_view kBetween = "; ";

// Up to the next part, which `text` begins with afterwards; empty at its end.
std::string_view take_part(std::string_view& text) {
  const auto end = text.find(kBetween);
  const auto part = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + kBetween.size());
  return part;
}

// The first part that differs.
std::string difference(std::string_view before, std::string_view next) {
  for (;;) {
    const auto old_part = take_part(before), new_part = take_part(next);
    if (old_part != new_part || (old_part.empty() && new_part.empty()))
      return fmt::format("'{}', before '{}'", new_part, old_part);
  }
}

}  // namespace

std::string token_layout(const nn::BundleSpec& bundle) {
  std::string text;
  for (const auto& entry : bundle.layout) {
    text += fmt::format("{} ({}) by {}{}", entry.sensor, fmt::join(entry.shape, ", "),
                        entry.shared ? "the stock's " : "", entry.stem);
    for (const auto& [key, value] : entry.parameters) text += fmt::format(" {}={}", key, value);
    text += fmt::format(": {}{}", entry.tokens, kBetween);
  }
  text += fmt::format("{} wide{}{} pooled", bundle.width, kBetween, nn::to_string(bundle.pooling));
  if (bundle.pooling == nn::Pooling::action_token) text += fmt::format(" {}", bundle.pooled);
  return text;
}

MemoryFate fate_of_memory(const Generation& old, const Generation& next) noexcept {
  const Policy *before = old.inference.policy(), *after = next.inference.policy();
  if (next.fresh_memory) return MemoryFate::asked;
  if (before == nullptr || after == nullptr) return MemoryFate::policy;
  if (before->shape().trunk != after->shape().trunk) return MemoryFate::trunk;
  if (old.body != next.body) return MemoryFate::body;
  if (before->token_layout() != after->token_layout()) return MemoryFate::layout;
  return MemoryFate::kept;
}

std::string why_fresh(const Generation& old, const Generation& next) {
  switch (fate_of_memory(old, next)) {
    case MemoryFate::kept:
      return "";
    case MemoryFate::asked:
      return "as was asked for";
    case MemoryFate::policy:
      return next.inference.policy() != nullptr ? "there was no bundle before" : "it has no bundle";
    case MemoryFate::trunk:
      return "another trunk";
    case MemoryFate::body:
      return "another body";
    case MemoryFate::layout:
      return "its tokens are laid out otherwise: " +
             difference(old.inference.policy()->token_layout(),
                        next.inference.policy()->token_layout());
  }
  return "";
}

}  // namespace cambium::runtime
