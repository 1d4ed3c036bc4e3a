#include "core/base/signing_key.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "core/base/descriptor.hpp"
#include "core/base/sha256.hpp"

namespace cambium::base {
namespace {

static_assert(crypto_sign_PUBLICKEYBYTES == std::tuple_size_v<SignerKey>);
static_assert(crypto_sign_BYTES == std::tuple_size_v<SignatureBytes>);
static_assert(crypto_sign_SEEDBYTES == 32 && crypto_sign_SECRETKEYBYTES == 64);

constexpr std::string_view kSecretTitle =
    "cambium signing key 1, secret: whoever reads it can sign\n";
constexpr std::string_view kPublicTitle = "cambium signing key 1, public\n";
constexpr std::size_t kDigits = 64;

// A check that could not be computed must not become one that passed.
void start_sodium() {
  if (::sodium_init() < 0) throw std::runtime_error("libsodium cannot be used on this machine");
}

Error failed(const std::filesystem::path& file, const char* what, int error) {
  return {error == ENOENT ? Code::not_found : Code::failed,
          "key '" + file.string() + "': cannot " + what + ": " + std::strerror(error)};
}

struct Opened {
  Descriptor file;
  struct stat facts {};
};

Result<Opened> open_key(const std::filesystem::path& file) {
  Opened opened;
  opened.file = Descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!opened.file) return failed(file, "open", errno);
  if (::fstat(opened.file.get(), &opened.facts) != 0) return failed(file, "stat", errno);
  if (!S_ISREG(opened.facts.st_mode))
    return Error{Code::bad_argument, "key '" + file.string() + "': is not a regular file"};
  return opened;
}

// The 32 bytes behind a title; the file holds nothing else.
Result<void> read_digits(const std::filesystem::path& file, const Opened& opened,
                         std::string_view title, const char* expected,
                         std::array<unsigned char, 32>& to) {
  std::array<char, 256> text{};
  const auto got = ::read(opened.file.get(), text.data(), text.size());
  if (got < 0) return failed(file, "read", errno);
  const std::string_view all(text.data(), static_cast<std::size_t>(got));
  std::size_t length = 0;
  const bool right = all.size() == title.size() + kDigits + 1 && all.starts_with(title) &&
                     all.back() == '\n' &&
                     ::sodium_hex2bin(to.data(), to.size(), all.data() + title.size(), kDigits,
                                      nullptr, &length, nullptr) == 0 &&
                     length == to.size();
  ::sodium_memzero(text.data(), text.size());
  if (right) return {};
  ::sodium_memzero(to.data(), to.size());
  return Error{Code::bad_data, "key '" + file.string() + "': is not " + expected +
                                   " as `cambium sign new` writes it"};
}

Result<void> write_key(const std::filesystem::path& file, mode_t mode, std::string_view title,
                       const std::array<unsigned char, 32>& bytes) {
  Descriptor out(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!out && errno == EEXIST)
    return Error{Code::bad_argument,
                 "key '" + file.string() + "': is there already, and keys are never overwritten"};
  if (!out) return failed(file, "make", errno);
  std::array<char, 160> text{};
  const std::size_t size = title.size() + kDigits + 1;
  std::memcpy(text.data(), title.data(), title.size());
  ::sodium_bin2hex(text.data() + title.size(), kDigits + 1, bytes.data(), bytes.size());
  text[size - 1] = '\n';
  const bool written = ::write(out.get(), text.data(), size) == static_cast<ssize_t>(size) &&
                       ::fsync(out.get()) == 0;
  const int error = errno;
  ::sodium_memzero(text.data(), text.size());
  if (written) return {};
  ::unlink(file.c_str());
  return failed(file, "write", error);
}

std::filesystem::path with_ending(const std::filesystem::path& name, const char* ending) {
  return name.string() + ending;
}

}  // namespace

std::string short_name(const SignerKey& key) {
  return to_hex(key).substr(0, 16);
}

Result<SignerKey> read_signer_key(const std::filesystem::path& file) {
  start_sodium();
  const auto opened = open_key(file);
  if (!opened) return opened.error();
  SignerKey key{};
  if (auto done = read_digits(file, *opened, kPublicTitle, "a public signing key", key); !done)
    return done.error();
  return key;
}

bool verifies(const SignerKey& key, std::string_view text, const SignatureBytes& signature) {
  start_sodium();
  return ::crypto_sign_verify_detached(signature.data(),
                                       reinterpret_cast<const unsigned char*>(text.data()),
                                       text.size(), key.data()) == 0;
}

Result<SigningKey> SigningKey::make() {
  start_sodium();
  SigningKey key;
  ::randombytes_buf(key.seed_.data(), key.seed_.size());
  key.derive();
  return key;
}

Result<SigningKey> SigningKey::read(const std::filesystem::path& file) {
  start_sodium();
  const auto opened = open_key(file);
  if (!opened) return opened.error();
  if ((opened->facts.st_mode & 077) != 0)
    return Error{Code::bad_argument, "key '" + file.string() +
                                         "': others may read or write it; chmod 600 it, and make "
                                         "a new one if somebody could have read it"};
  SigningKey key;
  if (auto done = read_digits(file, *opened, kSecretTitle, "a secret signing key", key.seed_);
      !done)
    return done.error();
  key.derive();
  return key;
}

void SigningKey::derive() {
  ::crypto_sign_seed_keypair(public_.data(), secret_.data(), seed_.data());
}

SigningKey::SigningKey(SigningKey&& other) noexcept
    : seed_(other.seed_), secret_(other.secret_), public_(other.public_) {
  ::sodium_memzero(other.seed_.data(), other.seed_.size());
  ::sodium_memzero(other.secret_.data(), other.secret_.size());
}

SigningKey::~SigningKey() {
  ::sodium_memzero(seed_.data(), seed_.size());
  ::sodium_memzero(secret_.data(), secret_.size());
}

Result<void> SigningKey::write(const std::filesystem::path& name) const {
  const auto secret = with_ending(name, ".secret"), open = with_ending(name, ".pub");
  if (auto done = write_key(open, 0644, kPublicTitle, public_); !done) return done;
  auto done = write_key(secret, 0600, kSecretTitle, seed_);
  if (!done) ::unlink(open.c_str());  // ours: O_EXCL made it
  return done;
}

SignatureBytes SigningKey::sign(std::string_view text) const {
  SignatureBytes signature{};
  ::crypto_sign_detached(signature.data(), nullptr,
                         reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                         secret_.data());
  return signature;
}

}  // namespace cambium::base
