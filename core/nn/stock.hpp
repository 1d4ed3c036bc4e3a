// core/nn/stock.hpp: a trunk and its shared stems, as the file that everybody grafts onto.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/frame.hpp"
#include "cambium/result.hpp"
#include "core/nn/precision.hpp"
#include "core/nn/safetensors.hpp"

namespace cambium::nn {

/// Hyper-parameters of a stem or head: "widths" -> "[128]". Numbers, booleans and lists are JSON
/// text.
using Parameters = std::map<std::string, std::string>;

/// As the seam wants them; borrows `parameters`.
std::vector<Parameter> views(const Parameters& parameters);

/// The numbers that, with the weights, make a trunk's identity.
struct TrunkShape {
  std::string architecture = "hpt";
  std::uint32_t width = 0;
  std::uint32_t blocks = 0;
  std::uint32_t heads = 0;
  std::uint32_t mlp_ratio = 4;  ///< HPT's; others have it among their hyper-parameters
  /// What else its architecture is made of, by the names of its original: "start_size" -> "4".
  /// HPT's has none.
  Parameters hyper_parameters;
};

/// A stem of the stock, for a sensor that means the same on every body.
struct SharedStem {
  std::string sensor;                ///< "tool"
  std::string stem;                  ///< kind: "token"
  std::vector<std::uint32_t> shape;  ///< of one observation; empty if each body has its own
  std::uint32_t horizon = 1;         ///< observations in a window
  std::uint32_t tokens = 1;          ///< 0, with an empty shape: one for each number
  Parameters parameters;

  /// Reads as many numbers as a body has, and makes a token of each.
  bool each_number() const noexcept { return tokens == 0; }
};

/// A head that was pretrained with the trunk, on bodies of any dof: where a graft begins. No host
/// reads it, and it is no part of the trunk id.
struct SharedHead {
  std::string head;  ///< kind: "joint"
  Parameters parameters;
  std::uint32_t horizon = 0;  ///< actions in a chunk

  bool operator==(const SharedHead&) const = default;
};

/// What tells one stock from another. Each is 64 hex digits.
struct StockIdentity {
  std::string trunk;  ///< Stock::trunk_id()
  std::string stems;  ///< SHA-256 of metadata and shared stems: what open_stems() reads
};

/// A verified stock file. Weights are views into the file's bytes. [setup]
class Stock {
 public:
  /// Reads the metadata, computes the trunk id over all tensors, and refuses unknown keys and
  /// tensors. Trunk tensors are checked against the architecture by trunk::load_model. check: as
  /// SafetensorsFile's.
  static Result<Stock> open(const std::filesystem::path& file, const base::FileCheck& check = {});
  /// As open(), without a copy where that is safe (SafetensorsFile::open_mapped) and without an
  /// identity: for who makes a model of it, computes the identity beside, and lets go of it.
  static Result<Stock> open_mapped(const std::filesystem::path& file,
                                   const base::FileCheck& check = {});
  /// From every byte of the file; others may read it meanwhile. [any]
  StockIdentity computed_identity() const;
  /// For a process that runs stems and no trunk: reads the shared stems of a stock that another
  /// process has opened whole, and takes the trunk id from there. What is read must be what that
  /// process read (`incompatible` if not), so the two cannot mean different stems, whatever became
  /// of the file since; file() has no trunk tensors. It takes no check: bytes that another process
  /// has checked are known by that identity.
  static Result<Stock> open_stems(const std::filesystem::path& file, const StockIdentity& identity);

  const SafetensorsFile& file() const noexcept { return file_; }
  const TrunkShape& shape() const noexcept { return shape_; }
  /// What its trunk is to be run in unless somebody says otherwise.
  Precision precision() const noexcept { return precision_; }
  /// 64 hex digits, as docs/files.md defines them.
  const std::string& trunk_id() const noexcept { return identity_.trunk; }
  const StockIdentity& identity() const noexcept { return identity_; }
  std::span<const SharedStem> shared_stems() const noexcept { return shared_stems_; }
  /// Null if no shared stem reads that sensor.
  const SharedStem* find_stem(std::string_view sensor) const noexcept;
  /// Weights of one shared stem, names without prefix; live as long as this stock.
  std::vector<TensorView> stem_weights(std::string_view sensor) const;
  /// None in a stock that has no such head.
  const std::optional<SharedHead>& shared_head() const noexcept { return shared_head_; }
  /// Its weights, names without prefix; live as long as this stock.
  std::vector<TensorView> shared_head_weights() const;
  /// For people; may be empty.
  const std::string& trained() const noexcept { return trained_; }

 private:
  static Result<Stock> read(SafetensorsFile file, bool whole);

  SafetensorsFile file_;
  TrunkShape shape_;
  Precision precision_ = Precision::f32;
  StockIdentity identity_;
  std::vector<SharedStem> shared_stems_;
  std::optional<SharedHead> shared_head_;
  std::string trained_;
};

/// SHA-256 over shape and tensors of `file`, in hex; those of a shared head are left out. Other
/// metadata does not change it. [setup]
std::string trunk_id(const TrunkShape& shape, const SafetensorsFile& file);

/// Where tensors of a stock lie.
inline constexpr const char kTrunkPrefix[] = "trunk.";
inline constexpr const char kSharedStemsPrefix[] = "stems.shared_";
inline constexpr const char kSharedHeadPrefix[] = "heads.shared.";
std::string shared_stem_prefix(std::string_view sensor);  ///< "stems.shared_tool."

/// Writes a stock and opens it again, so that what is returned is what a reader sees. [setup]
Result<Stock> write_stock(const std::filesystem::path& file, const TrunkShape& shape,
                          std::span<const SharedStem> shared_stems,
                          std::span<const TensorToWrite> tensors, const std::string& trained,
                          const std::optional<SharedHead>& shared_head = {});

}  // namespace cambium::nn
