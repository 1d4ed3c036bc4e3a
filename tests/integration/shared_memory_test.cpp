// Camera frames between controllers and a host on one machine: through shared memory, or as bytes
// where that cannot be; and what becomes of them when either side dies.
#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <optional>

#include "cambium/version.hpp"
#include "core/client/frame_ring.hpp"
#include "core/nn/bundle.hpp"
#include "core/transport/verify.hpp"
#include "tests/integration/host_fixture.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/steady_controller.hpp"
#include "tests/support/toy_camera.hpp"
#include "wire/action_generated.h"
#include "wire/hello_generated.h"
#include "wire/memory_generated.h"
#include "wire/notice_generated.h"
#include "wire/observation_generated.h"
#include "wire/welcome_generated.h"

namespace cambium {
namespace {

using namespace std::chrono_literals;
using runtime::Host;
using test::by_policy;
using testing::AllOf;
using testing::Contains;
using testing::Field;
using testing::HasSubstr;

// A bundle whose stem fails unless a frame arrives exactly: so where the policy drives, it did.
void write_camera_bundle(const std::filesystem::path& file, const std::string& trunk_id) {
  nn::BundleSpec spec;
  spec.embodiment = "toy_camera";
  spec.trunk_id = trunk_id;
  spec.width = test::kToyWidth;
  spec.horizon = test::kToyHorizon;
  spec.dof = 2;
  spec.control_hz = 100;
  spec.layout = {{.sensor = "camera",
                  .stem = "frame",
                  .shape = {toy::kCameraRows, toy::kCameraColumns, toy::kCameraColours},
                  .parameters = {}}};
  spec.head = "constant";
  const std::vector<float> value = {0.1F, -0.05F}, one = {1.0F}, zero = {0.0F};
  std::vector<nn::TensorToWrite> tensors = {
      {nn::head_prefix("toy_camera") + "value", nn::DType::f32, {2}, value.data()}};
  for (const char* name : {"camera", "action"}) {
    const auto prefix = nn::normaliser_prefix("toy_camera", name);
    tensors.push_back({prefix + "scale", nn::DType::f32, {1}, one.data()});
    tensors.push_back({prefix + "offset", nn::DType::f32, {1}, zero.data()});
  }
  if (const auto written = nn::write_bundle(file, spec, tensors); !written)
    throw std::runtime_error(written.error().message);
}

class SharedMemoryTest : public test::HostTest {
 protected:
  SharedMemoryTest() {
    write_camera_bundle(folder_ / "camera.safetensors", trunk_id_);
    config::RobotConfig eye = config_.robots[0];
    eye.name = "eye";
    eye.plugin = TOY_CAMERA;
    eye.bundle = folder_ / "camera.safetensors";
    config_.robots.push_back(eye);
  }

  // Messages in which a frame has room.
  void allow_large_messages() { config_.host.max_message_kb = 1024; }

  Client camera(std::size_t share_from = ClientOptions::kShareFrom) {
    auto opened =
        Client::open({.endpoint = ipc("control"),
                      .robot = "eye",
                      .embodiment = "toy_camera",
                      .name = "test",
                      .on_event = [this](const ClientEvent& event) { events_.push_back(event); },
                      .share_from = share_from});
    if (!opened) throw std::runtime_error(opened.error().message);
    return std::move(*opened);
  }

  Status see(Client& client, ActionReply& reply) {
    if (client.robot()) {
      toy::fill_camera(frame_, ++frames_);
      if (const Status set = client.set("joint_position", std::vector<float>(2)); !set.ok())
        return set;
      if (const Status set = client.set("camera", frame_); !set.ok()) return set;
    }
    return client.act(reply, 1s);
  }

