#include "core/base/sha256.hpp"

#include <openssl/evp.h>

#include <charconv>
#include <stdexcept>

namespace cambium::base {
namespace {

// Ids are the product's promise: a hash that could not be computed must not become one.
void must(bool done) {
  if (!done) throw std::runtime_error("SHA-256: libcrypto could not compute it");
}

// In a library context of our own, so that no openssl.cnf of the machine decides whether it works.
// Never given back: ids are computed until the process ends.
const EVP_MD* algorithm() {
  static const EVP_MD* const fetched =
      EVP_MD_fetch(OSSL_LIB_CTX_new(), "SHA256", "provider=default");
  must(fetched != nullptr);
  return fetched;
}

}  // namespace

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  must(state_->context != nullptr &&
       EVP_DigestInit_ex2(state_->context, algorithm(), nullptr) == 1);
}
Sha256::~Sha256() = default;

void Sha256::update(std::span<const std::byte> bytes) {
  must(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

void Sha256::update(std::string_view text) {
  update(std::as_bytes(std::span(text.data(), text.size())));
}

Digest Sha256::finish() {
  Digest digest;
  must(EVP_DigestFinal_ex(state_->context, digest.data(), nullptr) == 1);
  return digest;
}

std::string to_hex(const Digest& digest) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * digest.size());
  for (const unsigned char byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

Digest from_hex(std::string_view hex) {
  Digest digest{};
  if (hex.size() != 2 * digest.size()) return digest;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const char* pair = hex.data() + 2 * i;
    if (std::from_chars(pair, pair + 2, digest[i], 16).ptr != pair + 2) return {};
  }
  return digest;
}

}  // namespace cambium::base
