#include "core/check/known_stems.hpp"

#include <iterator>

#include "abi/plugin.hpp"
#include "stems/image/image_stem.hpp"
#include "stems/joints/joints_stem.hpp"
#include "stems/proprio/proprio_stem.hpp"
#include "stems/token/token_stem.hpp"

namespace cambium::check {

Result<std::shared_ptr<const plugin::PluginLibrary>> known_stems() {
  static constexpr cambium_export kExports[] = {
      plugin::stem<stems::TokenStem>("token"), plugin::stem<stems::JointsStem>("joints"),
      plugin::stem<stems::ProprioStem>("proprio"), plugin::stem<stems::ImageStem>("image")};
  static constexpr cambium_plugin_entry kEntry = {
      CAMBIUM_PLUGIN_MAGIC, sizeof kEntry, kAbiMajor,       kAbiMinor, std::size(kExports),
      CAMBIUM_BUILD_TEXT,   "known_stems", kProjectVersion, kExports};
  return plugin::linked_library(kEntry);
}

}  // namespace cambium::check
