// examples/reach/gl_context.hpp: an OpenGL context without a screen.
#pragma once

#include <memory>

namespace cambium::reach {

/// Current on this thread while it lives.
class GlContext {
 public:
  virtual ~GlContext() = default;
};

/// EGL, then OSMesa; null if this machine or this build has neither. The libraries are opened when
/// needed: a robot's controller must start on a machine without them. [setup]
std::unique_ptr<GlContext> open_gl_context(int width, int height);

}  // namespace cambium::reach
