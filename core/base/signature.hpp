// core/base/signature.hpp: a file's signature, in a small text file beside it: FILE.sig.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "cambium/result.hpp"
#include "core/base/sha256.hpp"
#include "core/base/signing_key.hpp"

namespace cambium::base {

/// What a file is signed as: a signature for one is none for another.
enum class FileKind : std::uint8_t { plugin, bundle, stock };
const char* to_string(FileKind kind) noexcept;

/// What somebody says with a key. The signature is over its text, all lines above the last:
///
///     cambium signature 1
///     kind plugin
///     bytes 48120
///     sha256 <64 hex digits, of all bytes>
///     key <64 hex digits, who signs>
///     ed25519 <128 hex digits>
struct Statement {
  FileKind kind = FileKind::plugin;
  std::uint64_t bytes = 0;
  Digest sha256{};
  SignerKey key{};

  /// The lines that are signed. There is one way to write them, so they are compared as text too.
  std::string text() const;
};

struct Signature {
  Statement statement;
  SignatureBytes bytes{};
};

/// "arm.so" -> "arm.so.sig".
std::filesystem::path signature_of(const std::filesystem::path& file);

/// What `key` says of these bytes, as the text of a .sig file. [setup]
std::string sign(const SigningKey& key, FileKind kind, std::span<const std::byte> bytes);

/// Reads the text of a .sig file, to the byte; bad_data names the line and what was expected. It is
/// not yet believed. [setup]
Result<Signature> parse_signature(std::string_view text, const std::filesystem::path& file);

}  // namespace cambium::base
