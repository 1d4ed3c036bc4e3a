// What controllers send to a host: hello, observation, memory. The real host reads it from its real
// socket; the sender is the robot's controller and shares memory with it, so that sound
// observations reach the robot both ways.
#include <unistd.h>

#include "cambium/version.hpp"
#include "core/client/frame_ring.hpp"
#include "tests/fuzz/toy_host.hpp"
#include "wire/memory_generated.h"

namespace {

using namespace cambium;

struct Fixture {
  fuzz::ToyHost toy;
  std::unique_ptr<fuzz::Caller> controller;

  Fixture() {
    toy.start();
    controller = std::make_unique<fuzz::Caller>(toy.host().tick_context(), "inproc://control");
    flatbuffers::FlatBufferBuilder builder;
    wire::FinishHelloBuffer(builder,
                            wire::CreateHelloDirect(builder, kWireProtocol, "fuzz", "left", ""));
    controller->send(transport::bytes_of(builder));
    controller->fence();
  }
  ~Fixture() { controller.reset(); }  // before the host's context

  // An input may have been a hello, which ends what was shared.
  void share() {
    const auto shared = [this] { return toy.host().status()[0].shared_kb != 0; };
    if (shared()) return;
    flatbuffers::FlatBufferBuilder builder;
    const auto token = builder.CreateVector(
        reinterpret_cast<const std::uint8_t*>(ring.token().data()), ring.token().size());
    const auto offer =
        wire::CreateMemoryOffer(builder, static_cast<std::uint32_t>(::getpid()),
                                static_cast<std::uint32_t>(ring.descriptor()), ring.bytes(), token);
    wire::FinishMemoryBuffer(builder, wire::CreateMemory(builder, 0, 1, offer));
    // Again and again: an input may have been an offer too, which is still being looked at.
    fuzz::wait_until(controller->poller(), "sound memory is taken", [&] {
      controller->send(transport::bytes_of(builder));
      controller->fence();
      return shared();
    });
  }

  // The slot that the seeds name: sequence 2 at byte 64.
  client::FrameRing ring = [] {
    auto made = fuzz::Caller::must(client::FrameRing::make(std::vector<std::size_t>{0, 3}));
    made.write(1, std::vector<float>(3, 0.2F), 0);
    return made;
  }();
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Fixture fixture;
  fixture.share();
  fixture.controller->send(fuzz::bytes(data, size));
  fixture.controller->fence();
  return 0;
}