  // So many ticks in a row that the policy drives.
  testing::AssertionResult drives(Client& client, int ticks) {
    ActionReply reply;
    Status status;
    const auto until = base::monotonic_ns() + 20 * base::kSecond;
    for (int steady = 0; base::monotonic_ns() < until;) {
      status = see(client, reply);
      steady = status.ok() && by_policy(reply) ? steady + 1 : 0;
      if (steady == ticks) return testing::AssertionSuccess();
    }
    return testing::AssertionFailure()
           << "last answer " << to_string(status.code()) << ", " << to_string(reply.drive)
           << ", reason " << to_string(reply.reason) << "; host said: " << log_;
  }

  runtime::RobotStatus eye() {
    for (auto& one : host_->status())
      if (one.name == "eye") return one;
    return {};
  }

  testing::Matcher<std::vector<ClientEvent>> has_event(ClientEvent::Kind kind, const char* text) {
    return Contains(
        AllOf(Field(&ClientEvent::kind, kind), Field(&ClientEvent::text, HasSubstr(text))));
  }

  std::vector<float> frame_ = std::vector<float>(toy::kCameraSize);
  std::uint32_t frames_ = 0;
};

TEST_F(SharedMemoryTest, FramesThatHaveNoRoomInAMessageArriveExactAndDriveThePolicy) {
  start_trunk();
  start_host();
  auto client = camera();
  const auto info = client.wait(5s);
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_TRUE(info->shared_memory);
  EXPECT_THAT(events_, has_event(ClientEvent::Kind::connected, "through shared memory"));
  EXPECT_TRUE(drives(client, 100));
  const auto status = eye();
  EXPECT_GE(status.shared_kb, toy::kCameraSize * sizeof(float) / 1024);
  EXPECT_EQ(status.refused, 0U);
  EXPECT_EQ(status.overwritten, 0U);
}

TEST_F(SharedMemoryTest, LockstepSeesTheFrameThatWasJustSent) {
  start_trunk();
  start_host();
  auto client = camera();
  ASSERT_TRUE(client.wait(5s));
  for (std::uint32_t i = 0; i < 10; ++i) {
    toy::fill_camera(frame_, i);
    ASSERT_TRUE(client.set("joint_position", std::vector<float>(2)).ok());
    ASSERT_TRUE(client.set("camera", frame_).ok());
    ChunkReply chunk;
    ASSERT_TRUE(client.infer(chunk, 5s).ok());
  }
}

TEST_F(SharedMemoryTest, AControllerThatDoesNotWantItSendsBytes) {
  allow_large_messages();
  start_trunk();
  start_host();
  auto client = camera(ClientOptions::kNeverShare);
  const auto info = client.wait(5s);
  ASSERT_TRUE(info);
  EXPECT_FALSE(info->shared_memory);
  EXPECT_TRUE(drives(client, 20));
  EXPECT_EQ(eye().shared_kb, 0U);
}

TEST_F(SharedMemoryTest, AHostThatDoesNotWantItGetsBytes) {
  allow_large_messages();
  config_.host.shared_memory = false;
  start_trunk();
  start_host();
  auto client = camera();
  const auto info = client.wait(5s);
  ASSERT_TRUE(info);
  EXPECT_FALSE(info->shared_memory);
  EXPECT_THAT(events_, has_event(ClientEvent::Kind::connected, "as bytes: the host does not"));
  EXPECT_TRUE(drives(client, 20));
}

TEST_F(SharedMemoryTest, WhereNeitherWayIsOpenTheControllerIsToldBothReasons) {
  start_host();
  auto client = camera(ClientOptions::kNeverShare);
  const auto info = client.wait(500ms);
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().code, Code::limit);
  EXPECT_THAT(info.error().message,
              AllOf(HasSubstr("max_message_kb is 256"), HasSubstr("switched off here")));
  host_.reset();
  config_.host.shared_memory = false;
  const auto refused = Host::start(config_, [](const std::string&) {});
  ASSERT_FALSE(refused) << "a body that could never be driven";
  EXPECT_THAT(refused.error().message, HasSubstr("max_message_kb = 256"));
}

TEST_F(SharedMemoryTest, AControllerInAContainerGoesOnWithBytes) {
  allow_large_messages();
  start_trunk();
  start_host();
  // In a process-id namespace of its own it gives the host a number that means another process.
  test::ChildProcess contained({"/usr/bin/unshare", "--user", "--map-root-user", "--pid", "--fork",
                                "--kill-child", CAMERA_CONTROLLER, ipc("control"), "eye"},
                               folder_.path().string());
  const std::string first = contained.line();
  if (first.empty()) GTEST_SKIP() << "no namespaces here: " << contained.error();
  EXPECT_THAT(first, HasSubstr("large readings as bytes: "));
  EXPECT_TRUE(eventually([&] { return eye().policy_ticks > 20; }));
  EXPECT_EQ(eye().shared_kb, 0U);
}

TEST_F(SharedMemoryTest, AKilledControllerCostsNobodyATickAndItsMemoryIsGivenBack) {
  start_trunk();
  start_host();
  test::SteadyController other(ipc("control"), "left");
  ASSERT_TRUE(other.wait_for([](const auto& ticks) { return ticks.size() > 20; }));
  for (int i = 0; i < 3; ++i) {
    test::ChildProcess killed({CAMERA_CONTROLLER, ipc("control"), "eye"}, folder_.path().string());
    std::string line = killed.line();
    while (!line.empty() && !line.starts_with("driven")) line = killed.line();
    ASSERT_FALSE(line.empty()) << log_;
    EXPECT_GT(eye().shared_kb, 0U);
    killed.signal(SIGKILL);
    EXPECT_EQ(killed.wait(), -SIGKILL);
    EXPECT_TRUE(eventually([&] { return eye().shared_kb == 0; })) << "the host held on to it";
  }
  auto client = camera();
  EXPECT_TRUE(drives(client, 20));
  const auto ticks = other.ticks();
  EXPECT_EQ(std::ranges::count(ticks, false, &test::SteadyController::Tick::answered), 1)
      << "the call that connects and has set nothing yet";
  EXPECT_EQ(eye().overwritten, 0U);
}

TEST_F(SharedMemoryTest, AControllerGoesOnByItselfWithTheNextHost) {
  start_trunk();
  start_host();
  auto client = camera();
  ASSERT_TRUE(drives(client, 10));
  for (int i = 0; i < 2; ++i) {
    host_.reset();
    start_host();
    ASSERT_TRUE(drives(client, 10));
    EXPECT_GT(eye().shared_kb, 0U);
    EXPECT_TRUE(client.robot()->shared_memory);
  }
}

TEST_F(SharedMemoryTest, AControllerGoesOnByItselfAfterItsHostWasKilled) {
  start_trunk();
  std::ofstream(folder_ / "cambium.toml")
      << "[trunk]\nendpoint = \"" << ipc("trunk") << "\"\nstock = \"stock.safetensors\"\n[host]\n"
      << "control = \"" << ipc("control") << "\"\nadmin = \"" << ipc("admin") << "\"\nrun_dir = \""
      << folder_.path().string() << "\"\n[[robot]]\nname = \"eye\"\n"
      << "plugin = \"" << TOY_CAMERA << "\"\nbundle = \"camera.safetensors\"\n"
      << "[robot.gate]\nmax_observation_age_ms = 10000\n";
  const std::vector<std::string> command = {CAMBIUM_PROGRAM, "host", "--config",
                                            folder_ / "cambium.toml"};
  auto host = std::make_unique<test::ChildProcess>(command, folder_.path().string());
  auto client = camera();
  ASSERT_TRUE(drives(client, 10));
  host->signal(SIGKILL);
  host->wait();
  ActionReply reply;
  EXPECT_FALSE(client.act(reply, 100ms).ok());
  host = std::make_unique<test::ChildProcess>(command, folder_.path().string());
  ASSERT_TRUE(drives(client, 10));
  EXPECT_TRUE(client.robot()->shared_memory);
}

// A controller that was written by hand, and not with care.
class HandMade {
 public:
  HandMade(const std::string& endpoint, const std::string& robot) {
    auto socket = transport::Socket::connect(context_, transport::SocketKind::dealer, endpoint);
    if (!socket) throw std::runtime_error(socket.error().message);
    socket_.emplace(std::move(*socket));
    poller_.add(*socket_);
    wire::FinishHelloBuffer(
        builder_, wire::CreateHelloDirect(builder_, kWireProtocol, "by hand", robot.c_str(), ""));
    const auto* welcome = call<wire::Welcome>(wire::WelcomeIdentifier());
    id = welcome->robot_id();
    body = welcome->body();
    says_shared_memory = welcome->shared_memory();
  }

