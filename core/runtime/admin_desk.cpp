#include "core/runtime/admin_desk.hpp"

#include <nlohmann/json.hpp>

#include "cambium/version.hpp"
#include "core/base/nearest.hpp"
#include "core/base/realtime.hpp"
#include "core/transport/verify.hpp"
#include "core/trunk/link.hpp"
#include "wire/admin_generated.h"

namespace cambium::runtime {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxMessage = 1 << 20;
constexpr std::size_t kMaxJobs = 16;

std::string text_of(const flatbuffers::String* text) {
  return text ? text->str() : "";
}

AdminCall call_of(const wire::AdminRequest& request) {
  return {.verb = text_of(request.verb()),
          .robot = text_of(request.robot()),
          .embodiment = text_of(request.embodiment()),
          .plugin = text_of(request.plugin()),
          .stem_plugin = text_of(request.stem_plugin()),
          .head_plugin = text_of(request.head_plugin()),
          .head = text_of(request.head()),
          .bundle = text_of(request.bundle())};
}

json json_of(const RobotStatus& robot) {
  return {{"name", robot.name},
          {"embodiment", robot.embodiment},
          {"dof", robot.dof},
          {"generation", robot.generation},
          {"drive", robot.drive},
          {"reason", robot.reason},
          {"controller", robot.controller},
          {"ticks", robot.ticks},
          {"policy_ticks", robot.policy_ticks},
          {"missed", robot.missed},
          {"limited", robot.limited},
          {"refused", robot.refused},
          {"requests", robot.requests},
          {"chunks", robot.chunks},
          {"late_chunks", robot.late_chunks},
          {"tick_us_p50", robot.tick_us_p50},
          {"tick_us_p99", robot.tick_us_p99},
          {"plugin", robot.plugin},
          {"plugin_version", robot.plugin_version},
          {"head", robot.head},
          {"head_version", robot.head_version},
          {"bundle", robot.bundle}};
}

json json_of(const SwapReport& report) {
  return {{"robot", report.robot},
          {"kind", report.kind},
          {"ok", true},
          {"generation", report.generation},
          {"commit_us", report.commit_us},
          {"total_ms", report.total_ms},
          {"warm_up", report.warm_up},
          {"trunk_id_before", report.trunk_id_before},
          {"trunk_id_after", report.trunk_id_after}};
}

AdminAnswer status_of(const Host& host, const trunk::TrunkLink& link) {
  json object{{"trunk_id", host.trunk_id()},
              {"control", host.control_endpoint()},
              {"resident_kb", base::resident_kb()},
              {"robots", json::array()}};
  object["trunk"] = {{"alive", link.alive(base::monotonic_ns())},
                     {"endpoint", host.config().trunk.endpoint}};
  if (const auto& trunk = link.identity()) {
    object["trunk"].update({{"id", base::to_hex(trunk->id)},
                            {"architecture", trunk->architecture},
                            {"backend", trunk->backend},
                            {"served", trunk->served},
                            {"resident_kb", trunk->resident_kb},
                            {"weights_kb", trunk->weights_kb}});
  }
  const auto robots = host.status();
  for (const auto& robot : robots) object["robots"].push_back(json_of(robot));
  return {
      .code = Code::ok, .text = std::to_string(robots.size()) + " robots", .json = object.dump()};
}

AdminAnswer answer_of(const Error& error) {
  return {
      .code = error.code,
      .text = error.message,
      .json =
          json{{"ok", false}, {"code", to_string(error.code)}, {"error", error.message}}.dump()};
}

void send_answer(transport::Socket& socket, const transport::Peer& peer,
                 const AdminAnswer& answer) {
  flatbuffers::FlatBufferBuilder builder;
  const auto text = builder.CreateString(answer.text), object = builder.CreateString(answer.json);
  const auto reply =
      wire::CreateAdminReply(builder, static_cast<std::uint16_t>(answer.code), text, object);
  wire::FinishAdminBuffer(builder, wire::CreateAdmin(builder, 0, reply));
  [[maybe_unused]] const Status sent =
      socket.send(peer, transport::bytes_of(builder));  // the asker may have left
}

std::optional<std::filesystem::path> path_of(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return std::filesystem::path(text);
}

}  // namespace

