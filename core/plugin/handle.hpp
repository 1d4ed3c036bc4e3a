// core/plugin/handle.hpp: an object that a plugin made, together with the library its code lives
// in.
#pragma once

#include <memory>
#include <utility>

#include "cambium/head.hpp"
#include "cambium/stem.hpp"

namespace cambium::plugin {

class PluginLibrary;

/// Owns an object made by a plugin. Destroys it through the plugin, then releases the library: the
/// other order would run a destructor that is no longer mapped. Move-only.
template <class Interface>
class Handle {
 public:
  Handle() = default;
  Handle(std::shared_ptr<const PluginLibrary> library, Interface* object, void (*destroy)(void*))
      : library_(std::move(library)), object_(object), destroy_(destroy) {}
  Handle(Handle&& other) noexcept { swap(other); }
  Handle& operator=(Handle&& other) noexcept {
    Handle(std::move(other)).swap(*this);
    return *this;
  }
  ~Handle() {
    if (object_ != nullptr) destroy_(object_);
  }

  explicit operator bool() const noexcept { return object_ != nullptr; }
  Interface* get() const noexcept { return object_; }
  Interface* operator->() const noexcept { return object_; }
  Interface& operator*() const noexcept { return *object_; }
  const std::shared_ptr<const PluginLibrary>& library() const noexcept { return library_; }

 private:
  void swap(Handle& other) noexcept {
    std::swap(library_, other.library_);
    std::swap(object_, other.object_);
    std::swap(destroy_, other.destroy_);
  }

  std::shared_ptr<const PluginLibrary> library_;  // declared first: released last
  Interface* object_ = nullptr;
  void (*destroy_)(void*) = nullptr;
};

using StemHandle = Handle<Stem>;
using HeadHandle = Handle<Head>;

}  // namespace cambium::plugin
