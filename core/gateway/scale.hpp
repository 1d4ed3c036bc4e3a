// core/gateway/scale.hpp: what a foreign number means for a joint: ours = factor * theirs + offset.
#pragma once

#include "cambium/client.hpp"
#include "cambium/result.hpp"
#include "core/config/listener_config.hpp"

namespace cambium::gateway {

struct Scale {
  double factor = 1, offset = 0;

  double ours(double theirs) const noexcept { return factor * theirs + offset; }
  double theirs(double ours) const noexcept { return (ours - offset) / factor; }
};

/// Of a joint's position, or of its velocity: then a range is that much of it per second, from
/// nothing. incompatible: degrees of a prismatic joint, millimetres of a revolute one, said without
/// the place. [setup]
Result<Scale> scale_of(config::Unit unit, const JointInfo& joint, ActionKind kind);

/// The word of a file for it. [any]
const char* name_of(config::Unit unit);

}  // namespace cambium::gateway
