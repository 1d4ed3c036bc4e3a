// examples/context/report.hpp: the courses of those who were judged, as a table, numbers and
// pictures.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "examples/context/evaluate.hpp"

namespace cambium::context {

/// One who was judged.
struct Judged {
  std::string name, colour;    ///< "memory", "#2a78b8"
  std::string trunk, trained;  ///< id and in words; the expert has none
  std::uint64_t session_bytes = 0;
  Course fresh;  ///< on bodies drawn as those of the demonstrations were
  Course held_out;
};

/// A line for each, goal by goal.
void print(const std::vector<Judged>& all, const EvaluateOptions& options);

/// `<stem>.json`, `<stem>.action.svg` and `<stem>.distance.svg`, each whole or not at all. The
/// pictures show fresh bodies, and those held out for who is called "memory". [setup]
Result<void> write(const std::filesystem::path& stem, const std::vector<Judged>& all,
                   const EvaluateOptions& options);

}  // namespace cambium::context
