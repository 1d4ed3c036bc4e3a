// bench/memory_trunk.hpp: random trunks of every architecture that remembers: what they cost does
// not depend on what was learned.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "cambium/result.hpp"
#include "core/nn/stock.hpp"
#include "core/trunk/model.hpp"

namespace cambium::bench {

struct MemorySize {
  const char* name = "";
  std::uint32_t width = 0, blocks = 0, heads = 0;
};

inline constexpr std::array kMemorySizes = {MemorySize{"small", 128, 4, 4},
                                            MemorySize{"base", 256, 4, 8}};

inline constexpr const char* kMemoryArchitectures[] = {"streaming", "infini", "retnet", "mamba",
                                                       "gr1"};
inline constexpr std::uint32_t kWindow = 256;
inline constexpr std::uint32_t kSinks = 4;      // as many as the paper found to suffice
inline constexpr std::uint32_t kGr1Steps = 10;  // as published

struct MemoryTrunk {
  std::string architecture;
  MemorySize size;
  /// streaming: tokens in the cache, sinks among them; infini: of a segment; the others have none.
  std::uint32_t window = kWindow;
  std::uint32_t tokens_per_step = 4;  ///< gr1: of one request; the others do not care
};

/// Blocks of about 12 width^2 weights each (mamba's: 6), as their papers choose them. The shape has
/// the names and the hyper-parameters of docs/files.md. [setup]
Result<nn::Stock> write_memory_stock(const std::filesystem::path& file, const MemoryTrunk& trunk,
                                     std::uint64_t seed = 1);

/// The same as a model; the file is gone when this returns. [setup]
Result<std::unique_ptr<trunk::TrunkModel>> load_memory_trunk(const MemoryTrunk& trunk,
                                                             const trunk::ModelOptions& options);

/// Null if there is no size of that name. [any]
const MemorySize* find_memory_size(const std::string& name);

/// Tokens after which a memory has everything that it can hold and each further one costs the
/// same. [any]
std::uint64_t tokens_until_full(const MemoryTrunk& trunk);

}  // namespace cambium::bench
