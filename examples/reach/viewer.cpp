#include "examples/reach/viewer.hpp"

#include <png.h>

#include <algorithm>
#include <vector>

#include "examples/reach/gl_context.hpp"

namespace cambium::reach {
namespace {

constexpr int kWidth = 640, kHeight = 480;  // at most visual/global offwidth, offheight of arms/
constexpr int kGeoms = 200;

std::vector<unsigned char> render(Arm& arm) {
  const mjModel& model = arm.model().mujoco();
  mjvScene scene;
  mjv_defaultScene(&scene);
  mjv_makeScene(&model, &scene, kGeoms);
  mjrContext renderer;
  mjr_defaultContext(&renderer);
  mjr_makeContext(&model, &renderer, mjFONTSCALE_100);
  mjr_setBuffer(mjFB_OFFSCREEN, &renderer);

  mjvOption option;
  mjv_defaultOption(&option);
  mjvCamera camera;
  mjv_defaultCamera(&camera);
  camera.type = mjCAMERA_FIXED;
  camera.fixedcamid = mj_name2id(&model, mjOBJ_CAMERA, "view");
  mj_forward(&model, &arm.data());
  mjv_updateScene(&model, &arm.data(), &option, nullptr, &camera, mjCAT_ALL, &scene);
  const mjrRect frame = {0, 0, kWidth, kHeight};
  mjr_render(frame, &scene, &renderer);
  std::vector<unsigned char> pixels(3 * kWidth * kHeight);
  mjr_readPixels(pixels.data(), nullptr, frame, &renderer);
  mjr_freeContext(&renderer);
  mjv_freeScene(&scene);
  return pixels;
}

}  // namespace

Result<void> write_picture(Arm& arm, const std::filesystem::path& file) {
  const auto context = open_gl_context(kWidth, kHeight);
  if (!context)
    return Error{Code::unavailable,
                 "no picture: neither EGL nor OSMesa can render on this machine"};
  const auto pixels = render(arm);
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = kWidth;
  image.height = kHeight;
  image.format = PNG_FORMAT_RGB;
  // A negative stride: OpenGL's first row is the lowest.
  if (png_image_write_to_file(&image, file.c_str(), 0, pixels.data(), -3 * kWidth, nullptr) == 0)
    return Error{Code::failed, file.string() + ": " + image.message};
  return {};
}

}  // namespace cambium::reach
