// tests/support/misbehaving.cpp: toy robots whose heads are sound for two chunks, as long as they
// are tried, and break from the third on, when they drive. One head for each way to break.
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <new>
#include <stdexcept>
#include <vector>

#include "tests/support/toy_robot.hpp"

namespace cambium::toy {
namespace {

// decode() is noexcept, as every author's is: what it throws ends the process that runs it.
void throw_up(float*) {
  throw std::runtime_error("the third chunk");
}

void give_nan(float* action) {
  *action = std::numeric_limits<float>::quiet_NaN();
}

void sleep_long(float*) {
  timespec left = {.tv_sec = 3, .tv_nsec = 0};
  while (::nanosleep(&left, &left) != 0) {
  }
}

void loop_for_ever(float*) {
  volatile bool tired = false;
  while (!tired) {
  }
}

// Touches what it takes, until there is no more. Where no limit is set (RLIMIT_AS, RLIMIT_DATA) it
// gives up at 1 GiB, as if there were one: a test that forgot the limit must not take the machine.
void eat_memory(float*) {
  constexpr std::size_t kBite = std::size_t{8} << 20, kPage = 4096;
  rlim_t limit = RLIM_INFINITY;
  for (const auto which : {RLIMIT_AS, RLIMIT_DATA})
    if (rlimit one = {}; ::getrlimit(which, &one) == 0) limit = std::min(limit, one.rlim_cur);
  std::vector<char*> eaten;
  for (;;) {
    if (limit == RLIM_INFINITY && eaten.size() * kBite >= std::size_t{1} << 30)
      throw std::bad_alloc();
    eaten.push_back(new char[kBite]);  // never given back
    for (std::size_t at = 0; at < kBite; at += kPage)
      *const_cast<volatile char*>(eaten.back() + at) = 1;
  }
}

void write_to_null(float*) {
  volatile int* volatile nowhere = nullptr;
  *nowhere = 1;
}

void abort_all(float*) {
  std::abort();
}

void exit_at_once(float*) {
  ::_exit(3);
}

constexpr int kSoundCalls = 2;

template <void (*kFault)(float* first)>
class BreakingHead final : public ConstantHead {
 public:
  Status decode(FeaturesView features, ChunkView out) noexcept override {
    const Status status = ConstantHead::decode(features, out);
    if (++chunks_ > kSoundCalls) kFault(out.data);
    return status;
  }

 private:
  int chunks_ = 0;
};

template <void (*kFault)(float* first)>
class BreakingStem final : public PassStem {
 public:
  Status encode(SensorWindow window, TokensView out) noexcept override {
    const Status status = PassStem::encode(window, out);
    if (++calls_ > kSoundCalls) kFault(out.data);
    return status;
  }

 private:
  int calls_ = 0;
};

}  // namespace
}  // namespace cambium::toy

using namespace cambium::toy;  // NOLINT(*-using-namespace): nobody includes this file
using cambium::plugin::head;
using cambium::plugin::stem;

CAMBIUM_PLUGIN("misbehaving", "1.0.0", cambium::plugin::embodiment<kSpec>(), stem<PassStem>("pass"),
               stem<BreakingStem<throw_up>>("throwing_pass"),
               stem<BreakingStem<give_nan>>("nan_pass"), head<BreakingHead<throw_up>>("throws"),
               head<BreakingHead<give_nan>>("nan"), head<BreakingHead<sleep_long>>("sleeps"),
               head<BreakingHead<loop_for_ever>>("loops"),
               head<BreakingHead<eat_memory>>("eats_memory"),
               head<BreakingHead<write_to_null>>("crashes"),
               head<BreakingHead<abort_all>>("aborts"), head<BreakingHead<exit_at_once>>("exits"))
