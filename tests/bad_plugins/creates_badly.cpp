// Its create functions throw, give nothing, or refuse.
#include <stdexcept>

#include "tests/bad_plugins/entry.hpp"

namespace {

class ThrowingHead : public cambium::Head {
 public:
  ThrowingHead() { throw std::runtime_error("no memory for the head"); }
  cambium::Status activate(const cambium::HeadSpec&, cambium::Message&) noexcept override {
    return {};
  }
  cambium::Status decode(cambium::FeaturesView, cambium::ChunkView) noexcept override { return {}; }
  void deactivate() noexcept override {}
};

std::uint32_t throw_across(const cambium_host*, void**) {
  throw std::runtime_error("thrown across the seam");
}
std::uint32_t throw_a_number(const cambium_host*, void**) {
  throw 7;
}
std::uint32_t refuse(const cambium_host* host, void**) {
  host->log(host, 3, "no licence for this head");
  return static_cast<std::uint32_t>(cambium::Code::unavailable);
}

}  // namespace

BAD_PLUGIN({cambium::kStemInterface, "throws", throw_across, destroy_nothing},
           {cambium::kStemInterface, "throws_a_number", throw_a_number, destroy_nothing},
           {cambium::kStemInterface, "gives_nothing", make_nothing, destroy_nothing},
           {cambium::kHeadInterface, "refuses", refuse, destroy_nothing},
           cambium::plugin::head<ThrowingHead>("throws_when_made"))
