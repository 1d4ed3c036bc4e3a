#include "core/adapters/lerobot/lerobot_listener.hpp"

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>

#include <chrono>
#include <string_view>
#include <utility>

#include "core/adapters/lerobot/assembly.hpp"
#include "core/adapters/lerobot/clients.hpp"
#include "wire/lerobot/services.grpc.pb.h"

namespace cambium::adapters {
namespace {

// The real client has two calls open; the rest is for its retries.
constexpr int kCallsOfOne = 8;
constexpr std::size_t kAround = 1024;  // of a message, beside its data

// Never UNAVAILABLE or DEADLINE_EXCEEDED: at these LeRobot's client repeats the same bytes.
grpc::Status status_of(const Error& error) {
  using grpc::StatusCode;
  const auto code = [&] {
    switch (error.code) {
      case Code::ok:
        return StatusCode::OK;
      case Code::bad_argument:
      case Code::bad_data:
      case Code::not_finite:
        return StatusCode::INVALID_ARGUMENT;
      case Code::limit:
      case Code::busy:
        return StatusCode::RESOURCE_EXHAUSTED;
      case Code::not_found:
        return StatusCode::NOT_FOUND;
      case Code::incompatible:
        return StatusCode::FAILED_PRECONDITION;
      case Code::stale:
      case Code::timeout:
      case Code::unavailable:
        return StatusCode::ABORTED;
      case Code::failed:
        break;
    }
    return StatusCode::INTERNAL;
  }();
  return {code, error.message};
}

std::span<const std::byte> bytes_of(const std::string& data) {
  return std::as_bytes(std::span(data));
}

std::vector<std::byte> copy_of(const std::string& data) {
  const auto bytes = bytes_of(data);
  return {bytes.begin(), bytes.end()};
}

/// A call with one request; `to` is null where the answer is Empty.
class UnaryCall final : public grpc::ServerUnaryReactor, public LerobotCall {
 public:
  UnaryCall(std::shared_ptr<LerobotClient> client, transport::Actions* to)
      : client_(std::move(client)), to_(to) {}

  void answer(std::string bytes) noexcept override {
    if (to_) to_->set_data(std::move(bytes));
    Finish(grpc::Status::OK);
  }
  void refuse(const Error& why) noexcept override { Finish(status_of(why)); }
  void OnCancel() override {
    client_->connection_closed();
    if (client_->withdraw(this)) Finish(grpc::Status::CANCELLED);
  }
  void OnDone() override { delete this; }

 private:
  const std::shared_ptr<LerobotClient> client_;
  transport::Actions* const to_;
};

/// SendObservations: pieces of one observation. Answered as soon as the last is here: the robot's
/// control loop waits for it.
class Stream final : public grpc::ServerReadReactor<transport::Observation>, public LerobotCall {
 public:
  Stream(gateway::Gateway& gateway, std::shared_ptr<LerobotClient> client)
      : gateway_(gateway),
        client_(std::move(client)),
        assembly_(std::size_t{gateway.config().max_message_kb} * 1024) {
    client_->begin(this);
    read();
  }

  void answer(std::string) noexcept override { Finish(grpc::Status::OK); }
  void refuse(const Error& why) noexcept override {
    gateway_.refuse(client_->name(), why.message);
    Finish(status_of(why));
  }
  void OnReadDone(bool ok) override {
    if (!ok) {
      if (client_->withdraw(this)) refuse({Code::bad_data, "an observation without its end"});
      return;
    }
    const auto whole = assembly_.add(piece_.transfer_state(), bytes_of(piece_.data()));
    if (whole && !*whole) return read();
    if (!client_->withdraw(this)) return;  // somebody else has ended it
    const auto taken = whole ? client_->observe(assembly_.take()) : Result<void>(whole.error());
    if (taken)
      Finish(grpc::Status::OK);
    else
      refuse(taken.error());
  }
  void OnDone() override { delete this; }

 private:
  void read() {
    client_->while_open(this, [this] { StartRead(&piece_); });
  }

