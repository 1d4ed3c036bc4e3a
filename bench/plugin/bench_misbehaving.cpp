// bench/plugin/bench_misbehaving.cpp: heads that are sound as long as they are tried and break when
// they drive, for `cambium bench chaos`. Most of them end the process that runs them.
#include <time.h>

#include <limits>
#include <stdexcept>

#include "abi/plugin.hpp"
#include "bench/plugin/mark.hpp"
#include "heads/mlp/mlp_head.hpp"

namespace cambium::bench {
namespace {

// decode() is noexcept, as every author's is: what it throws ends the process.
void throw_up(ChunkView) {
  throw std::runtime_error("the third chunk");
}

void give_nan(ChunkView out) {
  out.data[0] = std::numeric_limits<float>::quiet_NaN();
}

void ask_for_too_much(ChunkView out) {
  for (std::uint32_t i = 0; i < out.horizon * out.dof; ++i) out.data[i] = i % 2 == 0 ? 1e3F : -1e3F;
}

void sleep_long(ChunkView) {
  timespec left = {.tv_sec = 3, .tv_nsec = 0};
  while (::nanosleep(&left, &left) != 0) {
  }
}

void loop_for_ever(ChunkView) {
  volatile bool tired = false;
  while (!tired) {
  }
}

void write_to_null(ChunkView) {
  volatile int* volatile nowhere = nullptr;
  *nowhere = 1;
}

constexpr int kSoundCalls = 2;

template <void (*kFault)(ChunkView)>
class BreakingHead final : public Head {
 public:
  Status activate(const HeadSpec& spec, Message& why) noexcept override {
    return sound_.activate(spec, why);
  }
  Status decode(FeaturesView features, ChunkView out) noexcept override {
    const Status status = sound_.decode(features, out);
    if (++chunks_ > kSoundCalls) kFault(out);
    return status;
  }
  void deactivate() noexcept override { sound_.deactivate(); }

 private:
  heads::MlpHead sound_;
  int chunks_ = 0;
};

}  // namespace
}  // namespace cambium::bench

using namespace cambium::bench;  // NOLINT(*-using-namespace): nobody includes this file
using cambium::plugin::head;

CAMBIUM_PLUGIN("bench_misbehaving", "1.0.0", head<BreakingHead<throw_up>>("throws"),
               head<BreakingHead<give_nan>>("nan"), head<BreakingHead<ask_for_too_much>>("wild"),
               head<BreakingHead<sleep_long>>("sleeps"), head<BreakingHead<loop_for_ever>>("loops"),
               head<BreakingHead<write_to_null>>("crashes"))