  // The host's answer to an offer: its code, and why.
  std::pair<Code, std::string> offer(std::uint32_t process, int descriptor, std::uint64_t bytes,
                                     std::span<const std::byte> token) {
    builder_.Clear();
    const auto bytes_of_token =
        builder_.CreateVector(reinterpret_cast<const std::uint8_t*>(token.data()), token.size());
    const auto made = wire::CreateMemoryOffer(
        builder_, process, static_cast<std::uint32_t>(descriptor), bytes, bytes_of_token);
    wire::FinishMemoryBuffer(builder_, wire::CreateMemory(builder_, id, ++offers_, made));
    const auto* memory = call<wire::Memory>(wire::MemoryIdentifier());
    EXPECT_EQ(memory->sequence(), offers_);
    return {static_cast<Code>(memory->answer()->code()), memory->answer()->text()->str()};
  }
  std::pair<Code, std::string> offer(const client::FrameRing& ring) {
    return offer(static_cast<std::uint32_t>(::getpid()), ring.descriptor(), ring.bytes(),
                 ring.token());
  }

  // What the host says of an observation whose second reading lies there.
  std::string refusal_of(std::uint64_t offset, std::uint64_t sequence, std::uint64_t size) {
    observe(offset, sequence, size);
    return call<wire::Notice>(wire::NoticeIdentifier())->text()->str();
  }
  bool takes(std::uint64_t offset, std::uint64_t sequence, std::uint64_t size) {
    observe(offset, sequence, size);
    return call<wire::Action>(wire::ActionIdentifier())->sequence() == sequence_;
  }

