// LeRobot: pickles over gRPC; a round trip is SendObservations and the GetActions that gets its
// chunk.
#include <grpcpp/grpcpp.h>

#include <utility>

#include "bench/clients/pickle_writer.hpp"
#include "bench/clients/protocol.hpp"
#include "bench/clients/scene.hpp"
#include "wire/lerobot/services.grpc.pb.h"

namespace cambium::bench {
namespace {

constexpr const char* kModule = "lerobot.async_inference.helpers";
constexpr int kLargest = 64 << 20;
constexpr std::size_t kPiece = 2 << 20;  // [B] as the original client cuts

std::string feature_setup() {
  PickleWriter to;
  to.begin_object(kModule, "RemotePolicyConfig");
  to.text("policy_type");
  to.text("act");
  to.text("pretrained_name_or_path");
  to.text("bench");
  to.text("lerobot_features");
  to.begin_map();
  to.text("observation.state");
  to.begin_map();
  to.text("dtype");
  to.text("float32");
  to.text("shape");
  to.begin();
  to.integer(kJoints);
  to.end_tuple();
  to.text("names");
  to.begin_list();
  for (std::uint32_t i = 0; i < kJoints; ++i) to.text(joint_name(i) + ".pos");
  to.end_list();
  to.end_map();
  for (const char* camera : kCameras) {
    to.text(std::string("observation.images.") + camera);
    to.begin_map();
    to.text("dtype");
    to.text("image");
    to.text("shape");
    to.begin();
    to.integer(kSide);
    to.integer(kSide);
    to.integer(kColours);
    to.end_tuple();
    to.text("names");
    to.begin_list();
    for (const char* axis : {"height", "width", "channels"}) to.text(axis);
    to.end_list();
    to.end_map();
  }
  to.end_map();
  to.text("actions_per_chunk");
  to.integer(50);
  to.text("device");
  to.text("cpu");
  to.text("rename_map");
  to.begin_map();
  to.end_map();
  to.end_object();
  return to.finish();
}

/// An observation, and where in it the number of the step stands.
struct Packed {
  std::string bytes;
  std::size_t timestep = 0;
};

Packed observation() {
  const Scene scene;
  PickleWriter to;
  to.begin_object(kModule, "TimedObservation");
  to.text("timestamp");
  to.number(1.5);
  to.text("timestep");
  const std::size_t at = to.size() + 1;  // behind its opcode
  to.integer(0);
  to.text("observation");
  to.begin_map();
  for (std::uint32_t i = 0; i < kJoints; ++i) {
    to.text(joint_name(i) + ".pos");
    to.number(scene.joints[i]);
  }
  const std::string pixels(scene.picture.begin(), scene.picture.end());
  for (const char* camera : kCameras) {
    to.text(camera);
    to.array(pixels, {kSide, kSide, kColours});
  }
  to.text("task");
  to.text("measure");
  to.end_map();
  to.text("must_go");
  to.boolean(true);
  to.end_object();
  return {to.finish(), at};
}

Error failed(const char* what, const grpc::Status& why) {
  return {Code::unavailable, std::string("lerobot: ") + what + ": " + why.error_message()};
}

class LerobotClient final : public ProtocolClient {
 public:
  explicit LerobotClient(const std::string& endpoint) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kLargest);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
    stub_ = transport::AsyncInference::NewStub(
        grpc::CreateCustomChannel(endpoint.substr(std::string("tcp://").size()),
                                  grpc::InsecureChannelCredentials(), arguments));
  }
  Result<void> begin() {
    transport::Empty nothing;
    grpc::ClientContext ready;
    if (const auto done = stub_->Ready(&ready, nothing, &nothing); !done.ok())
      return failed("Ready", done);
    transport::PolicySetup setup;
    setup.set_data(feature_setup());
    grpc::ClientContext instruct;
    if (const auto done = stub_->SendPolicyInstructions(&instruct, setup, &nothing); !done.ok())
      return failed("SendPolicyInstructions", done);
    return {};
  }

