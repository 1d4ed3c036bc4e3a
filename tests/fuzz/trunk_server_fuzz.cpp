// What hosts send to a trunk: tokens, hello, orders to load, and of sessions. Real servers read it
// from their real sockets: one whose model remembers, and one whose model does not.
#include <algorithm>
#include <atomic>

#include "core/transport/verify.hpp"
#include "core/trunk/server.hpp"
#include "tests/fuzz/peer.hpp"
#include "tests/support/fake_model.hpp"
#include "tests/support/remembering_model.hpp"
#include "tests/support/tokens.hpp"
#include "wire/session_generated.h"

namespace {

using namespace cambium;

// Whatever path is asked for: a stock, each time another one.
Result<trunk::OpenedStock> open(const std::filesystem::path& file) {
  if (file.native().size() % 4 == 0) return Error{Code::bad_data, file.string()};
  static std::atomic<unsigned char> fill = 0;  // of both servers
  return trunk::OpenedStock{
      .id = test::digest(++fill), .width = 4, .make_model = [] {
        return Result<std::unique_ptr<trunk::TrunkModel>>(std::make_unique<test::FakeModel>(4));
      }};
}

template <class Model>
struct Fixture {
  trunk::TrunkServer server = fuzz::Caller::must(trunk::TrunkServer::start(
      {.endpoint = "tcp://127.0.0.1:0",
       .queue = 8,
       .max_batch = 4,
       .max_tokens = 16,
       .open = open,
       .max_width = 4,
       .lease = 50 * base::kMillisecond,
       .session_memory = 4 * 64,  // four sessions, which soon give place to others
       .session_lease = base::kMillisecond},
      {.id = test::digest(0xab), .backend = "fake"}, std::make_unique<Model>(4)));
  transport::Context context;
  fuzz::Caller host{context, server.endpoint()};

  void read(std::span<const std::byte> message) {
    host.send(message);
    host.fence();
  }
};

// It has sessions, and a save would put one wherever the input says.
bool would_write(std::span<const std::byte> message) {
  alignas(8) std::byte aligned[1024];
  std::ranges::copy(message, aligned);
  const auto* session = transport::verify<wire::Session>(std::span(aligned, message.size()),
                                                         wire::SessionIdentifier());
  const auto* order = session == nullptr ? nullptr : session->request();
  return order != nullptr && order->verb() == wire::SessionVerb::save && order->file() != nullptr &&
         order->file()->string_view().starts_with('/');
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Fixture<test::FakeModel> forgets;
  static Fixture<test::RememberingModel> remembers;
  // The largest that the server takes; a larger one ends the connection before it is read.
  const auto message = fuzz::bytes(data, std::min<std::size_t>(size, 1024));
  if (would_write(message)) return 0;
  forgets.read(message);
  remembers.read(message);
  return 0;
}
