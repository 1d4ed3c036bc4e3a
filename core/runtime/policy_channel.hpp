// core/runtime/policy_channel.hpp: memory that a host shares with the process of one robot's
// policy, and the one job at a time that passes through it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cambium/result.hpp"
#include "cambium/state.hpp"
#include "core/base/clock.hpp"
#include "core/base/sealed_memory.hpp"
#include "core/plugin/embodiment.hpp"
#include "core/runtime/policy.hpp"

namespace cambium::runtime {

inline constexpr std::size_t kMaxStateParts = plugin::kMaxSensors + 1;   ///< the stems and the head
inline constexpr std::size_t kMaxChannelBytes = std::size_t{256} << 20;  ///< more is a mistake

/// What the memory is sized by. Each end takes it from what it knows itself, and both must come to
/// the same number of bytes.
struct ChannelSizes {
  PolicyShape shape;
  std::vector<std::uint32_t> sensors;  ///< [floats] one observation of each sensor
  std::vector<std::uint32_t> state;    ///< [bytes] room for each part, in the policy's order

  std::uint64_t observation() const noexcept;  ///< [floats] one of all sensors
  std::uint64_t tokens() const noexcept { return std::uint64_t{shape.tokens} * shape.width; }
  std::uint64_t features() const noexcept { return std::uint64_t{shape.features} * shape.width; }
  std::uint64_t chunk() const noexcept { return std::uint64_t{shape.horizon} * shape.dof; }
  /// [bytes] of memory; 0: more than kMaxChannelBytes, they are not sound.
  std::size_t bytes() const noexcept;
};
ChannelSizes channel_sizes(const PolicyShape& shape, const plugin::Embodiment& body,
                           const PolicyState& state);

/// The beginning of the memory; arrays follow at offsets that ChannelView computes. Fields are
/// atomic because the other side may write at any time, whatever was agreed.
struct ChannelHeader {
  enum Kind : std::uint32_t { kEncode = 0, kDecode = 1 };
  using Word = std::atomic<std::uint32_t>;

  // Written by the host. `asked` is the hand-over: released last, when the job lies ready.
  alignas(64) std::atomic<std::uint64_t> asked;
  Word kind, steps;
  Word restore;  ///< 1: the state parts of this job come first

  // Written by the child. `answered` is the hand-over back: the job's number, released last.
  alignas(64) std::atomic<std::uint64_t> answered;
  Word code, detail;
  Word carried, converted, cold;  ///< StateReport of a restore
  Message why;

  struct Part {
    Word version, size;  ///< size 0: nothing was saved
  };
  alignas(64) Part to_child[kMaxStateParts];
  Part from_child[kMaxStateParts];
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
              std::atomic<std::uint32_t>::is_always_lock_free);

/// The memory, mapped, and where things lie in it.
class ChannelView {
 public:
  /// Maps `memory`, which must have exactly sizes.bytes(). [setup]
  static Result<std::unique_ptr<ChannelView>> map(int memory, const ChannelSizes& sizes);

  ChannelHeader& header() const noexcept { return *reinterpret_cast<ChannelHeader*>(base()); }
  float* input() const noexcept { return reinterpret_cast<float*>(base() + input_); }
  float* output() const noexcept { return reinterpret_cast<float*>(base() + output_); }
  std::byte* state_to_child(std::size_t part) const noexcept { return base() + to_child_[part]; }
  std::byte* state_from_child(std::size_t part) const noexcept {
    return base() + from_child_[part];
  }

 private:
  ChannelView(base::Mapping mapping, const ChannelSizes& sizes);
  std::byte* base() const noexcept { return mapping_.data(); }

  base::Mapping mapping_;
  std::size_t input_, output_;
  std::vector<std::size_t> to_child_, from_child_;
};

/// The host's end. Believes nothing that it reads: sizes are its own, codes are range-checked,
/// numbers are checked once they are its own.
///
/// Threads    One thread at a time, as for Policy; unanswered() is for any other.
/// Real time  Nothing allocates, locks or waits after open().
class HostEnd {
 public:
  /// Gives `memory` its size, seals that size, so that reading can never fail, and maps it. `state`
  /// has the parts of the child's policy, their buffers sized. `job` is an eventfd that wakes the
  /// child. Both are borrowed. [setup]
  static Result<std::unique_ptr<HostEnd>> open(int memory, int job, ChannelSizes sizes,
                                               PolicyState state);

  /// Under way, or `busy` while an older job is unanswered. [loop, rt]
  Outcome encode(const ObservationWindow& window) noexcept;
  Outcome decode(FeaturesView features) noexcept;
  /// `failed` without a job under way. [loop, rt]
  Outcome poll(std::span<float> out) noexcept;
  void abandon() noexcept { under_way_ = false; }

  /// As the child left it with its last answer. [loop, rt]
  const PolicyState& state() const noexcept { return state_; }
  /// The bytes travel with the next job. Here `carried` only means that they are on their way.
  /// [loop, rt]
  StateReport restore(const PolicyState& state) noexcept;
  /// What the child said of the last restored bytes, once it has answered. [loop, rt]
  const StateReport& restored() const noexcept { return restored_; }

  /// Whether a job, abandoned or not, waits for its answer for longer than `limit`. [any, rt]
  bool unanswered(base::Nanoseconds now, base::Nanoseconds limit) const noexcept;

 private:
  HostEnd(std::unique_ptr<ChannelView> view, int job, ChannelSizes sizes, PolicyState state);
  bool answered() const noexcept;
  Outcome send(ChannelHeader::Kind kind, std::uint32_t steps, std::uint64_t wanted) noexcept;
  void read_state() noexcept;

  std::unique_ptr<ChannelView> view_;
  int job_;
  ChannelSizes sizes_;
  PolicyState state_;
  StateReport restored_;
  std::uint64_t wanted_ = 0;  // [floats] of the job under way
  bool under_way_ = false;
  bool restore_next_ = false, restoring_ = false;
  std::atomic<std::uint64_t> asked_{0};
  std::atomic<base::Nanoseconds> asked_at_{0};
};

/// The child's end: does jobs with a policy of its own process.
class ChildEnd {
 public:
  /// `memory` must have the size that this end computes. [setup]
  static Result<std::unique_ptr<ChildEnd>> open(int memory, ChannelSizes sizes, PolicyState state);

  /// Does the job that was asked for last; false if it has been done already. [loop, rt]
  bool serve(Policy& policy) noexcept;

 private:
  ChildEnd(std::unique_ptr<ChannelView> view, const ChannelSizes& sizes, PolicyState state);
  Status run(Policy& policy) noexcept;
  void restore(Policy& policy) noexcept;
  void publish(const PolicyState& state) noexcept;

  std::unique_ptr<ChannelView> view_;
  ChannelSizes sizes_;
  PolicyState state_;  // bytes that came for the policy
  std::uint64_t served_ = 0;
  ObservationWindow window_;
  // The plugin writes into memory of its own process: what it spoils is not the channel.
  std::vector<float> input_, output_;
};

}  // namespace cambium::runtime