  std::uint32_t id = 0;
  std::uint64_t body = 0;
  bool says_shared_memory = false;

 private:
  void observe(std::uint64_t offset, std::uint64_t sequence, std::uint64_t size) {
    builder_.Clear();
    const std::vector<float> joints(2);
    const wire::Place place(offset, sequence, size);
    const std::vector readings = {wire::CreateReadingDirect(builder_, &joints),
                                  wire::CreateReading(builder_, 0, &place)};
    wire::FinishObservationBuffer(
        builder_, wire::CreateObservationDirect(builder_, id, body, ++sequence_, 0,
                                                wire::Want::action, false, &readings));
  }

  template <class Table>
  const Table* call(const char* identifier) {
    const auto until = base::monotonic_ns() + 10 * base::kSecond;
    while (!socket_->send(transport::bytes_of(builder_)).ok() && base::monotonic_ns() < until)
      poller_.wait(base::kMillisecond);
    while (base::monotonic_ns() < until) {
      transport::Peer nobody;
      std::span<const std::byte> bytes;
      if (!socket_->receive(nobody, bytes).ok()) {
        poller_.wait(10 * base::kMillisecond);
        continue;
      }
      if (const auto* answer = transport::verify<Table>(bytes, identifier)) return answer;
      const auto* notice = transport::verify<wire::Notice>(bytes, wire::NoticeIdentifier());
      throw std::runtime_error(notice ? notice->text()->str() : "another answer was expected");
    }
    throw std::runtime_error("no answer");
  }

