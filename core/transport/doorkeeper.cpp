#include "core/transport/doorkeeper.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <string>
#include <zmq.hpp>

#include "core/base/realtime.hpp"

namespace cambium::transport {
namespace {

constexpr const char* kEndpoint = "inproc://zeromq.zap.01";  // where libzmq asks
constexpr std::size_t kFrames = 7;  // version, id, domain, address, routing id, mechanism, key

std::optional<std::uint32_t> admit(AllowList& allowed,
                                   const std::array<zmq::message_t, kFrames>& question) {
  const auto domain = question[2].to_string_view();
  unsigned roles = 0;
  const auto [end, error] = std::from_chars(domain.data(), domain.data() + domain.size(), roles);
  if (error != std::errc{} || end != domain.data() + domain.size() || roles > kEveryRole) return {};
  if (question[0].to_string_view() != "1.0" || question[5].to_string_view() != "CURVE" ||
      question[6].size() != base::kKeyBytes)
    return {};
  base::PublicKey::Bytes bytes;
  std::memcpy(bytes.data(), question[6].data(), bytes.size());
  return allowed.admit(base::PublicKey(bytes), static_cast<Roles>(roles),
                       question[3].to_string_view());
}

void answer(zmq::socket_t& socket, AllowList& allowed) {
  std::array<zmq::message_t, kFrames> question;
  std::size_t frames = 0;
  for (bool more = true; more; ++frames) {
    zmq::message_t frame;
    if (!socket.recv(frame)) return;
    more = frame.more();
    if (frames < kFrames) question[frames] = std::move(frame);
  }
  const auto number = frames == kFrames ? admit(allowed, question) : std::nullopt;
  const auto send = [&](std::string_view text, bool more = true) {
    socket.send(zmq::buffer(text), more ? zmq::send_flags::sndmore : zmq::send_flags::none);
  };
  send("1.0");
  send(question[1].to_string_view());
  send(number ? "200" : "400");
  send(number ? "" : "not allowed");
  send(number ? std::to_string(*number) : "");  // every message of the peer carries it
  send("", false);
}

void keep(zmq::socket_t& socket, AllowList& allowed) {
  zmq_pollitem_t item{socket.handle(), 0, ZMQ_POLLIN, 0};
  try {
    for (;;) {
      const long wait = AllowList::kLookEvery / base::kMillisecond;
      if (zmq_poll(&item, 1, wait) < 0) {
        if (zmq_errno() == ETERM) return;
        continue;
      }
      allowed.look(base::monotonic_ns());
      if ((item.revents & ZMQ_POLLIN) != 0) answer(socket, allowed);
    }
  } catch (const zmq::error_t&) {  // the context was shut down meanwhile
  }
}

}  // namespace

Result<std::unique_ptr<Doorkeeper>> Doorkeeper::start(zmq::context_t& context, AllowList& allowed) {
  try {
    auto socket = std::make_unique<zmq::socket_t>(context, zmq::socket_type::rep);
    socket->set(zmq::sockopt::linger, 0);
    socket->bind(kEndpoint);
    std::unique_ptr<Doorkeeper> keeper(new Doorkeeper());
    keeper->thread_ = std::thread([&allowed, socket = std::move(socket)] {
      base::name_thread("cambium-door");
      base::make_thread_ordinary();  // whoever binds the ticks' sockets is not
      keep(*socket, allowed);
    });
    return keeper;
  } catch (const zmq::error_t& error) {
    return Error{Code::failed, std::string("cannot check keys: ") + error.what()};
  }
}

Doorkeeper::~Doorkeeper() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace cambium::transport
