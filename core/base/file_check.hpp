// core/base/file_check.hpp: somebody's word on a file, asked before anything is read from it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>

#include "cambium/result.hpp"

namespace cambium::base {

/// Given all bytes of a file, the very ones that will be used; its error says why they are not to
/// be. Empty: every file is taken as it is. Any thread.
using FileCheck = std::function<Result<void>(const std::filesystem::path& file,
                                             std::span<const std::byte> bytes)>;

}  // namespace cambium::base
