// tests/layering/checks.hpp: one source file held against the tables; findings as "file:line: …".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cambium::layering {

/// Breaches of kRooms and kDoors. `path` is relative to the root, with '/'.
std::vector<std::string> check_includes(const std::string& path, std::string_view text);

/// Public virtual functions whose doc comment has no thread tag: [setup…], [loop…], [io…] or
/// [any…].
std::vector<std::string> check_thread_tags(const std::string& path, std::string_view text);

/// Virtual functions of each class, in order: "Stem::activate".
std::vector<std::string> virtual_functions(std::string_view text);

}  // namespace cambium::layering
