// core/learn/checkpoint.hpp: a training that was interrupted, as a file from which it goes on bit
// by bit as if it had not been.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "cambium/result.hpp"
#include "core/learn/trainer.hpp"

namespace cambium::learn {

/// What a training is of; only the same one can be resumed. "seed" -> "0".
using RunIdentity = std::map<std::string, std::string>;

/// Recipe (but threads and how often checkpoints are written), data and layout of the weights.
RunIdentity identity_of(const Policy& policy, const std::vector<Dataset>& data,
                        const Recipe& recipe);

Result<void> write_checkpoint(const std::filesystem::path& file, const TrainingState& state,
                              const RunIdentity& identity);

/// `incompatible` names what differs, with both values.
Result<TrainingState> read_checkpoint(const std::filesystem::path& file,
                                      const RunIdentity& identity);

}  // namespace cambium::learn
