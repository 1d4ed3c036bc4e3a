// bench/machine.hpp: where a measurement was taken.
#pragma once

#include <nlohmann/json.hpp>

namespace cambium::bench {

/// Processor, cores that may be used, instruction sets that oneDNN and our kernels chose, versions.
nlohmann::json machine_facts();

}  // namespace cambium::bench
