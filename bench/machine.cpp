#include "bench/machine.hpp"

#include <fstream>
#include <string>

#include "bench/bare_products.hpp"
#include "bench/pinned.hpp"
#include "cambium/version.hpp"
#include "core/nn/kernels.hpp"

namespace cambium::bench {
namespace {

/// What the kernel says under `key` of the first core; empty where it does not (not every
/// architecture has names).
std::string of_processor(const std::string& key) {
  std::ifstream facts("/proc/cpuinfo");
  for (std::string line; std::getline(facts, line);) {
    if (!line.starts_with(key)) continue;
    const auto colon = line.find(": ");
    return colon == std::string::npos ? "" : line.substr(colon + 2);
  }
  return "";
}

}  // namespace

nlohmann::json machine_facts() {
  return {{"processor", of_processor("model name")},
          {"family", of_processor("cpu family")},
          {"model", of_processor("model\t")},
          {"cores", usable_cores().size()},
          {"onednn", onednn_facts()},
          {"kernels", nn::kernels().name},
          {"cambium", kProjectVersion},
          {"compiler", __VERSION__}};
}

}  // namespace cambium::bench
