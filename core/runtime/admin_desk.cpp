#include "core/runtime/admin_desk.hpp"

#include <nlohmann/json.hpp>

#include "cambium/version.hpp"
#include "core/base/nearest.hpp"
#include "core/base/realtime.hpp"
#include "core/plugin/plugin_library.hpp"
#include "core/runtime/admin_json.hpp"
#include "core/transport/keyring.hpp"
#include "core/transport/verify.hpp"
#include "core/trunk/link.hpp"
#include "wire/admin_generated.h"

namespace cambium::runtime {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxMessage = 1 << 20;
constexpr std::size_t kMaxJobs = 16;
constexpr int kSetUpThreads = 4;
constexpr double kLongestKeep = 24 * 60 * 60;  // [s]

std::string text_of(const flatbuffers::String* text) {
  return text ? text->str() : "";
}

std::vector<std::string> texts_of(
    const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>* list) {
  std::vector<std::string> texts;
  for (flatbuffers::uoffset_t i = 0; list != nullptr && i < list->size(); ++i)
    texts.push_back(list->Get(i)->str());
  return texts;
}

template <class T>
std::optional<T> optional_of(const flatbuffers::Optional<T>& value) {
  if (!value.has_value()) return std::nullopt;
  return *value;
}

AdminCall call_of(const wire::AdminRequest& request) {
  return {.verb = text_of(request.verb()),
          .robot = text_of(request.robot()),
          .embodiment = text_of(request.embodiment()),
          .plugin = text_of(request.plugin()),
          .stem_plugin = text_of(request.stem_plugin()),
          .head_plugin = text_of(request.head_plugin()),
          .head = text_of(request.head()),
          .bundle = text_of(request.bundle()),
          .shadow = optional_of(request.shadow()),
          .probation = optional_of(request.probation()),
          .shadow_bound = optional_of(request.shadow_bound()),
          .dry_run = request.dry_run(),
          .no_wait = request.no_wait(),
          .isolate = request.isolate(),
          .fresh = request.fresh(),
          .session = text_of(request.session()),
          .stock = text_of(request.stock()),
          .bundles = texts_of(request.bundles()),
          .keep_old_s = request.keep_old_s(),
          .ticket = request.ticket()};
}

// To whoever asked a host and got no answer.
std::string why_nobody(const std::string& endpoint, const transport::Socket& socket, bool keys) {
  if (*socket.trouble() != '\0')
    return "the host at '" + endpoint + "' refuses: " + socket.trouble();
  return "no host answers at '" + endpoint + "'" +
         (keys ? ", or not with the key that is expected" : "") + "; is `cambium host` running?";
}

nlohmann::json json_of(const transport::AllowStatus& keys) {
  return {{"allowed", keys.keys},
          {"denied", keys.denied},
          {"dropped", keys.dropped},
          {"problem", keys.problem}};
}

AdminAnswer status_of(const Host& host, const trunk::TrunkLink& link,
                      const AdminDesk::AddStatus& add) {
  json object{{"trunk_id", host.trunk_id()},
              {"control", host.control_endpoint()},
              {"resident_kb", base::resident_kb()},
              {"robots", json::array()}};
  const auto libraries = plugin::loaded_libraries();
  object["libraries"] = {{"mapped", libraries.mapped}, {"kept", json::array()}};
  for (const auto& [file, reason] : libraries.kept)
    object["libraries"]["kept"].push_back({{"file", file.string()}, {"reason", reason}});
  object["trunk"] = {{"alive", link.alive(base::monotonic_ns())},
                     {"endpoint", host.config().trunk.endpoint}};
  if (*link.trouble() != '\0') object["trunk"]["trouble"] = link.trouble();
  if (const auto& trunk = link.identity()) {
    // Of those that it serves, ours; the first is another host's while that has not gone over.
    const bool ours = trunk->serves(base::from_hex(host.trunk_id()));
    object["trunk"].update({{"id", ours ? host.trunk_id() : base::to_hex(trunk->id)},
                            {"ids", json::array()},
                            {"architecture", trunk->architecture},
                            {"backend", trunk->backend},
                            {"served", trunk->served},
                            {"resident_kb", trunk->resident_kb},
                            {"weights_kb", trunk->weights_kb}});
    for (const auto& id : trunk->ids) object["trunk"]["ids"].push_back(base::to_hex(id));
  }
  if (const auto keys = host.keys()) object["keys"] = json_of(*keys);
  const auto robots = host.status();
  for (const auto& robot : robots) object["robots"].push_back(json_of(robot));
  if (add) add(object);
  return {
      .code = Code::ok, .text = std::to_string(robots.size()) + " robots", .json = line_of(object)};
}

AdminAnswer answer_of(const SwapReport& report) {
  return {.code = report.code, .text = text_of(report), .json = line_of(json_of(report))};
}

AdminAnswer answer_of(TakenRows taken) {
  const json object{{"rows", taken.begins.size()},
                    {"dropped", taken.dropped},
                    {"refused", taken.refused},
                    {"open", taken.open},
                    {"ended", taken.ended}};
  return {.code = Code::ok,
          .text = std::to_string(taken.begins.size()) + " rows",
          .json = line_of(object),
          .rows = std::move(taken.values),
          .begins = std::move(taken.begins)};
}

AdminAnswer answer_of(const Error& error) {
  return {
      .code = error.code,
      .text = error.message,
      .json = line_of({{"ok", false}, {"code", to_string(error.code)}, {"error", error.message}})};
}

void send_answer(transport::Socket& socket, const transport::Peer& peer,
                 const AdminAnswer& answer) {
  flatbuffers::FlatBufferBuilder builder;
  const auto text = builder.CreateString(answer.text), object = builder.CreateString(answer.json);
  flatbuffers::Offset<flatbuffers::Vector<float>> rows = 0;
  flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> begins = 0;
  if (!answer.begins.empty()) {
    rows = builder.CreateVector(answer.rows);
    begins = builder.CreateVector(answer.begins);
  }
  const auto reply = wire::CreateAdminReply(builder, static_cast<std::uint16_t>(answer.code), text,
                                            object, rows, begins);
  wire::FinishAdminBuffer(builder, wire::CreateAdmin(builder, 0, reply));
  [[maybe_unused]] const Status sent =
      socket.send(peer, transport::bytes_of(builder));  // the asker may have left
}

std::optional<std::filesystem::path> path_of(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return std::filesystem::path(text);
}

}  // namespace

