#include "core/app/stop_signal.hpp"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace cambium::app {
namespace {

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

StopSignal::StopSignal() {
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

StopSignal::~StopSignal() {
  ::close(signals_);
}

bool StopSignal::wait(base::Nanoseconds timeout) noexcept {
  pollfd entries[] = {{.fd = signals_, .events = POLLIN, .revents = 0},
                      {.fd = requested_.descriptor(), .events = POLLIN, .revents = 0}};
  const int milliseconds = timeout < 0 ? -1 : static_cast<int>(timeout / base::kMillisecond);
  return ::poll(entries, 2, milliseconds) > 0;
}

}  // namespace cambium::app
