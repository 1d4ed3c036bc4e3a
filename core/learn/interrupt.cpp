#include "core/learn/interrupt.hpp"

#include <signal.h>

namespace cambium::learn {
namespace {

volatile sig_atomic_t asked_to_stop = 0;  // all that a signal handler may touch
constexpr int kSignals[] = {SIGINT, SIGTERM};
struct sigaction before[2];

void note(int) {
  asked_to_stop = 1;
}

}  // namespace

Interrupt::Interrupt() {
  asked_to_stop = 0;
  struct sigaction action = {};
  action.sa_handler = note;
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < 2; ++i) sigaction(kSignals[i], &action, &before[i]);
}

Interrupt::~Interrupt() {
  for (int i = 0; i < 2; ++i) sigaction(kSignals[i], &before[i], nullptr);
}

bool Interrupt::asked() const noexcept {
  return asked_to_stop != 0;
}

}  // namespace cambium::learn