Result<std::unique_ptr<AdminDesk>> AdminDesk::start(Host& host, AddStatus add) {
  auto socket = transport::Socket::bind(
      host.context(), transport::SocketKind::router, host.config().host.admin,
      {.max_message_bytes = kMaxMessage, .lets_in = transport::kAdmin});
  if (!socket) return socket.error();
  std::unique_ptr<AdminDesk> desk(new AdminDesk(host, std::move(add)));
  desk->endpoint_ = socket->endpoint();
  desk->server_ = std::thread(
      [self = desk.get(), moved = std::make_shared<transport::Socket>(std::move(*socket))] {
        base::name_thread("cambium-admin");
        self->serve(std::move(*moved));
      });
  for (int i = 0; i < kSetUpThreads; ++i) {
    desk->workers_.emplace_back([self = desk.get()] {
      base::name_thread("cambium-setup");
      self->work();
    });
  }
  return desk;
}

AdminDesk::~AdminDesk() {
  host_.hurry();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_there_.notify_all();
  for (auto& worker : workers_) worker.join();
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;  // not before: whoever asked for a change is told how it ended
  }
  waker_.wake();
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
      } else if (call.verb == "record-take") {
        auto taken = host_.take_rows(call.robot, call.ticket);
        send_answer(socket, peer, taken ? answer_of(std::move(*taken)) : answer_of(taken.error()));
      } else if (call.verb == "status") {
        send_answer(socket, peer,
                    link ? status_of(host_, *link, add_status_) : answer_of(link.error()));
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
    if (closing_) return;
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
                        .head = {},
                        .shadow = call.shadow,
                        .probation = call.probation,
                        .shadow_bound = call.shadow_bound,
                        .fresh = call.fresh,
                        .dry_run = call.dry_run,
                        .wait = !call.no_wait};
    if (!call.head.empty()) request.head = call.head;
    if (!call.embodiment.empty()) request.embodiment = call.embodiment;
    return answer_of(host_.swap(request));
  }
  if (call.verb == "trunk-swap") return swap_trunk(call);
  if (call.verb == "rollback") return answer_of(host_.rollback(call.robot, !call.no_wait));
  if (call.verb == "swaps") {
    const auto swaps = host_.swaps(call.robot);
    if (!swaps) return answer_of(swaps.error());
    json all{{"robot", call.robot}, {"swaps", json::array()}};
    for (const auto& report : *swaps) all["swaps"].push_back(json_of(report));
    return {.code = Code::ok,
            .text = "robot '" + call.robot + "': " + std::to_string(swaps->size()) + " swaps",
            .json = line_of(all)};
  }
  if (call.verb == "add") {
    config::RobotConfig robot;
    robot.name = call.robot;
    robot.session = call.session;
    robot.embodiment = call.embodiment;
    robot.plugin = call.plugin;
    robot.stem_plugin = call.stem_plugin;
    robot.head_plugin = call.head_plugin;
    robot.head = call.head;
    robot.bundle = call.bundle;
    robot.isolation.enabled = call.isolate;
    if (const auto added = host_.add(robot); !added) return answer_of(added.error());
    return {.code = Code::ok, .text = "robot '" + call.robot + "' added", .json = "{\"ok\":true}"};
  }
  if (call.verb == "record") {
    const auto recording = host_.record(call.robot);
    if (!recording) return answer_of(recording.error());
    return {.code = Code::ok,
            .text = "robot '" + call.robot + "': its demonstrations are recorded",
            .json = line_of(json_of(*recording))};
  }
  if (call.verb == "record-stop") {
    if (const auto ended = host_.end_recording(call.robot, call.ticket); !ended)
      return answer_of(ended.error());
    return {.code = Code::ok,
            .text = "robot '" + call.robot + "' is recorded no more",
            .json = "{\"ok\":true}"};
  }
  if (call.verb == "remove") {
    if (const auto removed = host_.remove(call.robot); !removed) return answer_of(removed.error());
    return {
        .code = Code::ok, .text = "robot '" + call.robot + "' removed", .json = "{\"ok\":true}"};
  }
  return answer_of({Code::bad_argument,
                    "no verb '" + call.verb + "'" +
                        base::did_you_mean(call.verb, {"status", "add", "remove", "swap", "reload",
                                                       "rollback", "swaps", "trunk-swap", "record",
                                                       "record-take", "record-stop"})});
}

