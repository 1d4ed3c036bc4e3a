// bench/plugin/bench_stems.cpp: stems and nothing else, to be swapped while a robot's head stays.
#include "abi/plugin.hpp"
#include "bench/plugin/mark.hpp"
#include "stems/proprio/proprio_stem.hpp"
#include "stems/token/token_stem.hpp"

CAMBIUM_PLUGIN("bench_stems", "1.0.0",
               cambium::plugin::stem<cambium::stems::ProprioStem>("proprio"),
               cambium::plugin::stem<cambium::stems::TokenStem>("token"))
