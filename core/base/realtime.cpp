#include "core/base/realtime.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace cambium::base {

Result<void> make_thread_realtime(int priority) {
  sched_param parameters{};
  parameters.sched_priority = priority;
  if (const int error = pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameters);
      error != 0) {
    return Error{Code::unavailable,
                 std::string("no real-time priority: ") + std::strerror(error) +
                     " (set 'rtprio' in limits.conf, or AmbientCapabilities=CAP_SYS_NICE)"};
  }
  return {};
}

Result<void> lock_memory() {
  if (::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) {
    return Error{Code::unavailable, std::string("memory is not locked: ") + std::strerror(errno) +
                                        " (set 'memlock' in limits.conf)"};
  }
  return {};
}

void make_thread_ordinary() {
  const sched_param none{};
  pthread_setschedparam(pthread_self(), SCHED_OTHER, &none);
  cpu_set_t may;
  if (::sched_getaffinity(::getpid(), sizeof may, &may) == 0)
    ::sched_setaffinity(0, sizeof may, &may);
}

void stay_on_one_core() {
  cpu_set_t may;
  if (::sched_getaffinity(0, sizeof may, &may) != 0) return;
  for (int core = CPU_SETSIZE - 1; core >= 0; --core) {
    if (!CPU_ISSET(core, &may)) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    ::sched_setaffinity(0, sizeof one, &one);  // where it is refused, nothing is lost but time
    return;
  }
}

void step_back() {
  // Of the calling thread, on Linux; to be nicer is never refused.
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 10);
}

void run_when_idle() {
  const sched_param none{};
  if (pthread_setschedparam(pthread_self(), SCHED_IDLE, &none) != 0)
    (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 19);
}

void name_thread(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

std::size_t resident_kb() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

}  // namespace cambium::base
