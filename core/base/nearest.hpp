// core/base/nearest.hpp: "did you mean": the nearest of the valid names, for errors.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cambium::base {

/// The candidate with the smallest edit distance to `name`, or empty if none comes near (more than
/// half of the letters differ). [setup]
std::string nearest(std::string_view name, std::span<const std::string> candidates);

/// " (did you mean 'x'?)", or " (valid: 'a', 'b')" if nothing is near, or empty without candidates.
/// [setup]
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace cambium::base
