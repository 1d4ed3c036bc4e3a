// A plugin whose code a test changes in the file: kMarked is read by the head, so another number in
// .rodata is other behaviour.
#include <cstdint>

#include "abi/plugin.hpp"

namespace {

struct Marked {
  char mark[16];  // what the test looks for
  std::uint32_t number;
};
// volatile: the compiler may not know the number, it is not yet written.
constexpr volatile Marked kMarked = {"number follows:", 0};

class NumberHead final : public cambium::Head {
 public:
  cambium::Status activate(const cambium::HeadSpec&, cambium::Message&) noexcept override {
    return {};
  }
  cambium::Status decode(cambium::FeaturesView, cambium::ChunkView out) noexcept override {
    *out.data = static_cast<float>(kMarked.number);
    return {};
  }
  void deactivate() noexcept override {}
};

}  // namespace

CAMBIUM_PLUGIN("reload_sample", "1.0.0", cambium::plugin::head<NumberHead>("number"))
