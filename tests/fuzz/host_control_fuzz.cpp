// What controllers send to a host: hello, observation. The real host reads it from its real socket;
// the sender is the robot's controller, so that sound observations reach the robot.
#include "cambium/version.hpp"
#include "tests/fuzz/toy_host.hpp"

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
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Fixture fixture;
  fixture.controller->send(fuzz::bytes(data, size));
  fixture.controller->fence();
  return 0;
}
