#include "core/app/supervised.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>

namespace cambium::app {
namespace {
constexpr unsigned kLongestStop = 10;  // [s]
}

Supervised::Supervised() {
  const char* supervisor = std::getenv(kSupervisorVariable);
  if (supervisor == nullptr) return;
  const auto parent = static_cast<pid_t>(std::atol(supervisor));
  ::unsetenv(kSupervisorVariable);
  ::signal(SIGPIPE, SIG_IGN);  // what we say last may have no reader
  // Asked for by the child after exec: a program with file capabilities would lose it there.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::raise(SIGTERM);  // it died before we asked
}

void Supervised::stopping() {
  notifier_.stopping();
  ::alarm(kLongestStop);
}

}  // namespace cambium::app
