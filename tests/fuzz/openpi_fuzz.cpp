// What openpi's clients send: a request, frames, or an observation, as the first byte says. A real
// listener of a real host reads it from its real socket.
#include <charconv>

#include "core/adapters/openpi/openpi_listener.hpp"
#include "tests/fuzz/toy_host.hpp"
#include "tests/support/raw_socket.hpp"

namespace {

using namespace cambium;

struct Fixture {
  fuzz::ToyHost toy{true};
  std::unique_ptr<gateway::Listener> listener;
  std::uint16_t port = 0;
  std::unique_ptr<test::RawWebSocket> client;

  Fixture() {
    toy.start();
    auto gateway = fuzz::Caller::must(gateway::Gateway::make(
        {.protocol = config::Protocol::openpi,
         .endpoint = "tcp://127.0.0.1:0",
         .robots = {"left"},
         .max_message_kb = 64},
        {.controller = {.endpoint = toy.control()},
         .describe = [this](const std::string& robot) { return toy.host().describe(robot); },
         .log = {}}));
    listener = fuzz::Caller::must(adapters::start_openpi(std::move(gateway)));
    const std::string& endpoint = listener->endpoint();
    std::from_chars(endpoint.data() + endpoint.rfind(':') + 1, endpoint.data() + endpoint.size(),
                    port);
    client = std::make_unique<test::RawWebSocket>(port);
    fuzz::promise(client->answered().opcode == test::kBinary, "a client gets its metadata");
  }
  ~Fixture() { client.reset(), listener.reset(); }  // before the host

  // Whatever was sent, the connection ends when its client ends.
  static void finish(test::RawSocket& socket) {
    socket.send_no_more();
    fuzz::promise(socket.closed(), "a connection ends with its client");
  }
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Fixture fixture;
  if (size == 0) return 0;
  const auto rest = fuzz::text(data + 1, std::min<std::size_t>(size - 1, 32 * 1024));
  switch (data[0] % 3) {
    case 0: {
      test::RawSocket socket(fixture.port);
      socket.send(rest);
      Fixture::finish(socket);
      break;
    }
    case 1: {
      test::RawWebSocket second(fixture.port);  // of a robot that is driven: it is sent away
      second.socket.send(rest);
      Fixture::finish(second.socket);
      break;
    }
    default: {
      const auto answer = fixture.client->ask(rest);
      fuzz::promise(answer.opcode == test::kBinary ||
                        (answer.opcode == test::kText && !answer.payload.empty()),
                    "every message is answered, with a chunk or a sentence");
    }
  }
  return 0;
}
