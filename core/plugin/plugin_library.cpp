#include "core/plugin/plugin_library.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <mutex>
#include <span>

#include "abi/plugin.hpp"
#include "core/base/nearest.hpp"
#include "core/plugin/elf_file.hpp"
#include "core/plugin/private_copy.hpp"
#include "core/plugin/registry.hpp"

namespace cambium::plugin {
namespace {

constexpr std::uint32_t kMaxExports = 256;  // a larger number is garbage, not a plugin

void log_to_stderr(const cambium_host*, std::uint32_t, const char* text) {
  std::fprintf(stderr, "plugin: %s\n", text);
}
constexpr cambium_host kDefaultHost = {sizeof(cambium_host), log_to_stderr};

/// A state belongs to a stem or head of the same library; a slip of the pen would lose it silently.
Result<void> check_abilities(const cambium_plugin_entry& entry, std::string_view file) {
  const std::span exports(entry.exports, entry.export_count);
  std::vector<std::string> owners;
  for (const cambium_export& one : exports) {
    if (std::string_view(one.interface_id) == kStemInterface)
      owners.push_back(std::string("stem:") + one.name);
    if (std::string_view(one.interface_id) == kHeadInterface)
      owners.push_back(std::string("head:") + one.name);
  }
  for (const cambium_export& one : exports)
    if (std::string_view(one.interface_id) == kStateInterface &&
        std::find(owners.begin(), owners.end(), one.name) == owners.end())
      return Error{Code::bad_data,
                   fmt::format("plugin '{}': exports the state of '{}', but no such stem or head{}",
                               file, one.name, base::did_you_mean(one.name, owners))};
  return {};
}

Result<void> check_exports(const cambium_plugin_entry& entry, std::string_view file) {
  const auto bad = [&](std::string what) -> Result<void> {
    return Error{Code::bad_data, fmt::format("plugin '{}': {}", file, what)};
  };
  if (entry.build == nullptr || entry.name == nullptr || entry.version == nullptr)
    return bad("its entry lacks build text, name or version; make it with CAMBIUM_PLUGIN(…)");
  if (*entry.name == 0) return bad("its name is empty; give CAMBIUM_PLUGIN a name");
  if (entry.export_count == 0 || entry.export_count > kMaxExports || entry.exports == nullptr)
    return bad(
        fmt::format("it exports {} things, expected 1 to {}; list embodiments, stems or "
                    "heads in CAMBIUM_PLUGIN(…)",
                    entry.export_count, kMaxExports));
  for (std::uint32_t i = 0; i < entry.export_count; ++i) {
    const cambium_export& one = entry.exports[i];
    if (one.interface_id == nullptr || *one.interface_id == 0)
      return bad(fmt::format("export {} has no interface id", i));
    if (one.name == nullptr || *one.name == 0)
      return bad(fmt::format("export {} ({}) has no name; give it one in CAMBIUM_PLUGIN(…)", i,
                             one.interface_id));
    if (one.create == nullptr || one.destroy == nullptr)
      return bad(fmt::format("export '{}' ({}) lacks its create or destroy function", one.name,
                             one.interface_id));
    for (std::uint32_t j = 0; j < i; ++j)
      if (std::string_view(entry.exports[j].name) == one.name &&
          std::string_view(entry.exports[j].interface_id) == one.interface_id)
        return bad(fmt::format("exports {} and {} are both '{}' ({}); names must differ", j, i,
                               one.name, one.interface_id));
  }
  return check_abilities(entry, file);
}

}  // namespace

PluginLibrary::~PluginLibrary() {
  if (mapped_as_.empty()) return;  // linked in
  Registry& registry = Registry::instance();
  const std::lock_guard lock(registry.mutex);
  registry.release(entry_);
}

Result<std::shared_ptr<PluginLibrary>> PluginLibrary::read(const cambium_plugin_entry& entry,
                                                           std::filesystem::path file,
                                                           const cambium_host* host) {
  const std::string shown = file.string();
  const Handshake handshake{entry.magic, entry.struct_size, entry.abi_major, entry.abi_minor};
  if (auto ok = check_handshake(handshake, shown); !ok) return ok.error();
  if (auto ok = check_exports(entry, shown); !ok) return ok.error();
  if (auto ok = check_build(entry.build, shown); !ok) return ok.error();
  std::shared_ptr<PluginLibrary> library(new PluginLibrary);
  library->entry_ = &entry;
  library->host_ = host != nullptr ? host : &kDefaultHost;
  library->name_ = entry.name;
  library->version_ = entry.version;
  library->build_ = entry.build;
  library->file_ = std::move(file);
  for (std::uint32_t i = 0; i < entry.export_count; ++i)
    library->exports_.push_back({entry.exports[i].interface_id, entry.exports[i].name});
  return library;
}

Result<const cambium_export*> PluginLibrary::find(const char* interface_id, std::string_view kind,
                                                  std::string_view name) const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < exports_.size(); ++i) {
    if (exports_[i].interface_id != interface_id) continue;
    if (exports_[i].name == name) return &entry_->exports[i];
    names.push_back(exports_[i].name);
  }
  return Error{Code::not_found,
               names.empty() ? fmt::format("plugin '{}' exports no {} at all, asked for '{}'",
                                           file_.string(), kind, name)
                             : fmt::format("plugin '{}' exports no {} '{}'{}", file_.string(), kind,
                                           name, base::did_you_mean(name, names))};
}

