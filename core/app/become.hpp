// core/app/become.hpp: verbs that are programs of their own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cambium::app {

/// Replaces this process by the program `name` that lies beside it. Returns only if that cannot be
/// run: prints why, and gives the exit code.
/// verb     "cambium check", to begin the message with
/// missing  what to do where the program is not there
int become(std::string_view verb, std::string_view name, std::vector<std::string> arguments,
           std::string_view missing);

}  // namespace cambium::app
