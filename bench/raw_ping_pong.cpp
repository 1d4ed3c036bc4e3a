#include "bench/raw_ping_pong.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>
#include <zmq.hpp>

#include "core/base/clock.hpp"

namespace cambium::bench {
namespace {

[[noreturn]] void serve(const EchoPlan& plan) {
  zmq::context_t context(1);
  zmq::socket_t router(context, zmq::socket_type::router);
  router.bind(plan.endpoint);
  zmq::socket_t dealer(context, zmq::socket_type::dealer);
  if (!plan.next.empty()) dealer.connect(plan.next);
  const std::string reply(plan.reply, 'r'), onward(plan.next_request, 'n');
  for (;;) {
    zmq::message_t peer, body;
    [[maybe_unused]] auto got = router.recv(peer);
    got = router.recv(body);
    if (!plan.next.empty()) {
      dealer.send(zmq::buffer(onward));
      got = dealer.recv(body);
    }
    router.send(peer, zmq::send_flags::sndmore);
    router.send(zmq::buffer(reply));
  }
}

}  // namespace

Result<EchoProcess> EchoProcess::start(const EchoPlan& plan) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return Error{Code::failed, "fork failed"};
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    try {
      serve(plan);
    } catch (...) {
      ::_exit(1);
    }
  }
  return EchoProcess(pid);
}

EchoProcess::EchoProcess(EchoProcess&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}

EchoProcess::~EchoProcess() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

struct RawClient::Impl {
  zmq::context_t context{1};
  zmq::socket_t dealer{context, zmq::socket_type::dealer};
  std::string request;
};

RawClient::RawClient(const std::string& endpoint, std::size_t request_bytes)
    : impl_(std::make_unique<Impl>()) {
  impl_->dealer.set(zmq::sockopt::linger, 0);
  impl_->dealer.set(zmq::sockopt::rcvtimeo, 1000);
  impl_->dealer.connect(endpoint);
  impl_->request.assign(request_bytes, 'q');
}

RawClient::~RawClient() = default;

long RawClient::round_trip() {
  const auto begin = base::monotonic_ns();
  impl_->dealer.send(zmq::buffer(impl_->request));
  zmq::message_t reply;
  if (!impl_->dealer.recv(reply)) return -1;
  return base::monotonic_ns() - begin;
}

}  // namespace cambium::bench