AdminAnswer AdminDesk::swap_trunk(const AdminCall& call) {
  TrunkSwapRequest request{.stock = call.stock,
                           .probation = call.probation,
                           .dry_run = call.dry_run,
                           .wait = !call.no_wait};
  if (!request.stock.is_absolute())
    return answer_of({Code::bad_argument, "stock '" + call.stock + "': expected an absolute path"});
  if (!(call.keep_old_s >= 0 && call.keep_old_s <= kLongestKeep))
    return answer_of({Code::bad_argument, "drop-old-after: expected 0 to 86400 seconds"});
  request.keep_old = static_cast<base::Nanoseconds>(call.keep_old_s * base::kSecond);
  for (const auto& text : call.bundles) {
    const auto at = text.find('=');
    if (at == std::string::npos || at == 0 || at + 1 == text.size())
      return answer_of({Code::bad_argument, "bundle '" + text + "': expected ROBOT=FILE"});
    if (!request.bundles.emplace(text.substr(0, at), text.substr(at + 1)).second)
      return answer_of(
          Error{Code::bad_argument, "robot '" + text.substr(0, at) + "' is given two bundles"});
  }
  const auto report = host_.swap_trunk(request);
  return {.code = report.code, .text = text_of(report), .json = line_of(json_of(report))};
}

Result<AdminAnswer> ask_admin(const std::string& endpoint, const AdminCall& call,
                              base::Nanoseconds timeout, transport::Keyring* keyring) {
  transport::Context context(keyring);
  auto socket = transport::Socket::connect(context, transport::SocketKind::dealer, endpoint,
                                           {.max_message_bytes = kMaxMessage});
  if (!socket) return socket.error();
  flatbuffers::FlatBufferBuilder builder;
  const auto text = [&](const std::string& value) { return builder.CreateString(value); };
  const auto verb = text(call.verb), robot = text(call.robot), plugin = text(call.plugin),
             head_plugin = text(call.head_plugin), head = text(call.head),
             bundle = text(call.bundle), stem_plugin = text(call.stem_plugin),
             embodiment = text(call.embodiment), stock = text(call.stock),
             session = text(call.session);
  const auto bundles = builder.CreateVectorOfStrings(call.bundles);
  wire::AdminRequestBuilder fields(builder);
  fields.add_protocol(kWireProtocol);
  fields.add_verb(verb);
  fields.add_robot(robot);
  fields.add_plugin(plugin);
  fields.add_head_plugin(head_plugin);
  fields.add_head(head);
  fields.add_bundle(bundle);
  fields.add_stem_plugin(stem_plugin);
  fields.add_embodiment(embodiment);
  if (call.shadow) fields.add_shadow(*call.shadow);
  if (call.probation) fields.add_probation(*call.probation);
  if (call.shadow_bound) fields.add_shadow_bound(*call.shadow_bound);
  fields.add_dry_run(call.dry_run);
  fields.add_no_wait(call.no_wait);
  fields.add_isolate(call.isolate);
  fields.add_fresh(call.fresh);
  fields.add_session(session);
  fields.add_stock(stock);
  fields.add_bundles(bundles);
  fields.add_keep_old_s(call.keep_old_s);
  fields.add_ticket(call.ticket);
  const auto request = fields.Finish();
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
      const auto& reply = *message->reply();
      AdminAnswer answer{.code = static_cast<Code>(reply.code()),
                         .text = text_of(reply.text()),
                         .json = text_of(reply.json())};
      if (reply.rows()) answer.rows.assign(reply.rows()->begin(), reply.rows()->end());
      if (reply.begins()) answer.begins.assign(reply.begins()->begin(), reply.begins()->end());
      return answer;
    }
    const base::Nanoseconds left = deadline - base::monotonic_ns();
    if (left <= 0 || *socket->trouble() != '\0')
      return Error{Code::unavailable, why_nobody(endpoint, *socket, keyring != nullptr)};
    poller.wait(sent ? left : std::min<base::Nanoseconds>(left, 10 * base::kMillisecond));
  }
}

}  // namespace cambium::runtime
