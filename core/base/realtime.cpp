#include "core/base/realtime.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
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
