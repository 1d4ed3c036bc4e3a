// tests/support/tokens.hpp: a host's requests to a trunk, easy to write and to spoil.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/sha256.hpp"
#include "wire/tokens_generated.h"

namespace cambium::test {

inline base::Digest digest(unsigned char fill) {
  base::Digest id;
  id.fill(fill);
  return id;
}

/// Numbers that differ from each other and between seeds.
inline std::vector<float> some_tokens(std::size_t size, unsigned seed) {
  std::vector<float> values(size);
  for (std::size_t i = 0; i < size; ++i)
    values[i] = static_cast<float>((i * 37 + seed * 101) % 97) * 0.03f - 1.4f;
  return values;
}

/// One message; the fields are those of the schema.
struct TokensMessage {
  std::uint64_t request = 1;
  std::uint32_t robot_id = 7;
  std::uint64_t generation = 3;
  std::vector<std::uint8_t> trunk = std::vector<std::uint8_t>(32, 0xab);
  std::uint32_t deadline_us = 0;
  std::uint8_t pooling = 0;
  std::uint32_t pooled = 0;
  std::uint32_t count = 2;
  std::uint32_t width = 4;
  std::vector<float> values = some_tokens(8, 0);
  std::string session;  ///< empty: none
  std::uint64_t owner = 0, episode = 0;
  std::int64_t time_ns = 0;
  bool peek = false;

  std::vector<std::uint8_t> bytes() const {
    flatbuffers::FlatBufferBuilder builder;
    wire::FinishTokensBuffer(
        builder, wire::CreateTokensDirect(
                     builder, request, robot_id, generation, &trunk, deadline_us,
                     static_cast<wire::Pooling>(pooling), pooled, count, width, &values,
                     session.empty() ? nullptr : session.c_str(), owner, episode, time_ns, peek));
    return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
  }
};

/// A request of `count` tokens of `width`.
inline TokensMessage tokens_message(std::uint64_t request, std::uint32_t count,
                                    std::uint32_t width) {
  TokensMessage message;
  message.request = request;
  message.count = count;
  message.width = width;
  message.values = some_tokens(std::size_t{count} * width, static_cast<unsigned>(request));
  return message;
}

}  // namespace cambium::test
