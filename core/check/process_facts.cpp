#include "core/check/process_facts.hpp"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAMBIUM_OWN_MALLOC 0
#else
#define CAMBIUM_OWN_MALLOC 1
#endif

namespace cambium::check {

std::size_t threads_now(std::size_t expected) {
  const auto count = [] {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
  };
  std::size_t threads = count();
  for (int i = 0; threads > expected && expected > 0 && i < 100; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    threads = count();
  }
  return threads;
}

std::size_t resident_bytes() {
  std::size_t size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::size_t allocated_bytes() {
#if CAMBIUM_OWN_MALLOC
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
#else
  return 0;
#endif
}

CapturedStdout::CapturedStdout() {
  std::fflush(stdout);
  before_ = ::dup(STDOUT_FILENO);
  memory_ = ::memfd_create("stdout", MFD_CLOEXEC);
  ::dup2(memory_, STDOUT_FILENO);
}

std::string CapturedStdout::text() {
  if (before_ < 0) return {};
  std::fflush(stdout);
  std::string text(1024, '\0');
  const auto size = ::pread(memory_, text.data(), text.size(), 0);
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  ::dup2(before_, STDOUT_FILENO);
  ::close(before_);
  ::close(memory_);
  before_ = memory_ = -1;
  return text;
}

}  // namespace cambium::check
