#include "core/base/waker.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <system_error>

namespace cambium::base {

Waker::Waker() : descriptor_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Waker::~Waker() {
  ::close(descriptor_);
}

void Waker::wake() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(descriptor_, &one, sizeof one);
}

void Waker::clear() noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(descriptor_, &count, sizeof count);
}

void Waker::sleep(Nanoseconds timeout) noexcept {
  pollfd entry{.fd = descriptor_, .events = POLLIN, .revents = 0};
  const timespec limit{.tv_sec = timeout / kSecond, .tv_nsec = timeout % kSecond};
  ::ppoll(&entry, 1, timeout < 0 ? nullptr : &limit, nullptr);
  clear();
}

}  // namespace cambium::base
