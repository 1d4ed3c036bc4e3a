// What the command line sends to a host. The real admin desk reads it from its real socket and does
// what it says, with a real trunk to try new generations on.
#include "core/base/sha256.hpp"
#include "core/runtime/admin_desk.hpp"
#include "core/trunk/server.hpp"
#include "tests/fuzz/toy_host.hpp"
#include "tests/support/fake_model.hpp"
#include "wire/admin_generated.h"

namespace {

using namespace cambium;

class Fixture {
 public:
  Fixture() {
    toy_.start(trunk_.endpoint());
    desk_ = fuzz::Caller::must(runtime::AdminDesk::start(toy_.host()));
    asker_ = std::make_unique<fuzz::Caller>(toy_.host().context(), "inproc://admin");
  }
  ~Fixture() {  // before the host's context
    asker_.reset();
    desk_.reset();
  }

  void run(std::span<const std::byte> input) {
    asker_->send(input);
    fuzz::wait_until(asker_->poller(), "every request is answered", [&] {
      transport::Peer nobody;
      std::span<const std::byte> bytes;
      if (!asker_->socket().receive(nobody, bytes).ok()) return false;
      const auto* answer = transport::verify<wire::Admin>(bytes, wire::AdminIdentifier());
      fuzz::promise(answer && answer->reply() && answer->reply()->text(), "an answer is sound");
      return true;
    });
    restore();
  }

 private:
  // Robots come and go as inputs say; the next one finds the first again.
  void restore() {
    bool there = false;
    for (const auto& robot : toy_.host().status()) {
      if (robot.name == "left")
        there = true;
      else
        fuzz::promise(toy_.host().remove(robot.name).has_value(), "a robot can be removed");
    }
    if (!there) fuzz::promise(toy_.host().add(toy_.robot()).has_value(), "a robot can be added");
  }

  fuzz::ToyHost toy_;
  trunk::TrunkServer trunk_ = fuzz::Caller::must(trunk::TrunkServer::start(
      {.endpoint = "tcp://127.0.0.1:0"}, {.id = base::from_hex(toy_.trunk_id()), .backend = "fake"},
      std::make_unique<test::FakeModel>(test::kToyWidth)));
  std::unique_ptr<runtime::AdminDesk> desk_;
  std::unique_ptr<fuzz::Caller> asker_;
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Fixture fixture;
  fixture.run(fuzz::bytes(data, size));
  return 0;
}