  gateway::Gateway& gateway_;
  const std::shared_ptr<LerobotClient> client_;
  LerobotAssembly assembly_;
  transport::Observation piece_;
};

/// A stream that is refused before it is read.
class RefusedStream final : public grpc::ServerReadReactor<transport::Observation> {
 public:
  explicit RefusedStream(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

/// GetActions of nobody: LeRobot's client asks again at once, so it is told slowly.
class LateRefusal final : public grpc::ServerUnaryReactor {
 public:
  explicit LateRefusal(const grpc::Status& status) {
    alarm_.Set(std::chrono::system_clock::now() + std::chrono::seconds(1),
               [this, status](bool) { Finish(status); });
  }
  void OnCancel() override { alarm_.Cancel(); }
  void OnDone() override { delete this; }

 private:
  grpc::Alarm alarm_;
};

/// Threads    gRPC's own call it, several at once; none of them ever waits.
class Service final : public transport::AsyncInference::CallbackService {
 public:
  explicit Service(gateway::Gateway& gateway) : gateway_(gateway), clients_(gateway) {}

  LerobotClients& clients() noexcept { return clients_; }

  grpc::ServerUnaryReactor* Ready(grpc::CallbackServerContext* context, const transport::Empty*,
                                  transport::Empty*) override {
    auto client = come(*context);
    if (client) (*client)->ready();
    return done(*context, client ? grpc::Status::OK : client.error());
  }

  grpc::ServerUnaryReactor* SendPolicyInstructions(grpc::CallbackServerContext* context,
                                                   const transport::PolicySetup* setup,
                                                   transport::Empty*) override {
    auto client = come(*context);
    if (!client) return done(*context, client.error());
    auto* call = new UnaryCall(*client, nullptr);
    (*client)->instruct(copy_of(setup->data()), call, clients_.dismiss());
    return call;
  }

  grpc::ServerReadReactor<transport::Observation>* SendObservations(
      grpc::CallbackServerContext* context, transport::Empty*) override {
    auto client = known(*context);
    if (!client) return new RefusedStream(client.error());
    return new Stream(gateway_, *std::move(client));
  }

  grpc::ServerUnaryReactor* GetActions(grpc::CallbackServerContext* context,
                                       const transport::Empty*, transport::Actions* to) override {
    auto client = known(*context);
    if (!client) return new LateRefusal(client.error());
    auto* call = new UnaryCall(*client, to);
    (*client)->ask(call);
    return call;
  }

 private:
  /// A client, or what gRPC says instead.
  class Known {
   public:
    Known(std::shared_ptr<LerobotClient> client) : client_(std::move(client)) {}  // NOLINT
    Known(grpc::Status error) : error_(std::move(error)) {}                       // NOLINT
    explicit operator bool() const noexcept { return client_ != nullptr; }
    std::shared_ptr<LerobotClient>& operator*() noexcept { return client_; }
    const grpc::Status& error() const noexcept { return error_; }

   private:
    std::shared_ptr<LerobotClient> client_;
    grpc::Status error_;
  };

  static grpc::ServerUnaryReactor* done(grpc::CallbackServerContext& context,
                                        const grpc::Status& status) {
    auto* reactor = context.DefaultReactor();
    reactor->Finish(status);
    return reactor;
  }

  grpc::Status refused(const grpc::CallbackServerContext& context, grpc::StatusCode code,
                       const std::string& why) {
    gateway_.refuse("lerobot " + address_of(context.peer()), why);
    return {code, why};
  }

  bool may(const grpc::CallbackServerContext& context) const {
    if (!gateway_.wants_token()) return true;
    constexpr std::string_view kBearer = "Bearer ";
    const auto shown = context.client_metadata().find("authorization");
    if (shown == context.client_metadata().end()) return false;
    const std::string_view value(shown->second.data(), shown->second.size());
    return value.starts_with(kBearer) && gateway_.token_fits(value.substr(kBearer.size()));
  }
  grpc::Status stranger(const grpc::CallbackServerContext& context) {
    return refused(context, grpc::StatusCode::UNAUTHENTICATED,
                   "this listener wants its token, as metadata 'authorization: Bearer TOKEN'");
  }

  Known come(const grpc::CallbackServerContext& context) {
    if (!may(context)) return stranger(context);
    auto client = clients_.come(context.peer());
    if (client) return *std::move(client);
    return refused(context, status_of(client.error()).error_code(), client.error().message);
  }
  Known known(const grpc::CallbackServerContext& context) {
    if (!may(context)) return stranger(context);
    if (auto client = clients_.find(context.peer())) return client;
    return refused(context, grpc::StatusCode::FAILED_PRECONDITION,
                   "this connection drives no robot: send policy instructions first");
  }

  gateway::Gateway& gateway_;
  LerobotClients clients_;
};

class LerobotListener final : public gateway::Listener {
 public:
  static Result<std::unique_ptr<gateway::Listener>> start(
      std::unique_ptr<gateway::Gateway> gateway) {
    const auto& config = gateway->config();
    constexpr std::string_view kTcp = "tcp://";
    if (!config.endpoint.starts_with(kTcp))
      return Error{Code::bad_argument,
                   "[[listener]] endpoint '" + config.endpoint +
                       "': LeRobot's clients connect by tcp://ADDRESS:PORT, where each has an "
                       "address of its own"};
    const std::string address = config.endpoint.substr(kTcp.size());
    std::unique_ptr<LerobotListener> made(new LerobotListener(std::move(gateway)));
    const std::size_t message = std::size_t{config.max_message_kb} * 1024 + kAround;
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
    // Two hosts on one port would each get some of the calls of a robot.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kCallsOfOne);
    builder.SetMaxReceiveMessageSize(static_cast<int>(std::min<std::size_t>(message, INT32_MAX)));
    grpc::ResourceQuota quota("lerobot");
    quota.Resize((config.max_clients + 1) * 2 * message);
    builder.SetResourceQuota(quota);
    builder.RegisterService(&made->service_);
    made->server_ = builder.BuildAndStart();
    if (!made->server_ || port == 0)
      return Error{Code::unavailable, "[[listener]] endpoint '" + config.endpoint +
                                          "' cannot be bound: is another program there?"};
    made->endpoint_ =
        std::string(kTcp) + address.substr(0, address.rfind(':') + 1) + std::to_string(port);
    return std::unique_ptr<gateway::Listener>(std::move(made));
  }

  ~LerobotListener() override {
    service_.clients().end();
    if (!server_) return;
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
    server_->Wait();
  }

  const std::string& endpoint() const noexcept override { return endpoint_; }
  gateway::ListenerStatus status() const override { return gateway_->status(endpoint_); }

 private:
  explicit LerobotListener(std::unique_ptr<gateway::Gateway> gateway)
      : gateway_(std::move(gateway)), service_(*gateway_) {}

  const std::unique_ptr<gateway::Gateway> gateway_;
  Service service_;
  std::unique_ptr<grpc::Server> server_;  // ends before the service
  std::string endpoint_;
};

}  // namespace

Result<std::unique_ptr<gateway::Listener>> start_lerobot(
    std::unique_ptr<gateway::Gateway> gateway) {
  return LerobotListener::start(std::move(gateway));
}

}  // namespace cambium::adapters