  transport::Context context_;
  std::optional<transport::Socket> socket_;
  transport::Poller poller_;
  flatbuffers::FlatBufferBuilder builder_;
  std::uint64_t offers_ = 0, sequence_ = 0;
};

client::FrameRing ring_for_frames() {
  auto ring = client::FrameRing::make(std::vector<std::size_t>{0, toy::kCameraSize});
  if (!ring) throw std::runtime_error(ring.error().message);
  return std::move(*ring);
}

TEST_F(SharedMemoryTest, OffersThatDoNotHoldAreRefusedWithTheirReason) {
  start_host();
  HandMade hand(ipc("control"), "eye");
  EXPECT_TRUE(hand.says_shared_memory);
  const auto ring = ring_for_frames();
  const auto self = static_cast<std::uint32_t>(::getpid());
  auto token = ring.token();
  token[0] ^= std::byte{1};
  const auto expect = [](const std::pair<Code, std::string>& answer, Code code, const char* why) {
    EXPECT_EQ(answer.first, code) << answer.second;
    EXPECT_THAT(answer.second, HasSubstr(why));
  };
  expect(hand.offer(self, ring.descriptor(), ring.bytes(), token), Code::unavailable,
         "is another one here");
  expect(hand.offer(self, ring.descriptor(), ring.bytes(), std::span(token).first(15)),
         Code::bad_data, "a token of 16 bytes");
  expect(hand.offer(self, ring.descriptor(), ring.bytes() - 64, ring.token()), Code::bad_data,
         "it was said to have");
  expect(hand.offer(self, ring.descriptor(), std::uint64_t{1} << 60, ring.token()), Code::limit,
         "expected");
  expect(hand.offer(0x7fff'ffff, 3, ring.bytes(), ring.token()), Code::unavailable, "is not there");
  const auto unsealed = base::make_memory("test");
  ASSERT_EQ(::ftruncate(unsealed->get(), 1 << 20), 0);
  expect(hand.offer(self, unsealed->get(), 1 << 20, ring.token()), Code::bad_data, "is not sealed");
  EXPECT_EQ(eye().shared_kb, 0U);
  expect(hand.offer(ring), Code::ok, "");
  EXPECT_TRUE(eventually([&] { return eye().shared_kb != 0; }));
}

TEST_F(SharedMemoryTest, PlacesThatAreNotSoundAreRefusedAndHarmNobody) {
  start_host();
  auto other = client("left");
  ActionReply reply;
  HandMade hand(ipc("control"), "eye");
  EXPECT_THAT(hand.refusal_of(64, 2, toy::kCameraSize), HasSubstr("does not know your memory"));
  auto ring = ring_for_frames();
  ASSERT_EQ(hand.offer(ring).first, Code::ok);
  ring.write(1, frame_, 0);
  const auto place = ring.lend(1, 1);
  EXPECT_TRUE(hand.takes(place.offset, place.sequence, place.size));
  const auto nowhere = HasSubstr("lies nowhere in the controller's memory");
  for (const std::uint64_t offset :
       {std::uint64_t{0}, place.offset + 4, std::uint64_t{ring.bytes()}, UINT64_MAX - 63}) {
    EXPECT_THAT(hand.refusal_of(offset, place.sequence, place.size), nowhere) << offset;
  }
  EXPECT_THAT(hand.refusal_of(place.offset, place.sequence + 1, place.size), nowhere);
  for (const std::uint64_t size :
       {place.size - 1, place.size + (std::uint64_t{1} << 32), UINT64_MAX})
    EXPECT_THAT(hand.refusal_of(place.offset, place.sequence, size),
                testing::AnyOf(nowhere, HasSubstr("its sensor has")))
        << size;
  EXPECT_THAT(hand.refusal_of(place.offset, place.sequence + 2, place.size),
              HasSubstr("overwritten"));
  EXPECT_EQ(eye().overwritten, 1U);
  EXPECT_TRUE(hand.takes(place.offset, place.sequence, place.size));
  ASSERT_TRUE(other.wait(2s));
  EXPECT_TRUE(tick(other, reply).ok());
}

}  // namespace
}  // namespace cambium
