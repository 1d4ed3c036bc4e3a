// core/base/sha256.hpp: SHA-256, the identity of weights and libraries.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace cambium::base {

using Digest = std::array<unsigned char, 32>;

/// Streaming SHA-256 (libcrypto, which uses the processor's own instructions for it). [setup]
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// 64 lower-case hex digits.
std::string to_hex(const Digest& digest);

/// The other way; all zeros if `hex` is not 64 hex digits. [setup]
Digest from_hex(std::string_view hex);

}  // namespace cambium::base
