// The memory that a host shares with the process of an isolated policy, in which that process may
// write whatever it likes. The input is what it writes: behind its first byte the header's half of
// the child, then the tokens or actions, then the state.
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "core/base/descriptor.hpp"
#include "core/runtime/policy_channel.hpp"
#include "tests/fuzz/target.hpp"

namespace {

using namespace cambium;
using namespace cambium::runtime;

constexpr std::uint32_t kRoom[] = {16, 5};  // [bytes] of state for each of two parts

class Channel {
 public:
  Channel() {
    PolicyState state;
    for (const char* owner : {"head:a", "stem:b/c"})
      state.push_back({.owner = owner, .bytes = std::vector<std::byte>(kRoom[state.size()])});
    auto host = HostEnd::open(memory_.get(), job_.get(), sizes_, state);
    fuzz::promise(host.has_value(), "memory can be shared");
    host_ = std::move(*host);
    auto view = ChannelView::map(memory_.get(), sizes_);
    fuzz::promise(view.has_value(), "memory can be mapped twice");
    view_ = std::move(*view);
    const float values[] = {1, 2, 3, 4, 5};
    window_.push(values);
  }

  void serve(std::span<const std::byte> bytes, bool encode, bool restore, bool answer) {
    if (restore) ask_to_restore();
    const Outcome asked = encode ? host_->encode(window_) : host_->decode({features_.data(), 1, 4});
    fuzz::promise(asked.under_way, "the channel is free between two inputs");
    const std::uint64_t number = view_->header().asked;
    spoil(bytes);
    // What the input says of the job's number is left there first, then the right one.
    poll(encode, view_->header().answered == number);
    if (!answer) {
      host_->abandon();
      fuzz::promise(host_->poll(out_).status.code() == Code::failed, "nothing is under way");
      view_->header().answered = number - 1;
      fuzz::promise(host_->decode({features_.data(), 1, 4}).status.code() == Code::busy,
                    "an abandoned job holds the channel");
    }
    view_->header().answered = number;
    if (host_->unanswered(INT64_MAX, 0)) fuzz::promise(false, "an answer is an answer");
    poll(encode, true);
    check_state();
  }

 private:
  void ask_to_restore() {
    PolicyState state = host_->state();
    const auto report = host_->restore(state);
    fuzz::promise(report.cold == 0, "what came out goes in again");
  }
  void spoil(std::span<const std::byte> bytes) {
    // By memcpy: the child need not keep to atomics either.
    auto* header = reinterpret_cast<std::byte*>(&view_->header());
    const auto put = [&](std::byte* to, std::size_t room) {
      const auto some = bytes.first(std::min(room, bytes.size()));
      if (!some.empty()) std::memcpy(to, some.data(), some.size());
      bytes = bytes.subspan(some.size());
    };
    put(header + offsetof(ChannelHeader, answered),
        offsetof(ChannelHeader, why) - offsetof(ChannelHeader, answered));
    put(header + offsetof(ChannelHeader, from_child), 2 * sizeof(ChannelHeader::Part));
    put(reinterpret_cast<std::byte*>(view_->output()), sizes_.tokens() * sizeof(float));
    for (std::size_t i = 0; i < std::size(kRoom); ++i) put(view_->state_from_child(i), kRoom[i]);
    put(header + offsetof(ChannelHeader, why), sizeof(Message));
    put(header, offsetof(ChannelHeader, answered));  // the host's own half
    put(header + offsetof(ChannelHeader, to_child), 2 * sizeof(ChannelHeader::Part));
  }
  void poll(bool encode, bool answered) {
    const auto wanted = static_cast<std::size_t>(encode ? sizes_.tokens() : sizes_.chunk());
    std::ranges::fill(out_, kUntouched);
    const Outcome outcome = host_->poll(out_);
    if (outcome.under_way) {
      fuzz::promise(!answered, "only another number is no answer");
      return;
    }
    fuzz::promise(outcome.status.code() <= Code::failed, "codes are known ones");
    fuzz::promise(std::ranges::all_of(std::span(out_).subspan(wanted),
                                      [](float x) { return x == kUntouched; }),
                  "no more is copied than was asked for");
    if (outcome.status.ok())
      fuzz::promise(std::ranges::all_of(std::span(out_).first(wanted),
                                        [](float x) { return std::isfinite(x); }),
                    "numbers are finite");
  }
  void check_state() const {
    const auto& state = host_->state();
    fuzz::promise(state.size() == std::size(kRoom), "parts are the host's own");
    for (std::size_t i = 0; i < state.size(); ++i)
      fuzz::promise(state[i].size <= kRoom[i] && state[i].bytes.size() == kRoom[i],
                    "sizes are the host's own");
    const auto& restored = host_->restored();
    fuzz::promise(std::max({restored.carried, restored.converted, restored.cold}) <= state.size(),
                  "counts are bounded");
    fuzz::promise(std::memchr(restored.why.text, 0, sizeof restored.why.text) != nullptr,
                  "a sentence has an end");
  }

  static constexpr float kUntouched = -77;

  const ChannelSizes sizes_{.shape = {.tokens = 3,
                                      .width = 4,
                                      .features = 1,
                                      .horizon = 5,
                                      .dof = 2,
                                      .observation_horizon = 2},
                            .sensors = {2, 3},
                            .state = {std::begin(kRoom), std::end(kRoom)}};
  base::Descriptor memory_{::memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  base::Descriptor job_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::unique_ptr<HostEnd> host_;
  std::unique_ptr<ChannelView> view_;
  ObservationWindow window_{std::vector<std::uint32_t>{2, 3}, 2};
  std::vector<float> features_ = std::vector<float>(4, 0.5F);
  std::vector<float> out_ = std::vector<float>(32);
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Channel channel;
  if (size < 1) return 0;
  const unsigned what = data[0];
  channel.serve(fuzz::bytes(data + 1, size - 1), (what & 1) != 0, (what & 2) != 0, (what & 4) == 0);
  return 0;
}
