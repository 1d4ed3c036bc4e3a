// bench/plugin/bench_head.cpp: a head and nothing else, to be swapped while a robot's stems stay.
#include "abi/plugin.hpp"
#include "bench/plugin/mark.hpp"
#include "heads/mlp/mlp_head.hpp"

CAMBIUM_PLUGIN("bench_head", "1.0.0", cambium::plugin::head<cambium::heads::MlpHead>("mlp"))
