// core/plugin/plugin_library.hpp: a plugin, inspected, loaded and asked for what it exports. The
// only door to Boost.DLL and dlfcn.h.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "abi/plugin.h"
#include "cambium/result.hpp"
#include "cambium/state.hpp"
#include "core/base/file_check.hpp"
#include "core/plugin/embodiment.hpp"
#include "core/plugin/handle.hpp"

namespace cambium::plugin {

/// A library that may be unmapped leaves with its last handle. The others stay until the process
/// ends (PluginLibrary::pinned() says why), and no more than this many of them are accepted.
inline constexpr std::size_t kMaxKept = 32;

struct OpenOptions {
  /// Where the private copy is made; created if missing. Must not be mounted noexec.
  std::filesystem::path run_dir = {};
  /// Given to the plugin's create functions; borrowed for the life of the process. Null: what a
  /// plugin logs goes to stderr.
  const cambium_host* host = nullptr;
  /// A file with the same bytes as a library that is mapped already gives that library: swapping
  /// back and forth costs no memory. Off: always map a new copy, with fresh statics.
  bool reuse = true;
  /// Asked about the file's bytes before anything is looked up in them: the same bytes that the
  /// private copy is made of.
  base::FileCheck check = {};
};

/// One thing that a plugin exports.
struct Export {
  std::string interface_id, name;
};

/// A loaded plugin. Immutable; everything it says was copied out of it. Whoever drops the last
/// pointer or handle unmaps the library, on the thread that does it: destructors of its statics run
/// there, and the loader takes its time. [setup]
class PluginLibrary : public std::enable_shared_from_this<PluginLibrary> {
 public:
  const std::string& name() const noexcept { return name_; }
  const std::string& version() const noexcept { return version_; }
  const std::string& build() const noexcept { return build_; }
  /// 64 hex digits: SHA-256 of the file; empty for a linked-in plugin.
  const std::string& sha256() const noexcept { return sha256_; }
  /// The file it was opened from (it may have changed since).
  const std::filesystem::path& file() const noexcept { return file_; }
  /// The name under which it is mapped; the file is gone, is_mapped() knows it.
  const std::filesystem::path& mapped_as() const noexcept { return mapped_as_; }
  /// Why it stays mapped for ever, as the end of a sentence ("can start threads
  /// ('pthread_create')"); empty: it may leave. See why_pinned().
  const std::string& pinned() const noexcept { return pinned_; }
  /// In the plugin's order; interfaces that this host does not know are listed too.
  const std::vector<Export>& exports() const noexcept { return exports_; }

  /// A new object, or not_found naming the nearest, or the plugin's refusal. A create function that
  /// throws or gives nothing is `failed`. [setup]
  Result<StemHandle> create_stem(std::string_view name) const;
  Result<HeadHandle> create_head(std::string_view name) const;
  /// What an object that create_stem(name) or create_head(name) of this library gave remembers;
  /// null if the plugin exports no state for that name. Borrowed: lives and dies with the object.
  /// [setup]
  Result<State*> state_of(Stem& stem, std::string_view name) const;
  Result<State*> state_of(Head& head, std::string_view name) const;
  /// A validated copy of an exported embodiment; empty name: the only one there is. [setup]
  Result<Embodiment> embodiment(std::string_view name = {}) const;

  ~PluginLibrary();
  PluginLibrary(const PluginLibrary&) = delete;
  PluginLibrary& operator=(const PluginLibrary&) = delete;

 private:
  PluginLibrary() = default;
  static Result<std::shared_ptr<PluginLibrary>> read(const cambium_plugin_entry& entry,
                                                     std::filesystem::path file,
                                                     const cambium_host* host);
  Result<const cambium_export*> find(const char* interface_id, std::string_view kind,
                                     std::string_view name) const;
  Result<void*> create(const cambium_export& exported, void* of = nullptr) const;
  Result<State*> find_state(void* object, std::string_view name) const;
  template <class Interface>
  Result<Handle<Interface>> make(const char* interface_id, std::string_view kind,
                                 std::string_view name) const;

  friend Result<std::shared_ptr<const PluginLibrary>> open_library(const std::filesystem::path&,
                                                                   const OpenOptions&);
  friend Result<std::shared_ptr<const PluginLibrary>> linked_library(const cambium_plugin_entry&,
                                                                     const cambium_host*);

  const cambium_plugin_entry* entry_ = nullptr;
  const cambium_host* host_ = nullptr;
  std::string name_, version_, build_, sha256_, pinned_;
  std::filesystem::path file_, mapped_as_;
  std::vector<Export> exports_;
};

/// Reads `file` once, inspects those bytes without running them, maps a private copy of them under
/// a name never used before, and checks its entry. The copy is unlinked before this returns. Does
/// not wait: a file that changes while it is read is `busy`. Every refusal names the file, what was
/// found, what was expected and what to do. [setup]
Result<std::shared_ptr<const PluginLibrary>> open_library(const std::filesystem::path& file,
                                                          const OpenOptions& options);

/// A plugin that is linked into this program: its entry passes the same checks. [setup]
Result<std::shared_ptr<const PluginLibrary>> linked_library(const cambium_plugin_entry& entry,
                                                            const cambium_host* host = nullptr);

/// A library that is mapped until the process ends, in use or not.
struct KeptLibrary {
  std::filesystem::path file;  ///< as given to open_library()
  std::string reason;          ///< as PluginLibrary::pinned()
};
struct LoadedLibraries {
  std::size_t mapped = 0;  ///< by open_library(), the kept ones included
  std::vector<KeptLibrary> kept;
};
/// Waits for a load that is going on. [setup]
LoadedLibraries loaded_libraries();

/// False under a sanitizer, which needs the symbols of what has run until it reports: then every
/// library is kept, without a bound. [any]
bool unmaps_libraries() noexcept;

/// Whether a library is mapped under this name (PluginLibrary::mapped_as). [setup]
bool is_mapped(const std::filesystem::path& mapped_as) noexcept;

}  // namespace cambium::plugin
