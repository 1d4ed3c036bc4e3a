// What a host sends to a controller: welcome, action, chunk, notice. The real client reads it from
// its real socket, after a sound welcome and as the answer to an observation.
#include <mutex>
#include <optional>

#include "cambium/client.hpp"
#include "tests/fuzz/peer.hpp"
#include "wire/action_generated.h"
#include "wire/chunk_generated.h"
#include "wire/observation_generated.h"
#include "wire/welcome_generated.h"

namespace {

using namespace cambium;
using namespace std::chrono_literals;

constexpr std::uint64_t kBody = 1, kAnotherBody = 0xb0d7;

// Greets; answers an observation with the input, then says that the body has changed, which ends
// every wait of the client and brings it back to the beginning.
class FakeHost {
 public:
  const std::string& endpoint() const noexcept { return answerer_.endpoint(); }
  void set_input(std::span<const std::byte> input) {
    const std::lock_guard lock(mutex_);
    input_.emplace(input.begin(), input.end());
  }

 private:
  void answer(transport::Socket& socket, const transport::Peer& from,
              std::span<const std::byte> bytes) {
    const auto* observation =
        transport::verify<wire::Observation>(bytes, wire::ObservationIdentifier());
    flatbuffers::FlatBufferBuilder builder;
    if (!observation) {
      const std::vector joints = {wire::CreateJointDirect(builder, "a", false, -1, 1, 1, 1, 0)};
      const std::vector<std::uint32_t> shape = {1};
      const std::vector sensors = {
          wire::CreateSensorDirect(builder, "joint_position", "rad", "joint", &shape)};
      wire::FinishWelcomeBuffer(
          builder, wire::CreateWelcomeDirect(builder, 0, "left", "toy", 1, kBody, &joints, &sensors,
                                             0, 100, 4));
    } else {
      if (auto input = take_input(observation->sequence())) [[maybe_unused]]
        const Status sent = socket.send(from, *input);
      wire::FinishNoticeBuffer(
          builder, wire::CreateNotice(builder, static_cast<std::uint16_t>(Code::stale), 0, 0,
                                      observation->sequence(), 1, kAnotherBody));
    }
    [[maybe_unused]] const Status sent = socket.send(from, transport::bytes_of(builder));
  }

  std::optional<std::vector<std::byte>> take_input(std::uint64_t sequence) {
    const std::lock_guard lock(mutex_);
    if (input_) {
      fuzz::put_number<wire::Action>(*input_, wire::ActionIdentifier(), wire::Action::VT_SEQUENCE,
                                     sequence);
      fuzz::put_number<wire::Chunk>(*input_, wire::ChunkIdentifier(), wire::Chunk::VT_SEQUENCE,
                                    sequence);
      fuzz::put_number<wire::Notice>(*input_, wire::NoticeIdentifier(), wire::Notice::VT_SEQUENCE,
                                     sequence);
    }
    return std::exchange(input_, std::nullopt);
  }

  std::mutex mutex_;
  std::optional<std::vector<std::byte>> input_;
  fuzz::Answerer answerer_{
      [this](auto& socket, const auto& from, auto bytes) { answer(socket, from, bytes); }};
};

Client open_client(const FakeHost& host) {
  return fuzz::Caller::must(Client::open({.endpoint = host.endpoint(),
                                          .robot = "left",
                                          .embodiment = "",
                                          .name = "fuzz",
                                          .on_event = [](const ClientEvent&) {}}));
}

// False if a welcome asks for more than this gives.
bool set_all(Client& client) {
  const std::vector<float> values(64, 0.0F);
  const auto& sensors = client.robot()->sensors;
  for (std::size_t i = 0; i < sensors.size(); ++i) {
    std::size_t size = 1;
    for (const auto extent : sensors[i].shape) size *= extent;
    if (size > values.size() || !client.set(i, std::span(values).first(size)).ok()) return false;
  }
  return true;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static FakeHost host;
  static Client client = open_client(host);
  fuzz::promise(client.wait(10s).has_value(), "a client finds its host again");
  host.set_input(fuzz::bytes(data, size));
  ActionReply action;
  ChunkReply chunk;
  volatile float sum = 0;
  // Until the last message of the fake host has been read: it ends the connection.
  for (int i = 0; client.robot() != nullptr; ++i) {
    if (i == 4 || !set_all(client)) {
      client = open_client(host);
      break;
    }
    if (size % 2 == 0) {
      if (client.act(action, 5s).ok())
        for (const float value : action.values) sum = sum + value;
    } else if (client.infer(chunk, 5s).ok()) {
      fuzz::promise(chunk.values.size() == std::size_t{chunk.horizon} * chunk.dof,
                    "a chunk has its size");
      for (const float value : chunk.values) sum = sum + value;
    }
  }
  return 0;
}
