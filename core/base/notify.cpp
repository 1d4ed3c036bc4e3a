#include "core/base/notify.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace cambium::base {
namespace {

std::string take_variable(const char* name) {
  const char* value = std::getenv(name);
  std::string text = value != nullptr ? value : "";
  ::unsetenv(name);
  return text;
}

// 0 for anything that is not a number from 1.
long long number(const std::string& text) {
  long long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && value > 0 ? value : 0;
}

}  // namespace

Notifier::Notifier() : address_(take_variable("NOTIFY_SOCKET")) {
  const long long microseconds = number(take_variable("WATCHDOG_USEC"));
  const std::string pid = take_variable("WATCHDOG_PID");
  const bool usable = address_.size() > 1 && address_.size() < sizeof(sockaddr_un::sun_path) &&
                      (address_[0] == '/' || address_[0] == '@');
  if (!usable) return;
  socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (address_[0] == '@') address_[0] = '\0';
  if (pid.empty() || number(pid) == ::getpid()) beat_ = microseconds * 1000 / 2;
}

Notifier::~Notifier() {
  if (socket_ >= 0) ::close(socket_);
}

void Notifier::ready(std::string_view text) noexcept {
  send_status("READY=1\nSTATUS=", text);
}

void Notifier::status(std::string_view text) noexcept {
  send_status("STATUS=", text);
}

void Notifier::send_status(std::string_view before, std::string_view text) noexcept {
  char message[512];
  const std::size_t size = std::min(text.size(), sizeof message - before.size());
  before.copy(message, before.size());
  text.copy(message + before.size(), size);
  for (std::size_t i = before.size(); i < before.size() + size; ++i)
    if (message[i] == '\n') message[i] = ' ';  // would begin the next assignment
  send({message, before.size() + size});
}

void Notifier::alive() noexcept {
  send("WATCHDOG=1");
}

void Notifier::stopping() noexcept {
  send("STOPPING=1");
}

void Notifier::send(std::string_view text) noexcept {
  if (socket_ < 0) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  const auto size = offsetof(sockaddr_un, sun_path) + address_.size();
  [[maybe_unused]] const auto sent =
      ::sendto(socket_, text.data(), text.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&to), static_cast<socklen_t>(size));
}

}  // namespace cambium::base
