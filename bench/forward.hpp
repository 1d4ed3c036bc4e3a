// bench/forward.hpp: forward passes of a trunk, one command a line, so that another program can
// time them in turns with those of other engines.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>

#include "cambium/result.hpp"
#include "core/trunk/model.hpp"

namespace cambium::bench {

struct ForwardOptions {
  std::filesystem::path stock;
  trunk::ModelOptions model;  ///< max_rows is set to what the batch has
  std::uint32_t robots = 1;
  std::uint32_t tokens = 32;  ///< of each robot
};

/// Loads the trunk, writes one JSON line with `"event":"ready"`, then answers each line of `in`
/// with one JSON line, until `quit` or the end of `in`:
///
/// input FILE    raw f32 rows (robots x tokens, width) for all passes that follow  {"done":"input"}
/// run N         that many passes, each from a fresh copy of the input             {"ms":[...]}
/// output FILE   raw f32 rows that the last pass made {"done":"output"}
///
/// Positions are not added: an input is what the first block reads. Without `input`, small numbers
/// that are always the same. What cannot be done is answered {"error":"..."}, and the next line is
/// read. Errors are those of load_model(). [setup]
Result<void> serve_forward(const ForwardOptions& options, std::istream& in, std::ostream& out);

}  // namespace cambium::bench
