// core/transport/verify.hpp: bytes from outside become a message only after FlatBuffers has
// verified every offset.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace cambium::transport {

/// The message, or null if the bytes are not a sound `Table` with the identifier of its schema. The
/// pointer borrows `bytes`, which must be aligned as Socket::receive() gives them.
///
///   if (const auto* tokens = verify<wire::Tokens>(bytes, wire::TokensIdentifier())) …
template <class Table>
const Table* verify(std::span<const std::byte> bytes, const char* identifier) noexcept {
  // Shortest sound buffer: root offset, identifier, vtable offset.
  if (bytes.size() < 12) return nullptr;
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  flatbuffers::Verifier verifier(data, bytes.size(), /*max_depth=*/16, /*max_tables=*/4096);
  if (!verifier.VerifyBuffer<Table>(identifier)) return nullptr;
  return flatbuffers::GetRoot<Table>(data);
}

/// True if the bytes claim to be of the schema with this identifier; says nothing about their
/// soundness.
inline bool has_identifier(std::span<const std::byte> bytes, const char* identifier) noexcept {
  return bytes.size() >= 8 && flatbuffers::BufferHasIdentifier(bytes.data(), identifier);
}

/// What a finished builder holds.
inline std::span<const std::byte> bytes_of(const flatbuffers::FlatBufferBuilder& builder) noexcept {
  return {reinterpret_cast<const std::byte*>(builder.GetBufferPointer()), builder.GetSize()};
}

}  // namespace cambium::transport
