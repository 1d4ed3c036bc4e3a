// core/base/curve_key.hpp: Curve25519 keys by which the processes of native endpoints know each
// other.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cambium::base {

inline constexpr std::size_t kKeyBytes = 32;
inline constexpr std::size_t kKeyDigits = 40;  ///< of a key as text: Z85, as ZeroMQ writes it

/// What everybody may know.
class PublicKey {
 public:
  using Bytes = std::array<unsigned char, kKeyBytes>;

  PublicKey() = default;
  explicit PublicKey(const Bytes& bytes) noexcept : bytes_(bytes) {}
  /// Nothing if `z85` is not 40 digits of Z85. [setup]
  static std::optional<PublicKey> parse(std::string_view z85);

  std::string text() const;  ///< 40 digits of Z85
  /// Its first digits: enough to tell keys apart in a log.
  std::string fingerprint() const { return text().substr(0, 10); }
  const Bytes& bytes() const noexcept { return bytes_; }
  auto operator<=>(const PublicKey&) const = default;

 private:
  Bytes bytes_{};
};

/// What only its owner may know. Wiped from memory with the object; no text of it leaves this class
/// but into the buffer of whoever writes its file.
class SecretKey {
 public:
  /// A new one. [setup]
  static SecretKey random();
  /// As PublicKey::parse(). [setup]
  static std::optional<SecretKey> parse(std::string_view z85);
  SecretKey(SecretKey&& other) noexcept;
  SecretKey& operator=(SecretKey&& other) noexcept;
  ~SecretKey();

  PublicKey public_key() const;
  std::span<const unsigned char, kKeyBytes> bytes() const noexcept { return bytes_; }
  void write(std::span<char, kKeyDigits> z85) const noexcept;

 private:
  SecretKey() = default;
  std::array<unsigned char, kKeyBytes> bytes_{};
};

/// Overwrites what was secret, also where the compiler thinks that nobody reads it again. [any]
void wipe(std::span<char> text) noexcept;

}  // namespace cambium::base
