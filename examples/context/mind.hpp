// examples/context/mind.hpp: a trained policy in one process: stem, trunk with its memory, head.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "cambium/result.hpp"
#include "core/plugin/plugin_library.hpp"
#include "examples/context/episode.hpp"

namespace cambium::context {

class Mind {
 public:
  /// forgets  its trunk's memory is begun anew each tick
  /// Errors as the host's: the first thing that does not fit, both sides named. [setup]
  static Result<std::unique_ptr<Mind>> make(const std::filesystem::path& stock,
                                            const std::filesystem::path& bundle,
                                            const plugin::PluginLibrary& library, bool forgets);
  ~Mind();

  /// Another body: nothing is known of it.
  void begin();
  /// What it would command now. Once a tick, for it remembers.
  Result<Joints> act(const State& state);

  const std::string& trunk_id() const noexcept;
  const std::string& trained() const noexcept;  ///< how, in words
  const std::string& architecture() const noexcept;
  std::uint64_t session_bytes() const noexcept;  ///< [B] what it remembers

 private:
  struct Parts;
  explicit Mind(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace cambium::context
