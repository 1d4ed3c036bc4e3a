// core/check/context.hpp: what a check works with: the opened files, the parts to be tried, chance.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string_view>
#include <vector>

#include "core/base/trust.hpp"
#include "core/check/part.hpp"
#include "core/check/subject.hpp"
#include "core/nn/bundle.hpp"
#include "core/nn/stock.hpp"
#include "core/plugin/plugin_library.hpp"

namespace cambium::check {

/// Lives as long as one check, in the process of that check. Files are opened when they are first
/// asked for; one that cannot be opened ends the check with its sentence.
class Context {
 public:
  struct Options {
    std::filesystem::path scratch;  ///< an empty folder; somebody else removes it
    unsigned seed = 0;
    int report = -1;  ///< where doing() writes to; -1: nowhere
  };
  Context(Subject subject, Options options);

  const Subject& subject() const noexcept { return subject_; }
  const std::filesystem::path& scratch() const noexcept { return options_.scratch; }
  std::mt19937& random() noexcept { return random_; }

  /// What is tried now: the sentence says so if the process ends here.
  void doing(std::string_view what) const noexcept;

  const nn::Bundle& bundle();
  const nn::Stock& stock();
  const plugin::PluginLibrary& library();       ///< of subject().plugin
  const plugin::PluginLibrary& stem_library();  ///< where stems come from
  const plugin::PluginLibrary& head_library();
  plugin::Embodiment embodiment();
  /// A new mapping of `file`, gone with its last handle.
  std::shared_ptr<const plugin::PluginLibrary> open_again(const std::filesystem::path& file);

  /// Stems and head as bundle and stock want them, those whose library exports such things. Without
  /// a stock, shared stems are left out.
  const std::vector<PartSpec>& parts();

 private:
  using Library = std::shared_ptr<const plugin::PluginLibrary>;
  const plugin::PluginLibrary& open(Library& library, const std::filesystem::path& file);
  /// Somebody who judges a file by running it wants to know first whose it is.
  base::FileCheck trusted(base::FileKind kind) const;
  void add_stem(const nn::LayoutEntry& entry);
  void add_head();

  Subject subject_;
  Options options_;
  std::mt19937 random_;
  std::optional<nn::Bundle> bundle_;
  std::optional<nn::Stock> stock_;
  Library library_, stem_library_, head_library_;
  std::optional<std::vector<PartSpec>> parts_;
};

}  // namespace cambium::check
