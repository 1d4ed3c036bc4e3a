#include "core/trunk/admission.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/trunk/finite.hpp"
#include "wire/tokens_generated.h"

namespace cambium::trunk {
namespace {

// As much of an id as people compare.
std::string short_hex(const base::Digest& id) {
  return base::to_hex(id).substr(0, 16);
}

Result<void> check_trunk(const flatbuffers::Vector<std::uint8_t>* bytes, const base::Digest& id) {
  base::Digest theirs{};
  if (bytes == nullptr || bytes->size() != theirs.size())
    return Error{Code::bad_data, fmt::format("trunk id has {} bytes, expected {}",
                                             bytes == nullptr ? 0 : bytes->size(), theirs.size())};
  std::copy(bytes->begin(), bytes->end(), theirs.begin());
  if (theirs != id)
    return Error{
        Code::incompatible,
        fmt::format("tokens are for trunk {}, this trunk is {}; use a bundle of this trunk",
                    short_hex(theirs), short_hex(id))};
  return {};
}

}  // namespace

Result<void> Admission::admit(const wire::Tokens& tokens, base::Nanoseconds now,
                              Request& request) const {
  request.request = tokens.request();
  request.robot_id = tokens.robot_id();
  request.generation = tokens.generation();
  request.arrived = now;
  request.session = nullptr;
  request.episode = tokens.episode();
  request.time_ns = tokens.time_ns();
  request.peek = tokens.peek();
  request.recall = Recall::none;
  request.steps = 0;
  request.deadline = tokens.deadline_us() == 0
                         ? kNoDeadline
                         : now + base::Nanoseconds{1000} * tokens.deadline_us();
  if (auto same = check_trunk(tokens.trunk(), id); !same) return same;
  if (tokens.width() != width)
    return Error{Code::incompatible,
                 fmt::format("tokens are {} wide, this trunk is {} wide", tokens.width(), width)};
  if (tokens.count() == 0 || tokens.count() > max_tokens)
    return Error{Code::incompatible,
                 fmt::format("{} tokens, this trunk takes 1 to {}", tokens.count(), max_tokens)};
  const std::size_t size = std::size_t{tokens.count()} * width;
  const auto* values = tokens.values();
  if (values == nullptr || values->size() != size)
    return Error{Code::bad_data,
                 fmt::format("{} values, expected {} ({} tokens of width {})",
                             values == nullptr ? 0 : values->size(), size, tokens.count(), width)};
  // FlatBuffers verifies offsets, not that an enum is one of its names.
  if (tokens.pooling() > wire::Pooling::MAX)
    return Error{Code::bad_data, fmt::format("pooling {}, expected 0 to {}",
                                             static_cast<unsigned>(tokens.pooling()),
                                             static_cast<unsigned>(wire::Pooling::MAX))};
  request.pooling = static_cast<nn::Pooling>(tokens.pooling());
  request.pooled = tokens.pooled();
  if (request.pooling == nn::Pooling::action_token &&
      (request.pooled == 0 || request.pooled > tokens.count()))
    return Error{Code::bad_data,
                 fmt::format("{} action tokens, expected 1 to {}", request.pooled, tokens.count())};
  if (!all_finite(values->data(), size))
    return Error{Code::not_finite, "tokens are not all finite"};
  request.count = tokens.count();
  request.tokens.assign(values->data(), values->data() + size);
  return {};
}

}  // namespace cambium::trunk