/// `of`: the object whose ability is asked for.
Result<void*> PluginLibrary::create(const cambium_export& exported, void* of) const {
  const auto refuse = [&](Code code, std::string_view what) {
    return Error{code, fmt::format("plugin '{}': creating '{}' ({}) {}", file_.string(),
                                   exported.name, exported.interface_id, what)};
  };
  void* object = of;
  std::uint32_t code = 0;
  try {
    code = exported.create(host_, &object);
  } catch (const std::exception& error) {  // its text is copied: the object dies with this scope
    return refuse(Code::failed,
                  fmt::format("threw '{}'; a create function must not throw", error.what()));
  } catch (...) {
    return refuse(Code::failed, "threw; a create function must not throw");
  }
  if (code != 0)
    return refuse(static_cast<Code>(code),
                  fmt::format("was refused by the plugin: {}", to_string(static_cast<Code>(code))));
  if (object == nullptr || object == of)
    return refuse(Code::failed, "gave no object although it said ok; its create must set *out");
  return object;
}

template <class Interface>
Result<Handle<Interface>> PluginLibrary::make(const char* interface_id, std::string_view kind,
                                              std::string_view name) const {
  const auto exported = find(interface_id, kind, name);
  if (!exported) return exported.error();
  const auto object = create(**exported);
  if (!object) return object.error();
  return Handle<Interface>(shared_from_this(), static_cast<Interface*>(*object),
                           (*exported)->destroy);
}

Result<StemHandle> PluginLibrary::create_stem(std::string_view name) const {
  return make<Stem>(kStemInterface, "stem", name);
}

Result<HeadHandle> PluginLibrary::create_head(std::string_view name) const {
  return make<Head>(kHeadInterface, "head", name);
}

Result<State*> PluginLibrary::state_of(Stem& stem, std::string_view name) const {
  return find_state(&stem, fmt::format("stem:{}", name));
}

Result<State*> PluginLibrary::state_of(Head& head, std::string_view name) const {
  return find_state(&head, fmt::format("head:{}", name));
}

Result<State*> PluginLibrary::find_state(void* object, std::string_view name) const {
  for (std::size_t i = 0; i < exports_.size(); ++i) {
    if (exports_[i].interface_id != kStateInterface || exports_[i].name != name) continue;
    const auto state = create(entry_->exports[i], object);
    if (!state) return state.error();
    return static_cast<State*>(*state);
  }
  return static_cast<State*>(nullptr);
}

Result<Embodiment> PluginLibrary::embodiment(std::string_view name) const {
  std::vector<std::string> names;
  for (const Export& one : exports_)
    if (one.interface_id == kEmbodimentInterface) names.push_back(one.name);
  if (name.empty() && names.size() > 1) {
    std::string list;
    for (const auto& one : names) list += (list.empty() ? "'" : ", '") + one + "'";
    return Error{Code::bad_argument,
                 fmt::format("plugin '{}' exports {} embodiments ({}); say which with `embodiment`",
                             file_.string(), names.size(), list)};
  }
  if (name.empty() && names.size() == 1) name = names.front();
  const auto spec = make<RobotSpec>(kEmbodimentInterface, "embodiment", name);
  if (!spec) return spec.error();
  auto copy = copy_embodiment(**spec, entry_->abi_minor);
  if (!copy)
    return Error{copy.error().code,
                 fmt::format("plugin '{}': {}", file_.string(), copy.error().message)};
  if (copy->name != name)
    return Error{Code::bad_data,
                 fmt::format("plugin '{}': the embodiment exported as '{}' calls itself '{}'",
                             file_.string(), name, copy->name)};
  return copy;
}

Result<std::shared_ptr<const PluginLibrary>> open_library(const std::filesystem::path& file,
                                                          const OpenOptions& options) {
  const std::string shown = file.string();
  auto contents = read_file(file);
  if (!contents) return contents.error();
  if (options.check)
    if (auto fine = options.check(file, contents->bytes); !fine)
      return Error{fine.error().code, "plugin " + fine.error().message};
  auto facts = inspect_elf(contents->bytes, shown);
  if (!facts) return facts.error();
  if (auto ok = check_handshake(facts->handshake, shown); !ok) return ok.error();
  if (auto ok = check_build(facts->build, shown); !ok) return ok.error();
  if (!unmaps_libraries()) facts->pinned = "runs under a sanitizer, which needs its symbols";

  Registry& registry = Registry::instance();
  const std::lock_guard lock(registry.mutex);
  if (options.reuse)
    if (auto library = registry.find(contents->sha256)) return library;
  if (unmaps_libraries() && !facts->pinned.empty() && registry.kept() >= kMaxKept)
    return Error{Code::limit,
                 fmt::format("plugin '{}': would stay mapped for ever, because it {}; {} such "
                             "libraries are kept already, which is the most; restart this process",
                             shown, facts->pinned, registry.kept())};
  const auto copy = write_copy(*contents, file, options.run_dir);
  if (!copy) return copy.error();
  const auto mapped = registry.map(
      {.sha256 = contents->sha256, .file = file, .mapped_as = *copy, .pinned = facts->pinned});
  if (!mapped) return mapped.error();

  // Its constructors have run by now: even if it is refused, a pinned one has to stay.
  auto library = PluginLibrary::read(*(*mapped)->entry, file, options.host);
  if (!library) {
    registry.release((*mapped)->entry);
    return library.error();
  }
  (*library)->sha256_ = contents->sha256;
  (*library)->pinned_ = facts->pinned;
  (*library)->mapped_as_ = *copy;
  std::shared_ptr<const PluginLibrary> opened = std::move(*library);
  (*mapped)->library = opened;
  if (!opened->pinned().empty()) (*mapped)->kept = opened;
  return opened;
}

Result<std::shared_ptr<const PluginLibrary>> linked_library(const cambium_plugin_entry& entry,
                                                            const cambium_host* host) {
  auto library = PluginLibrary::read(entry, "(linked in)", host);
  if (!library) return library.error();
  return std::shared_ptr<const PluginLibrary>(std::move(*library));
}

}  // namespace cambium::plugin
