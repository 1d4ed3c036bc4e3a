// core/base/trust.hpp: whose signatures are believed, and what that makes of a file.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "cambium/result.hpp"
#include "core/base/file_check.hpp"
#include "core/base/signature.hpp"

namespace cambium::base {

/// Immutable. Without a key every file is taken as it is.
class Trust {
 public:
  Trust() = default;
  explicit Trust(std::vector<SignerKey> keys) : keys_(std::move(keys)) {}
  /// Of public key files. [setup]
  static Result<Trust> read(std::span<const std::filesystem::path> files);

  bool any() const noexcept { return !keys_.empty(); }
  const std::vector<SignerKey>& keys() const noexcept { return keys_; }

  /// Refuses bytes that no trusted key signed as this kind; reads the .sig beside the file for it.
  /// Empty without a key. Outlives this object.
  FileCheck of(FileKind kind) const;

 private:
  std::vector<SignerKey> keys_;
};

}  // namespace cambium::base
