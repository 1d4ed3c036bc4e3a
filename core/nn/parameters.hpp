// core/nn/parameters.hpp: hyper-parameters as text become numbers, with errors that name the key.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/frame.hpp"
#include "cambium/result.hpp"
#include "core/nn/joint_chain.hpp"

namespace cambium::nn {

/// Reads a Parameter list. The first thing that is wrong is kept and told by finish(), so that a
/// caller asks for all it knows and checks once. [setup]
class ParameterReader {
 public:
  /// owner   who is being set up, for errors: "stem 'token'"
  ParameterReader(std::string owner, std::span<const Parameter> parameters);

  // The value of `key`, or `fallback` if it is not given or cannot be read.
  std::uint32_t count(std::string_view key, std::uint32_t fallback, std::uint32_t least = 1,
                      std::uint32_t most = 65536);
  double number(std::string_view key, double fallback, double least, double most);
  bool boolean(std::string_view key, bool fallback);
  /// A list of layer widths, each 1 to 65536.
  std::vector<std::uint32_t> widths(std::string_view key, std::vector<std::uint32_t> fallback);
  /// ChainSpec::to_text(); has no fallback, a body cannot be guessed.
  ChainSpec chain(std::string_view key);
  /// A word, bare or quoted; must be one of `valid`.
  std::string word(std::string_view key, std::string fallback, std::vector<std::string> valid);

  /// What was wrong first, or a key that nobody asked for, with the nearest one that somebody did.
  Result<void> finish();

 private:
  const char* text(std::string_view key);
  void complain(std::string_view key, std::string_view value, const std::string& expected);

  std::string owner_;
  std::span<const Parameter> parameters_;
  std::vector<std::string> known_;
  std::string problem_;
};

}  // namespace cambium::nn
