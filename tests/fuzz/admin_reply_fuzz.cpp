// What a host answers to the command line, as ask_admin() reads it from its real socket.
#include <mutex>

#include "core/runtime/admin_desk.hpp"
#include "tests/fuzz/peer.hpp"

namespace {

using namespace cambium;

class FakeDesk {
 public:
  const std::string& endpoint() const noexcept { return answerer_.endpoint(); }
  void set_input(std::span<const std::byte> input) {
    const std::lock_guard lock(mutex_);
    input_.assign(input.begin(), input.end());
  }

 private:
  std::mutex mutex_;
  std::vector<std::byte> input_;
  fuzz::Answerer answerer_{
      [this](transport::Socket& socket, const transport::Peer& from, std::span<const std::byte>) {
        const std::lock_guard lock(mutex_);
        [[maybe_unused]] const Status sent = socket.send(from, input_);
      }};
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static FakeDesk desk;
  desk.set_input(fuzz::bytes(data, size));
  const runtime::AdminCall call{.verb = "status"};
  const auto answer = runtime::ask_admin(desk.endpoint(), call, fuzz::kPatience);
  fuzz::says_why(answer);
  if (!answer) fuzz::promise(answer.error().code == Code::bad_data, "every answer is read");
  return 0;
}
