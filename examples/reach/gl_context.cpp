#include "examples/reach/gl_context.hpp"

#include <dlfcn.h>

#include <vector>

#if __has_include(<EGL/egl.h>)
#include <EGL/egl.h>
#include <EGL/eglext.h>
#define CAMBIUM_HAS_EGL 1
#endif
#if __has_include(<GL/osmesa.h>)
#include <GL/osmesa.h>
#define CAMBIUM_HAS_OSMESA 1
#endif

namespace cambium::reach {
namespace {

// MuJoCo takes its OpenGL from the first of EGL and OSMesa that it can see, so only the one that
// works is made visible. Never closed: drivers do not like to be unmapped.
void make_visible(const char* library) {
  dlopen(library, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
}

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = library ? reinterpret_cast<Function>(dlsym(library, name)) : nullptr;
  return function != nullptr;
}

#ifdef CAMBIUM_HAS_EGL
class EglContext final : public GlContext {
 public:
  static std::unique_ptr<GlContext> open(int width, int height) {
    std::unique_ptr<EglContext> context(new EglContext);
    return context->start(width, height) ? std::move(context) : nullptr;
  }
  ~EglContext() override {
    if (display_ == EGL_NO_DISPLAY) return;
    make_current_(display_, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
    terminate_(display_);  // frees context and surface, too
  }

 private:
  static constexpr const char* kLibrary = "libEGL.so.1";

  bool start(int width, int height) {
    void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
    decltype(&eglGetPlatformDisplay) get_display = nullptr;
    decltype(&eglInitialize) initialize = nullptr;
    decltype(&eglChooseConfig) choose_config = nullptr;
    decltype(&eglCreatePbufferSurface) create_surface = nullptr;
    decltype(&eglBindAPI) bind_api = nullptr;
    decltype(&eglCreateContext) create_context = nullptr;
    if (!find(library, "eglGetPlatformDisplay", get_display) ||
        !find(library, "eglInitialize", initialize) ||
        !find(library, "eglChooseConfig", choose_config) ||
        !find(library, "eglCreatePbufferSurface", create_surface) ||
        !find(library, "eglBindAPI", bind_api) ||
        !find(library, "eglCreateContext", create_context) ||
        !find(library, "eglMakeCurrent", make_current_) ||
        !find(library, "eglTerminate", terminate_))
      return false;
    const EGLDisplay display =
        get_display(EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY, nullptr);
    if (display == EGL_NO_DISPLAY || !initialize(display, nullptr, nullptr)) return false;
    display_ = display;
    const EGLint wanted[] = {EGL_SURFACE_TYPE,
                             EGL_PBUFFER_BIT,
                             EGL_RENDERABLE_TYPE,
                             EGL_OPENGL_BIT,
                             EGL_DEPTH_SIZE,
                             24,
                             EGL_STENCIL_SIZE,
                             8,
                             EGL_NONE};
    const EGLint size[] = {EGL_WIDTH, width, EGL_HEIGHT, height, EGL_NONE};
    EGLConfig config = nullptr;
    EGLint found = 0;
    if (!choose_config(display, wanted, &config, 1, &found) || found < 1) return false;
    const EGLSurface surface = create_surface(display, config, size);
    if (!bind_api(EGL_OPENGL_API)) return false;
    const EGLContext context = create_context(display, config, EGL_NO_CONTEXT, nullptr);
    if (context == EGL_NO_CONTEXT || !make_current_(display, surface, surface, context))
      return false;
    make_visible(kLibrary);
    return true;
  }

  EGLDisplay display_ = EGL_NO_DISPLAY;
  decltype(&eglMakeCurrent) make_current_ = nullptr;
  decltype(&eglTerminate) terminate_ = nullptr;
};
#endif

#ifdef CAMBIUM_HAS_OSMESA
class OsmesaContext final : public GlContext {
 public:
  static std::unique_ptr<GlContext> open(int width, int height) {
    std::unique_ptr<OsmesaContext> context(new OsmesaContext);
    return context->start(width, height) ? std::move(context) : nullptr;
  }
  ~OsmesaContext() override {
    if (context_) destroy_(context_);
  }

 private:
  static constexpr const char* kLibrary = "libOSMesa.so.8";

  bool start(int width, int height) {
    void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
    decltype(&OSMesaCreateContextExt) create = nullptr;
    decltype(&OSMesaMakeCurrent) make_current = nullptr;
    if (!find(library, "OSMesaCreateContextExt", create) ||
        !find(library, "OSMesaMakeCurrent", make_current) ||
        !find(library, "OSMesaDestroyContext", destroy_))
      return false;
    context_ = create(OSMESA_RGBA, 24, 8, 0, nullptr);
    buffer_.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 4);
    if (!context_ || !make_current(context_, buffer_.data(), GL_UNSIGNED_BYTE, width, height))
      return false;
    make_visible(kLibrary);
    return true;
  }

  OSMesaContext context_ = nullptr;
  std::vector<unsigned char> buffer_;
  decltype(&OSMesaDestroyContext) destroy_ = nullptr;
};
#endif

}  // namespace

std::unique_ptr<GlContext> open_gl_context([[maybe_unused]] int width,
                                           [[maybe_unused]] int height) {
  std::unique_ptr<GlContext> context;
#ifdef CAMBIUM_HAS_EGL
  context = EglContext::open(width, height);
#endif
#ifdef CAMBIUM_HAS_OSMESA
  if (!context) context = OsmesaContext::open(width, height);
#endif
  return context;
}

}  // namespace cambium::reach
