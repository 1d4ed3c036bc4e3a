#include "bench/garbage.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "cambium/version.hpp"
#include "core/base/clock.hpp"
#include "core/base/descriptor.hpp"
#include "core/transport/verify.hpp"
#include "wire/admin_generated.h"
#include "wire/hello_generated.h"
#include "wire/observation_generated.h"
#include "wire/tokens_generated.h"

namespace cambium::bench {
namespace {

using Builder = flatbuffers::FlatBufferBuilder;

constexpr int kMessages = 40;
constexpr base::Nanoseconds kConnect = 200 * base::kMillisecond, kFlood = 100 * base::kMillisecond;

std::vector<std::byte> taken(const Builder& builder) {
  const auto bytes = transport::bytes_of(builder);
  return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> observation(std::uint32_t robot) {
  Builder builder;
  std::vector<flatbuffers::Offset<wire::Reading>> readings;
  for (const std::size_t size : {7, 3, 3})
    readings.push_back(
        wire::CreateReading(builder, builder.CreateVector(std::vector<float>(size, 0.1F))));
  const auto all = builder.CreateVector(readings);
  wire::FinishObservationBuffer(
      builder, wire::CreateObservation(builder, robot, 1, 1, 0, wire::Want::action, false, all));
  return taken(builder);
}

std::vector<std::byte> hello(const std::string& robot) {
  Builder builder;
  const auto client = builder.CreateString("stranger"), name = builder.CreateString(robot),
             body = builder.CreateString("");
  wire::FinishHelloBuffer(builder, wire::CreateHello(builder, kWireProtocol, client, name, body));
  return taken(builder);
}

std::vector<std::byte> tokens() {
  Builder builder;
  const auto trunk = builder.CreateVector(std::vector<std::uint8_t>(32, 1));
  const auto values = builder.CreateVector(std::vector<float>(6 * 64, 0.1F));
  wire::FinishTokensBuffer(builder, wire::CreateTokens(builder, 1, 0, 1, trunk, 0,
                                                       wire::Pooling::mean, 1, 6, 64, values));
  return taken(builder);
}

// Never a verb that changes something, were it to arrive whole.
std::vector<std::byte> admin(const std::string& robot) {
  Builder builder;
  const auto verb = builder.CreateString("swaps"), name = builder.CreateString(robot);
  wire::AdminRequestBuilder fields(builder);
  fields.add_protocol(kWireProtocol);
  fields.add_verb(verb);
  fields.add_robot(name);
  const auto request = fields.Finish();
  wire::FinishAdminBuffer(builder, wire::CreateAdmin(builder, request));
  return taken(builder);
}

// Returns false if nobody takes it for too long: the other side may just have been killed.
bool send(transport::Socket& socket, std::span<const std::byte> bytes, base::Nanoseconds until) {
  transport::Poller poller;
  poller.add(socket);
  transport::Peer nobody;
  std::span<const std::byte> answer;
  while (base::monotonic_ns() < until) {
    while (socket.receive(nobody, answer).ok()) {
    }
    if (socket.send(bytes).ok()) return true;
    poller.wait(base::kMillisecond);
  }
  return false;
}

}  // namespace

std::vector<std::byte> Garbage::noise(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random_());
  return bytes;
}

std::vector<std::byte> Garbage::spoilt(const std::string& robot) {
  std::vector<std::byte> bytes;
  switch (random_() % 5) {
    case 0:
      bytes = observation(static_cast<std::uint32_t>(random_() % 8));
      break;
    case 1:
      bytes = hello(robot);
      break;
    case 2:
      bytes = tokens();
      break;
    case 3:
      bytes = admin(robot);
      break;
    default:
      return noise(random_() % 4096);
  }
  if (random_() % 3 == 0) bytes.resize(random_() % bytes.size());
  const auto changes = random_() % 6;
  for (unsigned i = 0; i < changes && !bytes.empty(); ++i)
    bytes[random_() % bytes.size()] = static_cast<std::byte>(random_());
  return bytes;
}

void Garbage::messages(const std::string& endpoint, const std::string& robot) {
  auto socket = transport::Socket::connect(context_, transport::SocketKind::dealer, endpoint);
  if (!socket) return;
  const base::Nanoseconds until = base::monotonic_ns() + kConnect;
  for (int i = 0; i < kMessages; ++i)
    if (!send(*socket, spoilt(robot), until)) return;
}

void Garbage::bytes(const std::string& endpoint) {
  const std::string path = endpoint.substr(std::strlen("ipc://"));
  const base::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{.sun_family = AF_UNIX};
  if (socket.get() < 0 || path.size() >= sizeof address.sun_path) return;
  path.copy(address.sun_path, path.size());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return;
  auto all = noise(1 + random_() % 65536);
  // Half of them begin as ZeroMQ's own greeting does.
  constexpr unsigned char kGreeting[] = {0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0};
  if (random_() % 2 == 0 && all.size() > sizeof kGreeting)
    std::memcpy(all.data(), kGreeting, sizeof kGreeting);
  [[maybe_unused]] const auto sent = ::send(socket.get(), all.data(), all.size(), MSG_NOSIGNAL);
}

void Garbage::flood(const std::string& endpoint) {
  auto socket = transport::Socket::connect(context_, transport::SocketKind::dealer, endpoint);
  if (!socket) return;
  const auto sound = observation(0);
  const base::Nanoseconds until = base::monotonic_ns() + kFlood;
  while (send(*socket, sound, until)) {
  }
}

}  // namespace cambium::bench
