#include "core/adapters/json/line_listener.hpp"

#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <exception>
#include <list>
#include <system_error>
#include <thread>
#include <utility>

#include "core/adapters/json/conversation.hpp"
#include "core/adapters/json/line_reader.hpp"
#include "core/adapters/json/line_socket.hpp"
#include "core/adapters/json/reply.hpp"
#include "core/base/realtime.hpp"
#include "core/base/waker.hpp"

namespace cambium::adapters {
namespace {

using base::Nanoseconds;

constexpr std::size_t kChunk = 64 * 1024;                // read at once
constexpr Nanoseconds kPause = 50 * base::kMillisecond;  // when the system has no descriptors left
/// A client that says nothing gives up his seat after silent_after, his connection after this many
/// times that: somebody who types may think.
constexpr int kConnectionOutlives = 6;

class LineListener : public gateway::Listener {
 public:
  LineListener(std::unique_ptr<gateway::Gateway> gateway, LineDoor door)
      : gateway_(std::move(gateway)), door_(std::move(door)), io_([this] { admit_clients(); }) {}
  ~LineListener() override {
    stop_.wake();  // and stays so: nobody clears it
    io_.join();
    for (Client& client : clients_) client.thread.join();
    close_door(door_);
  }

  const std::string& endpoint() const noexcept override { return door_.endpoint; }
  gateway::ListenerStatus status() const override { return gateway_->status(door_.endpoint); }

 private:
  struct Client {
    std::atomic<bool> gone{false};
    std::thread thread;
  };

  void admit_clients();
  void seat(Guest guest);
  void serve(const Guest& guest);
  bool say(const Guest& guest, std::string line) {
    return send_all(guest.socket.get(), stop_.descriptor(), line += '\n',
                    base::monotonic_ns() + silent_);
  }

  std::unique_ptr<gateway::Gateway> gateway_;
  LineDoor door_;
  const Nanoseconds silent_ = std::chrono::nanoseconds(gateway_->config().silent_after).count();
  base::Waker stop_;
  std::list<Client> clients_;  // the io thread's
  std::thread io_;
};

void LineListener::admit_clients() {
  base::name_thread("cambium-json");
  const int stop = stop_.descriptor();
  const auto stopped = [&] { return wait_readable(stop, -1, 0); };
  while (!stopped()) {
    if (!wait_readable(door_.socket.get(), stop, base::monotonic_ns() + base::kSecond)) continue;
    auto guest = admit(door_);
    // Those who have gone are forgotten when somebody comes: there are never more than allowed.
    std::erase_if(clients_, [](Client& client) {
      if (client.gone.load(std::memory_order_acquire)) client.thread.join();
      return client.gone.load(std::memory_order_acquire);
    });
    if (guest)
      seat(std::move(*guest));
    else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
      (void)wait_readable(stop, -1, base::monotonic_ns() + kPause);
  }
}

void LineListener::seat(Guest guest) {
  guest.name = "json " + guest.name;
  const std::uint32_t most = gateway_->config().max_clients;
  if (clients_.size() >= most) {
    const Refusal why{.code = Code::busy,
                      .message = std::to_string(most) + " clients are connected already",
                      .key = {}};
    gateway_->refuse(guest.name, why.message);
    const std::string line = write_refusal("", why) + "\n";
    // He may not read; nobody waits for him.
    (void)::send(guest.socket.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return;
  }
  Client& client = clients_.emplace_back();
  try {
    client.thread = std::thread([this, &client, guest = std::move(guest)] {
      base::name_thread("cambium-json-cl");
      try {
        serve(guest);
      } catch (const std::exception&) {
        // No memory for what it sends: this client ends, and no other.
      }
      client.gone.store(true, std::memory_order_release);
    });
  } catch (const std::system_error&) {
    clients_.pop_back();
    gateway_->refuse("json", "the system has no thread left for another client");
  }
}

void LineListener::serve(const Guest& guest) {
  const std::size_t longest = std::size_t{gateway_->config().max_message_kb} * 1024;
  Conversation conversation(*gateway_, guest.name);
  LineReader lines(longest);
  std::array<char, kChunk> bytes;
  Nanoseconds heard = base::monotonic_ns();
  bool rests = true;
  for (;;) {
    std::string_view line;
    const auto found = lines.next(line);
    if (found == LineReader::Found::line) {
      if (!say(guest, conversation.answer(line))) return;
      heard = base::monotonic_ns();
      rests = false;
      continue;
    }
    if (found == LineReader::Found::too_long || found == LineReader::Found::endless) {
      const auto why = "a line of more than " + std::to_string(longest / 1024) +
                       " kB, max_message_kb of this listener";
      if (!say(guest, conversation.refuse(Code::limit, why))) return;
      if (found == LineReader::Found::endless) return;
      heard = base::monotonic_ns();
      continue;
    }
    const bool begun = lines.begun();
    const Nanoseconds until = heard + silent_ * (begun || !rests ? 1 : kConnectionOutlives);
    if (!wait_readable(guest.socket.get(), stop_.descriptor(), until)) {
      if (wait_readable(stop_.descriptor(), -1, 0) || base::monotonic_ns() < until) return;
      if (begun) {
        (void)say(guest, conversation.refuse(Code::timeout, "a line that was begun and not ended"));
        return;
      }
      if (rests) return;
      conversation.rest();
      rests = true;
      continue;
    }
    const ssize_t size = ::recv(guest.socket.get(), bytes.data(), bytes.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (size <= 0) {
      if (begun) (void)say(guest, conversation.refuse(Code::bad_data, "half a line"));
      return;
    }
    // Whoever begins a line has until then to end it.
    if (!begun) heard = base::monotonic_ns();
    lines.add(std::span(bytes).first(static_cast<std::size_t>(size)));
  }
}

}  // namespace

Result<std::unique_ptr<gateway::Listener>> start_json_lines(
    std::unique_ptr<gateway::Gateway> gateway) {
  auto door = open_door(gateway->config().endpoint);
  if (!door) return door.error();
  return std::unique_ptr<gateway::Listener>(
      std::make_unique<LineListener>(std::move(gateway), std::move(*door)));
}

}  // namespace cambium::adapters