  Result<void> ask() override {
    if (auto sent = send(); !sent) return sent;
    return hear();
  }
  std::string reply() const override { return actions_.data(); }
  Result<Answered> answered() const override {
    if (!actions_.data().empty()) return Answered{};  // the reply has no room for more
    return Error{Code::bad_data, "lerobot: no actions"};
  }
  Result<void> hang() override {
    begin_stream();
    if (put(transport::TRANSFER_BEGIN, 0, packed_.bytes.size() / 2)) return {};
    return Error{Code::unavailable, "lerobot: the stream is closed"};
  }
  Result<void> recover() override {
    const auto half = packed_.bytes.size() / 2;
    put(transport::TRANSFER_END, half, packed_.bytes.size() - half);
    if (auto done = end_stream(); !done) return done;
    return hear();
  }

 private:
  void begin_stream() {
    const std::uint32_t step = ++timestep_;
    for (std::size_t i = 0; i < 4; ++i)
      packed_.bytes[packed_.timestep + i] = static_cast<char>(step >> 8 * i);
    context_ = std::make_unique<grpc::ClientContext>();
    stream_ = stub_->SendObservations(context_.get(), &nothing_);
  }
  bool put(transport::TransferState state, std::size_t at, std::size_t size) {
    transport::Observation piece;
    piece.set_transfer_state(state);
    piece.set_data(packed_.bytes.data() + at, size);
    return stream_->Write(piece);
  }
  Result<void> end_stream() {
    stream_->WritesDone();
    const auto done = stream_->Finish();
    return done.ok() ? Result<void>() : failed("SendObservations", done);
  }
  Result<void> send() {
    begin_stream();
    static_assert(3 * kPixels + 4096 < kPiece, "one piece");
    put(transport::TRANSFER_END, 0, packed_.bytes.size());
    return end_stream();
  }
  Result<void> hear() {
    transport::Empty nothing;
    grpc::ClientContext context;
    const auto done = stub_->GetActions(&context, nothing, &actions_);
    return done.ok() ? Result<void>() : failed("GetActions", done);
  }

  std::unique_ptr<transport::AsyncInference::Stub> stub_;
  Packed packed_ = observation();
  std::uint32_t timestep_ = 0;
  std::unique_ptr<grpc::ClientContext> context_;
  transport::Empty nothing_;
  std::unique_ptr<grpc::ClientWriter<transport::Observation>> stream_;
  transport::Actions actions_;
};

class GrpcServer final : public BareServer, transport::AsyncInference::Service {
 public:
  explicit GrpcServer(const std::string& reply) {
    actions_.set_data(reply);
    int port = 0;
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(kLargest);
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    endpoint_ = "tcp://127.0.0.1:" + std::to_string(port);
  }
  ~GrpcServer() override { server_->Shutdown(std::chrono::system_clock::now()); }
  const std::string& endpoint() const noexcept override { return endpoint_; }

 private:
  using Context = grpc::ServerContext;
  grpc::Status Ready(Context*, const transport::Empty*, transport::Empty*) override { return {}; }
  grpc::Status SendPolicyInstructions(Context*, const transport::PolicySetup*,
                                      transport::Empty*) override {
    return {};
  }
  grpc::Status SendObservations(Context*, grpc::ServerReader<transport::Observation>* pieces,
                                transport::Empty*) override {
    for (transport::Observation piece; pieces->Read(&piece);) {
    }
    return {};
  }
  grpc::Status GetActions(Context*, const transport::Empty*, transport::Actions* to) override {
    *to = actions_;
    return {};
  }

  transport::Actions actions_;
  std::string endpoint_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

Result<std::unique_ptr<ProtocolClient>> connect_lerobot(const std::string& endpoint,
                                                        const std::string&) {
  auto client = std::make_unique<LerobotClient>(endpoint);
  if (auto done = client->begin(); !done) return done.error();
  return std::unique_ptr<ProtocolClient>(std::move(client));
}

Result<std::unique_ptr<BareServer>> bare_grpc(const std::string& reply) {
  return std::unique_ptr<BareServer>(new GrpcServer(reply));
}

}  // namespace cambium::bench