Result<std::unique_ptr<AdminDesk>> AdminDesk::start(Host& host) {
  auto socket =
      transport::Socket::bind(host.context(), transport::SocketKind::router,
                              host.config().host.admin, {.max_message_bytes = kMaxMessage});
  if (!socket) return socket.error();
  std::unique_ptr<AdminDesk> desk(new AdminDesk(host));
  desk->server_ = std::thread(
      [self = desk.get(), moved = std::make_shared<transport::Socket>(std::move(*socket))] {
        base::name_thread("cambium-admin");
        self->serve(std::move(*moved));
      });
  desk->worker_ = std::thread([self = desk.get()] {
    base::name_thread("cambium-setup");
    self->work();
  });
  return desk;
}

AdminDesk::~AdminDesk() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_there_.notify_all();
  waker_.wake();
  worker_.join();
  server_.join();
}

void AdminDesk::serve(transport::Socket socket) {
  auto link = trunk::TrunkLink::open(host_.context(), host_.config().trunk.endpoint, "host status",
                                     kMaxMessage);
  transport::Poller poller;
  poller.add(socket);
  poller.add_descriptor(waker_.descriptor());
  if (link) poller.add(link->socket());
  transport::Peer peer;
  std::span<const std::byte> bytes;
  trunk::FeaturesReply nothing;
  for (;;) {
    poller.wait(100 * base::kMillisecond);
    waker_.clear();
    const base::Nanoseconds now = base::monotonic_ns();
    if (link) {
      link->heartbeat(now);
      while (link->receive(nothing, now)) {
      }
    }
    for (Status got = socket.receive(peer, bytes); got.code() != Code::stale;
         got = socket.receive(peer, bytes)) {
      const auto* message =
          got.ok() ? transport::verify<wire::Admin>(bytes, wire::AdminIdentifier()) : nullptr;
      if (!message || !message->request()) {
        send_answer(socket, peer,
                    answer_of({Code::bad_data, "not a sound admin request of this protocol"}));
        continue;
      }
      const AdminCall call = call_of(*message->request());
      if (message->request()->protocol() != kWireProtocol) {
        send_answer(socket, peer,
                    answer_of({Code::incompatible,
                               "wire protocol " + std::to_string(message->request()->protocol()) +
                                   ", this host speaks " + std::to_string(kWireProtocol)}));
      } else if (call.verb == "status") {
        send_answer(socket, peer, link ? status_of(host_, *link) : answer_of(link.error()));
      } else {
        const std::lock_guard lock(mutex_);
        if (jobs_.size() >= kMaxJobs) {
          send_answer(socket, peer, answer_of({Code::busy, "too many changes are waiting"}));
        } else {
          jobs_.push_back({peer, call, {}});
          work_there_.notify_one();
        }
      }
    }
    const std::lock_guard lock(mutex_);
    for (; !done_.empty(); done_.pop_front())
      send_answer(socket, done_.front().peer, done_.front().answer);
    if (stopping_) return;
  }
}

void AdminDesk::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_there_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job.answer = change(job.call);
    lock.lock();
    done_.push_back(std::move(job));
    waker_.wake();
  }
}

