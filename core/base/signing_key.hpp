// core/base/signing_key.hpp: Ed25519 keys (libsodium) that sign files, and the two small text files
// that a pair is kept in.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>

#include "cambium/result.hpp"

namespace cambium::base {

using SignerKey = std::array<unsigned char, 32>;
using SignatureBytes = std::array<unsigned char, 64>;

/// "2f6c8a0b11d3e4f5": the first 16 of the key's 64 hex digits, for people.
std::string short_name(const SignerKey& key);

/// Reads NAME.pub; errors name the file and what was expected. [setup]
Result<SignerKey> read_signer_key(const std::filesystem::path& file);
/// Whether the key signed exactly this text. [any]
bool verifies(const SignerKey& key, std::string_view text, const SignatureBytes& signature);

/// The secret half; wiped from memory with its owner, and never printed.
class SigningKey {
 public:
  /// A new one, from the system's random bytes. [setup]
  static Result<SigningKey> make();
  /// Refused (bad_argument) if the file may be read by anybody but its owner. [setup]
  static Result<SigningKey> read(const std::filesystem::path& file);
  SigningKey(SigningKey&& other) noexcept;
  SigningKey& operator=(SigningKey&&) = delete;
  ~SigningKey();

  const SignerKey& public_key() const noexcept { return public_; }
  /// NAME.secret (0600) and NAME.pub beside each other. Never over a file that is there: then
  /// neither is written. [setup]
  Result<void> write(const std::filesystem::path& name) const;
  SignatureBytes sign(std::string_view text) const;

 private:
  SigningKey() = default;
  void derive();

  std::array<unsigned char, 32> seed_{};
  std::array<unsigned char, 64> secret_{};
  SignerKey public_{};
};

}  // namespace cambium::base
