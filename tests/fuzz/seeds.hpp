// tests/fuzz/seeds.hpp: real messages and files for the fuzz targets to begin with.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>

namespace cambium::fuzz {

/// Keeps one seed of a target.
using Keep = std::function<void(const std::string& target, const std::string& name,
                                std::span<const std::byte> bytes)>;

/// One or more of each message that goes over a socket.
void message_seeds(const Keep& keep);

/// What clients of other protocols send.
void format_seeds(const Keep& keep);
void pickle_seeds(const Keep& keep);

/// What a user has on disk: models, a plugin, configurations, a robot description; cut to a size
/// that is quickly spoilt and read. `work` is for files in between.
void file_seeds(const Keep& keep, const std::filesystem::path& work);

/// What a policy leaves to the next one, and what the process of an isolated one says.
void policy_seeds(const Keep& keep, const std::filesystem::path& work);

}  // namespace cambium::fuzz