AdminAnswer AdminDesk::change(const AdminCall& call) {
  if (call.verb == "swap" || call.verb == "reload") {
    SwapRequest request{.robot = call.robot,
                        .plugin = path_of(call.plugin),
                        .stem_plugin = path_of(call.stem_plugin),
                        .head_plugin = path_of(call.head_plugin),
                        .bundle = path_of(call.bundle),
                        .head = {}};
    if (!call.head.empty()) request.head = call.head;
    if (!call.embodiment.empty()) request.embodiment = call.embodiment;
    const auto report = host_.swap(request);
    if (!report) return answer_of(report.error());
    const std::string what =
        report->kind == "reload" ? "read again, nothing has changed" : report->kind + " swapped";
    const std::string trunk =
        report->trunk_id_before.empty() ? "the trunk is not there"
        : report->trunk_id_before == report->trunk_id_after
            ? "trunk " + report->trunk_id_before.substr(0, 16) + " before and after"
            : "trunk " + report->trunk_id_before.substr(0, 16) + " before, " +
                  report->trunk_id_after.substr(0, 16) + " after";
    return {.code = Code::ok,
            .text = "robot '" + report->robot + "': " + what + ", generation " +
                    std::to_string(report->generation) + "; " + trunk,
            .json = json_of(*report).dump()};
  }
  if (call.verb == "add") {
    config::RobotConfig robot;
    robot.name = call.robot;
    robot.embodiment = call.embodiment;
    robot.plugin = call.plugin;
    robot.stem_plugin = call.stem_plugin;
    robot.head_plugin = call.head_plugin;
    robot.head = call.head;
    robot.bundle = call.bundle;
    if (const auto added = host_.add(robot); !added) return answer_of(added.error());
    return {.code = Code::ok, .text = "robot '" + call.robot + "' added", .json = "{\"ok\":true}"};
  }
  if (call.verb == "remove") {
    if (const auto removed = host_.remove(call.robot); !removed) return answer_of(removed.error());
    return {
        .code = Code::ok, .text = "robot '" + call.robot + "' removed", .json = "{\"ok\":true}"};
  }
  return answer_of(
      {Code::bad_argument,
       "no verb '" + call.verb + "'" +
           base::did_you_mean(call.verb, {"status", "add", "remove", "swap", "reload"})});
}

Result<AdminAnswer> ask_admin(const std::string& endpoint, const AdminCall& call,
                              base::Nanoseconds timeout) {
  transport::Context context;
  auto socket = transport::Socket::connect(context, transport::SocketKind::dealer, endpoint,
                                           {.max_message_bytes = kMaxMessage});
  if (!socket) return socket.error();
  flatbuffers::FlatBufferBuilder builder;
  const auto text = [&](const std::string& value) { return builder.CreateString(value); };
  const auto verb = text(call.verb), robot = text(call.robot), plugin = text(call.plugin),
             head_plugin = text(call.head_plugin), head = text(call.head),
             bundle = text(call.bundle), stem_plugin = text(call.stem_plugin),
             embodiment = text(call.embodiment);
  const auto request = wire::CreateAdminRequest(builder, kWireProtocol, verb, robot, plugin,
                                                head_plugin, head, bundle, stem_plugin, embodiment);
  wire::FinishAdminBuffer(builder, wire::CreateAdmin(builder, request));

  transport::Poller poller;
  poller.add(*socket);
  const base::Nanoseconds deadline = base::monotonic_ns() + timeout;
  bool sent = false;
  transport::Peer nobody;
  std::span<const std::byte> bytes;
  for (;;) {
    if (!sent) sent = socket->send(transport::bytes_of(builder)).ok();
    if (socket->receive(nobody, bytes).ok()) {
      const auto* message = transport::verify<wire::Admin>(bytes, wire::AdminIdentifier());
      if (!message || !message->reply())
        return Error{Code::bad_data, "the host's answer does not verify"};
      return AdminAnswer{.code = static_cast<Code>(message->reply()->code()),
                         .text = text_of(message->reply()->text()),
                         .json = text_of(message->reply()->json())};
    }
    const base::Nanoseconds left = deadline - base::monotonic_ns();
    if (left <= 0)
      return Error{Code::unavailable,
                   "no host answers at '" + endpoint + "'; is `cambium host` running?"};
    poller.wait(sent ? left : std::min<base::Nanoseconds>(left, 10 * base::kMillisecond));
  }
}

}  // namespace cambium::runtime
