// What hosts send to a trunk: tokens, hello, orders to load. The real server reads it from its real
// socket.
#include "core/trunk/server.hpp"
#include "tests/fuzz/peer.hpp"
#include "tests/support/fake_model.hpp"
#include "tests/support/tokens.hpp"

namespace {

using namespace cambium;

// Whatever path is asked for: a stock, each time another one.
Result<trunk::OpenedStock> open(const std::filesystem::path& file) {
  if (file.native().size() % 4 == 0) return Error{Code::bad_data, file.string()};
  static unsigned char fill = 0;
  return trunk::OpenedStock{
      .id = test::digest(++fill), .width = 4, .make_model = [] {
        return Result<std::unique_ptr<trunk::TrunkModel>>(std::make_unique<test::FakeModel>(4));
      }};
}

struct Fixture {
  trunk::TrunkServer server = fuzz::Caller::must(trunk::TrunkServer::start(
      {.endpoint = "tcp://127.0.0.1:0",
       .queue = 8,
       .max_batch = 4,
       .max_tokens = 16,
       .open = open,
       .max_width = 4,
       .lease = 50 * base::kMillisecond},
      {.id = test::digest(0xab), .backend = "fake"}, std::make_unique<test::FakeModel>(4)));
  transport::Context context;
  fuzz::Caller host{context, server.endpoint()};
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Fixture fixture;
  // The largest that the server takes; a larger one ends the connection before it is read.
  fixture.host.send(fuzz::bytes(data, std::min<std::size_t>(size, 1024)));
  fixture.host.fence();
  return 0;
}
