// What a trunk sends to a host, as the host's TrunkLink reads it from its real socket.
#include "core/trunk/link.hpp"
#include "tests/fuzz/peer.hpp"
#include "wire/features_generated.h"

namespace {

using namespace cambium;

class Fixture {
 public:
  Fixture() {
    poller_.add(trunk_);
    link_poller_.add(link_.socket());
    std::span<const std::byte> bytes;
    link_.heartbeat(base::monotonic_ns());
    fuzz::wait_until(poller_, "a link says hello",
                     [&] { return trunk_.receive(host_, bytes).ok(); });
    wire::FinishFeaturesBuffer(builder_, wire::CreateFeatures(builder_, kLast));
  }

  void run(std::span<const std::byte> input) {
    fuzz::send_to(trunk_, host_, input);
    fuzz::send_to(trunk_, host_, transport::bytes_of(builder_));
    trunk::FeaturesReply reply;
    fuzz::wait_until(link_poller_, "every message is read", [&] {
      while (link_.receive(reply, base::monotonic_ns())) {
        for (const float value : reply.values) sum_ = sum_ + value;
        if (reply.code == Code::ok)
          fuzz::promise(reply.values.size() == std::size_t{reply.count} * reply.width,
                        "features that are ok have their size");
        if (reply.request == kLast) return true;
      }
      if (const auto load = link_.load_reply(); load && load->code == Code::ok) {
        for (const unsigned char byte : load->id) sum_ = sum_ + byte;
      }
      return false;
    });
  }

 private:
  static constexpr std::uint64_t kLast = 0x6c61737420666561;

  transport::Context context_;
  transport::Socket trunk_ = fuzz::Caller::must(
      transport::Socket::bind(context_, transport::SocketKind::router, "inproc://trunk"));
  trunk::TrunkLink link_ =
      fuzz::Caller::must(trunk::TrunkLink::open(context_, "inproc://trunk", "fuzz", 1 << 20));
  transport::Poller poller_, link_poller_;
  transport::Peer host_;
  flatbuffers::FlatBufferBuilder builder_;
  volatile float sum_ = 0;  // reads every value
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Fixture fixture;
  fixture.run(fuzz::bytes(data, size));
  return 0;
}
