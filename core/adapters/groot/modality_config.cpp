#include "core/adapters/groot/modality_config.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cambium::groot {
namespace {

// What GR00T's own robots call it. Ours is told by any text.
constexpr const char* kTask = "annotation.human.task_description";

struct Modality {
  const char* name;
  std::vector<std::string> keys;
  std::uint32_t moments = 1;  // of a row of actions each; of an observation the newest alone

  // N1.5 names keys with their modality, but not the language's.
  std::string key(std::size_t i, bool prefixed) const {
    const std::string prefix = std::string(name) + ".";
    const bool has = keys[i].starts_with(prefix);
    if (prefixed) return has || name == std::string_view("language") ? keys[i] : prefix + keys[i];
    return has ? keys[i].substr(prefix.size()) : keys[i];
  }
};

void write_text(formats::MsgpackWriter& to, const Modality& modality) {
  nlohmann::ordered_json json;
  json["delta_indices"] = nlohmann::json::array();
  for (std::uint32_t i = 0; i < modality.moments; ++i) json["delta_indices"].push_back(i);
  for (std::size_t i = 0; i < modality.keys.size(); ++i)
    json["modality_keys"].push_back(modality.key(i, true));
  to.text(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void write_map(formats::MsgpackWriter& to, const Modality& modality) {
  to.map(5);
  to.text("delta_indices");
  to.list(modality.moments);
  for (std::uint32_t i = 0; i < modality.moments; ++i) to.integer(i);
  to.text("modality_keys");
  to.list(static_cast<std::uint32_t>(modality.keys.size()));
  for (std::size_t i = 0; i < modality.keys.size(); ++i) to.text(modality.key(i, false));
  to.text("sin_cos_embedding_keys");
  to.nil();
  to.text("mean_std_embedding_keys");
  to.nil();
  to.text("action_configs");
  if (modality.name != std::string_view("action")) return to.nil();
  to.list(static_cast<std::uint32_t>(modality.keys.size()));
  for (std::size_t i = 0; i < modality.keys.size(); ++i) {
    to.map(4);  // what leaves us has been worked out: nothing is relative to a state any more
    for (const auto& [field, value] :
         {std::pair("rep", "ABSOLUTE"), {"type", "NON_EEF"}, {"format", "DEFAULT"}}) {
      to.text(field);
      to.text(value);
    }
    to.text("state_key");
    to.nil();
  }
}

}  // namespace

void write_modality_config(formats::MsgpackWriter& to,
                           std::span<const gateway::ExpectedReading> readings,
                           std::span<const gateway::ActionPart> actions, std::uint32_t rows,
                           bool as_text) {
  std::vector<Modality> modalities = {
      {"video", {}}, {"state", {}}, {"action", {}, rows}, {"language", {kTask}}};
  for (const auto& reading : readings)
    modalities[reading.picture ? 0 : 1].keys.push_back(reading.key);
  for (const auto& part : actions) modalities[2].keys.push_back(part.key);
  // N1.7 refuses one without keys.
  std::erase_if(modalities, [](const Modality& modality) { return modality.keys.empty(); });

  to.map(static_cast<std::uint32_t>(modalities.size()));
  for (const auto& modality : modalities) {
    to.text(modality.name);
    to.map(as_text ? 2 : 4);
    to.text("__ModalityConfig_class__");
    to.boolean(true);
    if (!as_text) {
      to.text("__ModalityConfig__");  // N1.7
      to.boolean(true);
    }
    to.text("as_json");
    if (as_text) {
      write_text(to, modality);
      continue;
    }
    write_map(to, modality);
    to.text("as_dict");  // DROID
    write_map(to, modality);
  }
}

}  // namespace cambium::groot
