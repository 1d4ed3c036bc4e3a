#include "core/base/curve_key.hpp"

#include <sodium.h>

#include <cstdint>
#include <stdexcept>
#include <utility>

namespace cambium::base {
namespace {

static_assert(kKeyBytes == crypto_scalarmult_curve25519_SCALARBYTES);

// ZeroMQ RFC 32: five digits for four bytes, most significant first.
constexpr std::string_view kDigits =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
static_assert(kDigits.size() == 85 && kKeyDigits == kKeyBytes / 4 * 5);

void encode(std::span<const unsigned char, kKeyBytes> bytes, std::span<char, kKeyDigits> z85) {
  for (std::size_t group = 0; group < kKeyBytes / 4; ++group) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | bytes[4 * group + i];
    for (std::size_t i = 5; i-- > 0; value /= 85) z85[5 * group + i] = kDigits[value % 85];
  }
}

bool decode(std::string_view z85, std::span<unsigned char, kKeyBytes> bytes) {
  if (z85.size() != kKeyDigits) return false;
  for (std::size_t group = 0; group < kKeyBytes / 4; ++group) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 5; ++i) {
      const std::size_t digit = kDigits.find(z85[5 * group + i]);
      if (digit == std::string_view::npos) return false;
      value = value * 85 + digit;
    }
    if (value > UINT32_MAX) return false;
    for (std::size_t i = 4; i-- > 0; value >>= 8)
      bytes[4 * group + i] = static_cast<unsigned char>(value);
  }
  return true;
}

}  // namespace

std::optional<PublicKey> PublicKey::parse(std::string_view z85) {
  PublicKey key;
  if (!decode(z85, key.bytes_)) return std::nullopt;
  return key;
}

std::string PublicKey::text() const {
  std::array<char, kKeyDigits> z85;
  encode(bytes_, z85);
  return {z85.data(), z85.size()};
}

SecretKey SecretKey::random() {
  if (::sodium_init() < 0) throw std::runtime_error("libsodium has no random numbers to give");
  SecretKey key;
  ::randombytes_buf(key.bytes_.data(), key.bytes_.size());
  return key;
}

std::optional<SecretKey> SecretKey::parse(std::string_view z85) {
  SecretKey key;
  if (!decode(z85, key.bytes_)) return std::nullopt;
  return key;
}

SecretKey::SecretKey(SecretKey&& other) noexcept : bytes_(other.bytes_) {
  ::sodium_memzero(other.bytes_.data(), other.bytes_.size());
}

SecretKey& SecretKey::operator=(SecretKey&& other) noexcept {
  if (this == &other) return *this;
  bytes_ = other.bytes_;
  ::sodium_memzero(other.bytes_.data(), other.bytes_.size());
  return *this;
}

SecretKey::~SecretKey() {
  ::sodium_memzero(bytes_.data(), bytes_.size());
}

PublicKey SecretKey::public_key() const {
  PublicKey::Bytes bytes{};
  ::crypto_scalarmult_curve25519_base(bytes.data(), bytes_.data());
  return PublicKey(bytes);
}

void SecretKey::write(std::span<char, kKeyDigits> z85) const noexcept {
  encode(bytes_, z85);
}

void wipe(std::span<char> text) noexcept {
  ::sodium_memzero(text.data(), text.size());
}

}  // namespace cambium::base
