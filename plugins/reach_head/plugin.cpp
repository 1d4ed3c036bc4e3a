// plugins/reach_head/plugin.cpp: a library with heads and nothing else, to be reloaded while a
// robot's stems stay.
#include "abi/plugin.hpp"

#include "heads/joint/joint_head.hpp"
#include "heads/mlp/mlp_head.hpp"

CAMBIUM_PLUGIN("reach_head", "1.0.0", cambium::plugin::head<cambium::heads::JointHead>("joint"),
               cambium::plugin::head<cambium::heads::MlpHead>("mlp"))
