#include "core/plugin/registry.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

#include "core/plugin/elf_file.hpp"
#include "core/plugin/plugin_library.hpp"

namespace cambium::plugin {
namespace {

/// Boost.DLL puts the loader's own text in parentheses behind its own sentence.
std::string loader_text(const std::exception& error) {
  const std::string all = error.what();
  constexpr std::string_view kBefore = "(dlerror system message: ";
  const auto begin = all.find(kBefore);
  if (begin == std::string::npos) return all;
  const auto end = all.rfind(')');
  return all.substr(begin + kBefore.size(), end - begin - kBefore.size());
}

}  // namespace

Registry& Registry::instance() {
  // Never destroyed: a static destructor would unmap code under objects that still live.
  static auto* registry = new Registry;
  return *registry;
}

std::size_t Registry::kept() const noexcept {
  return static_cast<std::size_t>(std::count_if(
      mapped_.begin(), mapped_.end(), [](const Mapped& one) { return !one.pinned.empty(); }));
}

std::shared_ptr<const PluginLibrary> Registry::find(std::string_view sha256) const {
  for (const Mapped& one : mapped_)
    // In this order: a pointer that is the last one may not be dropped while `mutex` is held.
    if (one.sha256 == sha256)
      if (auto library = one.library.lock()) return library;
  return nullptr;
}

Result<Mapped*> Registry::map(Mapped fresh) {
  const std::string shown = fresh.file.string();
  std::string problem;
  try {
    // rtld_now: a missing symbol must be found here, not inside the loop.
    fresh.loaded.load(fresh.mapped_as.string(),
                      boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
    fresh.entry = &fresh.loaded.get<const cambium_plugin_entry>("cambium_plugin");
  } catch (const std::exception& error) {
    problem = loader_text(error);
  }
  std::error_code ignored;
  std::filesystem::remove(fresh.mapped_as, ignored);  // the mapping lives on without a name
  if (fresh.entry == nullptr)
    return Error{Code::failed,
                 fmt::format("plugin '{}': the loader refused it: {}; link what is missing into "
                             "the plugin, statically",
                             shown, problem)};
  for (const Mapped& one : mapped_)
    if (one.entry == fresh.entry)
      return Error{Code::failed,
                   fmt::format("plugin '{}': the loader gave an older library instead of the new "
                               "file; restart the host",
                               shown)};
  mapped_.push_back(std::move(fresh));
  return &mapped_.back();
}

void Registry::release(const cambium_plugin_entry* entry) {
  const auto one = std::find_if(mapped_.begin(), mapped_.end(),
                                [&](const Mapped& candidate) { return candidate.entry == entry; });
  if (one == mapped_.end() || !one->pinned.empty()) return;
  one->loaded.unload();
  if (is_mapped(one->mapped_as))
    one->pinned = "was not let go by the loader, which does not say why";
  else
    mapped_.erase(one);
}

LoadedLibraries loaded_libraries() {
  Registry& registry = Registry::instance();
  const std::lock_guard lock(registry.mutex);
  LoadedLibraries loaded{.mapped = registry.mapped().size()};
  for (const Mapped& one : registry.mapped())
    if (!one.pinned.empty()) loaded.kept.push_back({one.file, one.pinned});
  return loaded;
}

bool unmaps_libraries() noexcept {
  return host_build().ends_with(";sanitizer=none");
}

bool is_mapped(const std::filesystem::path& mapped_as) noexcept {
  void* handle = ::dlopen(mapped_as.c_str(), RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);
  if (handle == nullptr) return false;
  ::dlclose(handle);
  return true;
}

}  // namespace cambium::plugin
