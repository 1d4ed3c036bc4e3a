// Sound and legal, but it can never be unmapped; why, the build says.
#include <pthread.h>
#include <time.h>

#include <csignal>

#include "tests/bad_plugins/entry.hpp"

namespace {

class NothingHead final : public cambium::Head {
 public:
  cambium::Status activate(const cambium::HeadSpec&, cambium::Message&) noexcept override {
    return {};
  }
  cambium::Status decode(cambium::FeaturesView, cambium::ChunkView) noexcept override { return {}; }
  void deactivate() noexcept override {}
};

#if defined(PIN_THREAD)
// Outlives the head that started it.
void* go_on(void* argument) {
  const auto* host = static_cast<const cambium_host*>(argument);
  for (;;) {
    host->log(host, 0, "still here");
    const timespec moment = {.tv_sec = 0, .tv_nsec = 1'000'000};
    ::nanosleep(&moment, nullptr);
  }
}
void leave_something(const cambium_host* host) {
  pthread_t thread;
  if (::pthread_create(&thread, nullptr, go_on, const_cast<cambium_host*>(host)) == 0)
    ::pthread_detach(thread);
}
#elif defined(PIN_CALLBACK)
const cambium_host* told = nullptr;
void leave_something(const cambium_host* host) {
  told = host;
  struct sigaction action = {};
  action.sa_handler = [](int) { told->log(told, 0, "still here"); };
  ::sigaction(SIGUSR2, &action, nullptr);
}
#elif defined(PIN_THREAD_LOCAL)
struct Counted {
  ~Counted() { --count; }
  static int count;
};
int Counted::count = 0;
void leave_something(const cambium_host*) {
  thread_local Counted one;
  ++one.count;
}
#elif defined(PIN_NEEDS)
extern "C" int cambium_test_companion();
void leave_something(const cambium_host*) {
  cambium_test_companion();
}
#elif defined(PIN_UNNAMED)
extern "C" __attribute__((weak)) int cambium_test_somewhere();
void leave_something(const cambium_host*) {
  if (cambium_test_somewhere != nullptr) cambium_test_somewhere();
}
#else  // the linker was asked to
void leave_something(const cambium_host*) {}
#endif

std::uint32_t make(const cambium_host* host, void** out) {
  leave_something(host);
  *out = static_cast<cambium::Head*>(new NothingHead);
  return 0;
}
void destroy(void* object) {
  delete static_cast<NothingHead*>(static_cast<cambium::Head*>(object));
}

}  // namespace

BAD_PLUGIN({cambium::kHeadInterface, "nothing", make, destroy})
