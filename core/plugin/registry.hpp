// core/plugin/registry.hpp: what this process has mapped, and what may leave again. Inside this
// folder only: nothing of Boost.DLL goes further.
#pragma once

#include <boost/dll/shared_library.hpp>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "abi/plugin.h"
#include "cambium/result.hpp"

namespace cambium::plugin {

class PluginLibrary;

/// A library that open_library() mapped and nobody has unmapped.
struct Mapped {
  std::string sha256;
  std::filesystem::path file, mapped_as;  ///< as given, and the name of the copy, which is gone
  std::string pinned;                     ///< why it stays; empty: it leaves with `library`
  /// Never copied: Boost.DLL would open it again by its path.
  boost::dll::shared_library loaded = {};
  const cambium_plugin_entry* entry = nullptr;
  std::weak_ptr<const PluginLibrary> library = {};
  std::shared_ptr<const PluginLibrary> kept = nullptr;  ///< of a pinned one: whoever opens it again
};

/// Every function but instance() is called with `mutex` held. [setup]
class Registry {
 public:
  std::mutex mutex;  // guards all; held through a load, so that two of the same bytes are one

  static Registry& instance();

  const std::vector<Mapped>& mapped() const noexcept { return mapped_; }
  std::size_t kept() const noexcept;
  /// One of these bytes that is in use or kept; null if there is none.
  std::shared_ptr<const PluginLibrary> find(std::string_view sha256) const;
  /// Maps the copy `fresh.mapped_as` and unlinks it. The reference holds until the next change.
  Result<Mapped*> map(Mapped fresh);
  /// Nothing of the library at `entry` is in use any more: unmaps it, unless it is pinned. What the
  /// loader does not let go is pinned from now on.
  void release(const cambium_plugin_entry* entry);

 private:
  std::vector<Mapped> mapped_;
};

}  // namespace cambium::plugin
