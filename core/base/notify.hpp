// core/base/notify.hpp: tells whoever supervises this process how it is: systemd's datagrams, which
// `cambium up` understands too.
#pragma once

#include <string>
#include <string_view>

#include "core/base/clock.hpp"

namespace cambium::base {

/// Does nothing where nobody wants to know ($NOTIFY_SOCKET is not set). A datagram that cannot be
/// delivered is lost: a supervisor must never be able to stop what it supervises.
class Notifier {
 public:
  /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and removes them from the environment, so
  /// that children do not speak for us. Before other threads start. [setup]
  Notifier();
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  /// It serves from now on. [any]
  void ready(std::string_view status) noexcept;
  /// One line for people. [any]
  void status(std::string_view text) noexcept;
  /// It is well. To be said every beat(). [any]
  void alive() noexcept;
  /// It was told to stop and is about to. [any]
  void stopping() noexcept;

  /// Half of the time after which silence means death; 0: nobody watches. [any]
  Nanoseconds beat() const noexcept { return beat_; }

 private:
  void send_status(std::string_view before, std::string_view text) noexcept;
  void send(std::string_view text) noexcept;

  std::string address_;  ///< a path, or an abstract name after a zero byte
  int socket_ = -1;
  Nanoseconds beat_ = 0;
};

}  // namespace cambium::base
