#include "core/gateway/gateway.hpp"

#include <algorithm>
#include <utility>

#include "core/base/secret.hpp"
#include "core/gateway/mapping.hpp"

namespace cambium::gateway {
namespace {

constexpr std::size_t kSentences = 256;  // that are remembered, so that each is logged once

std::string place_of(const config::ListenerConfig& listener) {
  return listener.file + ":" + std::to_string(listener.line) + ": [[listener]]: ";
}

}  // namespace

Gateway::Gateway(config::ListenerConfig listener, HostDoor door)
    : config_(std::move(listener)), door_(std::move(door)), seats_(config_.robots) {}

Gateway::~Gateway() = default;

Result<std::unique_ptr<Gateway>> Gateway::make(config::ListenerConfig listener, HostDoor door) {
  std::unique_ptr<Gateway> gateway(new Gateway(std::move(listener), std::move(door)));
  const auto& config = gateway->config_;
  if (!config.token_file.empty()) {
    auto token = base::read_secret(config.token_file);
    if (!token)
      return Error{token.error().code, place_of(config) + "token_file " + token.error().message};
    gateway->token_ = std::move(*token);
  }
  for (const auto& robot : config.robots) {
    const auto info = gateway->door_.describe(robot);
    if (!info) return Error{info.error().code, place_of(config) + info.error().message};
    const auto mapping = Mapping::make(config, *info, default_action(config.protocol));
    if (!mapping) return mapping.error();
    if (info->horizon != 0 && config.rows > info->horizon)
      return Error{Code::incompatible, place_of(config) + "rows = " + std::to_string(config.rows) +
                                           ", but a chunk of robot '" + robot + "' has " +
                                           std::to_string(info->horizon)};
  }
  return gateway;
}

bool Gateway::token_fits(std::string_view shown) const noexcept {
  return !wants_token() || base::same_secret(shown, token_);
}

void Gateway::refuse(std::string_view from, const std::string& sentence) {
  refused_.fetch_add(1, std::memory_order_relaxed);
  say_once(from, sentence);
}

void Gateway::say_once(std::string_view from, const std::string& sentence) {
  {
    const std::lock_guard lock(mutex_);
    if (said_.size() >= kSentences || !said_.insert(sentence).second) return;
  }
  if (door_.log)
    door_.log("listener " + config::protocol_names()[static_cast<std::size_t>(config_.protocol)] +
              ": " + std::string(from) + " refused: " + sentence +
              " (said once; `cambium status` counts)");
}

const char* Gateway::default_action(config::Protocol protocol) noexcept {
  switch (protocol) {
    case config::Protocol::groot:
      return "joints";
    case config::Protocol::lerobot:
      return "action";
    case config::Protocol::openpi:
    case config::Protocol::json:
      break;
  }
  return "actions";
}

std::shared_ptr<SessionCounts> Gateway::enter(std::string client, std::string robot) {
  auto counts = std::make_shared<SessionCounts>();
  counts->client = std::move(client);
  counts->robot = std::move(robot);
  counts->heard.store(base::monotonic_ns(), std::memory_order_relaxed);
  served_.fetch_add(1, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  std::erase_if(sessions_, [](const auto& session) { return session.expired(); });
  sessions_.push_back(counts);
  return counts;
}

ListenerStatus Gateway::status(const std::string& endpoint) const {
  ListenerStatus status;
  status.protocol = config::protocol_names()[static_cast<std::size_t>(config_.protocol)];
  status.endpoint = endpoint;
  status.served = served_.load(std::memory_order_relaxed);
  status.refused = refused_.load(std::memory_order_relaxed);
  const base::Nanoseconds now = base::monotonic_ns();
  const std::lock_guard lock(mutex_);
  for (const auto& session : sessions_) {
    const auto counts = session.lock();
    if (!counts) continue;
    ClientStatus one{.client = counts->client, .robot = counts->robot, .why = {}};
    one.answers = counts->answers.load(std::memory_order_relaxed);
    one.holds = counts->holds.load(std::memory_order_relaxed);
    one.refused = counts->refused.load(std::memory_order_relaxed);
    one.age_s = static_cast<double>(now - counts->heard.load(std::memory_order_relaxed)) * 1e-9;
    const std::lock_guard why(counts->mutex);
    one.why = counts->why;
    status.clients.push_back(std::move(one));
  }
  return status;
}

}  // namespace cambium::gateway
