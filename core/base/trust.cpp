#include "core/base/trust.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "core/base/descriptor.hpp"

namespace cambium::base {
namespace {

constexpr std::size_t kLargest = 1024;  // [B] of a .sig file; they have 370

Result<std::string> read_small(const std::filesystem::path& file) {
  const Descriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat facts {};
  if (!in || ::fstat(in.get(), &facts) != 0)
    return Error{errno == ENOENT ? Code::not_found : Code::failed,
                 "'" + file.string() + "' cannot be read: " + std::strerror(errno)};
  std::array<char, kLargest + 1> text;
  const auto got = S_ISREG(facts.st_mode) ? ::read(in.get(), text.data(), text.size()) : -1;
  if (got < 0 || static_cast<std::size_t>(got) > kLargest)
    return Error{Code::bad_data, "'" + file.string() + "' is no signature"};
  return std::string(text.data(), static_cast<std::size_t>(got));
}

std::string names_of(const std::vector<SignerKey>& keys) {
  std::string names;
  for (const auto& key : keys) names += (names.empty() ? "" : ", ") + short_name(key);
  return names;
}

Result<void> check(const std::vector<SignerKey>& trusted, FileKind kind,
                   const std::filesystem::path& file, std::span<const std::byte> bytes) {
  const std::string shown = "'" + file.string() + "' is not trusted: ";
  const auto path = signature_of(file);
  const auto refuse = [&](Code code, const std::string& why) { return Error{code, shown + why}; };
  const auto text = read_small(path);
  if (!text && text.error().code == Code::not_found)
    return refuse(Code::incompatible, "it is not signed ('" + path.string() +
                                          "' is not there), and [trust] wants a " +
                                          "signature; `cambium sign` makes one");
  if (!text) return refuse(text.error().code, text.error().message);
  const auto signature = parse_signature(*text, path);
  if (!signature)
    return refuse(Code::bad_data, "its signature cannot be read: " + signature.error().message);
  const Statement& says = signature->statement;
  if (std::find(trusted.begin(), trusted.end(), says.key) == trusted.end())
    return refuse(Code::incompatible, "it is signed with key " + short_name(says.key) +
                                          ", and [trust] names " + names_of(trusted));
  if (!verifies(says.key, says.text(), signature->bytes))
    return refuse(Code::incompatible, "'" + path.string() + "' was altered: key " +
                                          short_name(says.key) + " has not signed what it says");
  if (says.kind != kind)
    return refuse(Code::incompatible, std::string("it is signed as a ") + to_string(says.kind) +
                                          " and used as a " + to_string(kind));
  Sha256 sha;
  sha.update(bytes);
  const Digest found = sha.finish();
  if (says.bytes != bytes.size() || says.sha256 != found)
    return refuse(Code::incompatible,
                  "its " + std::to_string(bytes.size()) + " bytes (SHA-256 " +
                      to_hex(found).substr(0, 12) + "…) are not the " + std::to_string(says.bytes) +
                      " that were signed (" + to_hex(says.sha256).substr(0, 12) +
                      "…); it was changed since, or the signature belongs to another file");
  return {};
}

}  // namespace

Result<Trust> Trust::read(std::span<const std::filesystem::path> files) {
  Trust trust;
  for (const auto& file : files) {
    auto key = read_signer_key(file);
    if (!key) return Error{key.error().code, "[trust] keys: " + key.error().message};
    trust.keys_.push_back(*key);
  }
  return trust;
}

FileCheck Trust::of(FileKind kind) const {
  if (!any()) return {};
  return [keys = keys_, kind](const std::filesystem::path& file, std::span<const std::byte> bytes) {
    return check(keys, kind, file, bytes);
  };
}

}  // namespace cambium::base
