// core/learn/curve.hpp: the loss curve as a picture for people and as numbers for programs.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "cambium/result.hpp"
#include "core/learn/recipe.hpp"

namespace cambium::learn {

/// SVG text: training and validation loss over steps, logarithmic.
std::string draw_curve(const std::string& title, std::span<const LossPoint> curve);

/// `<stem>.svg` and `<stem>.json`, each whole or not at all.
Result<void> write_curve(const std::filesystem::path& stem, const std::string& title,
                         std::span<const LossPoint> curve);

}  // namespace cambium::learn
