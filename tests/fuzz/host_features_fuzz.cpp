// What a trunk sends to a host: features and who it is. The real host reads it from its real
// socket, and what fits the robot's request goes through its head into a chunk.
#include <cmath>

#include "cambium/version.hpp"
#include "tests/fuzz/toy_host.hpp"
#include "wire/chunk_generated.h"
#include "wire/features_generated.h"
#include "wire/observation_generated.h"
#include "wire/tokens_generated.h"

namespace {

using namespace cambium;

class Fixture {
 public:
  Fixture() {
    toy_.start();
    trunk_ = std::make_unique<transport::Socket>(fuzz::Caller::must(transport::Socket::bind(
        toy_.host().tick_context(), transport::SocketKind::router, "inproc://trunk")));
    poller_.add(*trunk_);
    controller_ = std::make_unique<fuzz::Caller>(toy_.host().tick_context(), "inproc://control");
    flatbuffers::FlatBufferBuilder builder;
    wire::FinishHelloBuffer(builder,
                            wire::CreateHelloDirect(builder, kWireProtocol, "fuzz", "left", ""));
    controller_->send(transport::bytes_of(builder));
    controller_->fence();
  }
  ~Fixture() {  // before the host's context
    controller_.reset();
    trunk_.reset();
  }

  void run(std::span<const std::byte> input) {
    ask_for_chunk();
    std::uint64_t request = 0, generation = 0;
    transport::Peer host;
    fuzz::wait_until(poller_, "a lockstep call asks the trunk", [&] {
      std::span<const std::byte> bytes;
      while (trunk_->receive(host, bytes).ok()) {
        const auto* tokens = transport::verify<wire::Tokens>(bytes, wire::TokensIdentifier());
        if (!tokens) continue;  // a hello
        request = tokens->request();
        generation = tokens->generation();
        return true;
      }
      return false;
    });
    std::vector<std::byte> spoilt(input.begin(), input.end());
    fuzz::put_number<wire::Features>(spoilt, wire::FeaturesIdentifier(), wire::Features::VT_REQUEST,
                                     request);
    fuzz::put_number<wire::Features>(spoilt, wire::FeaturesIdentifier(),
                                     wire::Features::VT_GENERATION, generation);
    fuzz::send_to(*trunk_, host, spoilt);
    answer(host, request, generation);
    await_chunk();
  }

 private:
  void ask_for_chunk() {
    flatbuffers::FlatBufferBuilder builder;
    const std::vector<float> joints(2, 0.1F), goal(3, 0.2F);
    const std::vector readings = {wire::CreateReadingDirect(builder, &joints),
                                  wire::CreateReadingDirect(builder, &goal)};
    wire::FinishObservationBuffer(
        builder, wire::CreateObservationDirect(builder, 0, 1, ++sequence_, 0, wire::Want::chunk,
                                               false, &readings));
    controller_->send(transport::bytes_of(builder));
  }

  // What the trunk should have said, in case the host still waits for it.
  void answer(const transport::Peer& host, std::uint64_t request, std::uint64_t generation) {
    flatbuffers::FlatBufferBuilder builder;
    const std::vector<float> values(test::kToyWidth, 0.5F);
    wire::FinishFeaturesBuffer(builder, wire::CreateFeaturesDirect(builder, request, 0, generation,
                                                                   0, 1, test::kToyWidth, &values));
    fuzz::send_to(*trunk_, host, transport::bytes_of(builder));
  }

  void await_chunk() {
    fuzz::wait_until(controller_->poller(), "a lockstep call is answered", [&] {
      transport::Peer nobody;
      std::span<const std::byte> bytes;
      while (controller_->socket().receive(nobody, bytes).ok()) {
        if (const auto* chunk = transport::verify<wire::Chunk>(bytes, wire::ChunkIdentifier())) {
          for (const float value : *chunk->values())
            fuzz::promise(std::isfinite(value), "every action is finite");
          if (chunk->sequence() == sequence_) return true;
        }
        const auto* notice = transport::verify<wire::Notice>(bytes, wire::NoticeIdentifier());
        if (notice && notice->sequence() == sequence_) return true;
      }
      return false;
    });
  }

  fuzz::ToyHost toy_;
  std::unique_ptr<transport::Socket> trunk_;
  transport::Poller poller_;
  std::unique_ptr<fuzz::Caller> controller_;
  std::uint64_t sequence_ = 0;
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Fixture fixture;
  fixture.run(fuzz::bytes(data, size));
  return 0;
}
