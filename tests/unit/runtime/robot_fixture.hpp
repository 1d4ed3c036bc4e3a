// tests/unit/runtime/robot_fixture.hpp: a robot with a real plugin, bundle and policy; the test
// plays the io thread and the trunk.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/plugin/plugin_library.hpp"
#include "core/runtime/local_policy.hpp"
#include "core/runtime/robot.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/toy_files.hpp"

namespace cambium::runtime {

class RobotTest : public testing::Test {
 protected:
  RobotTest() : robot_(3, "left", 1024, io_) {
    trunk_id_ = test::write_toy_stock(folder_ / "stock.safetensors");
    commit({.trunk_id = trunk_id_}, TOY_ARM, 1);
  }

  void commit(const test::ToyBundle& toy, const char* library_file, std::uint64_t number) {
    CommitReport report;
    robot_.commit(make(toy, library_file, number), {}, report);
  }

  std::unique_ptr<Generation> make(const test::ToyBundle& toy, const char* library_file,
                                   std::uint64_t number) {
    const auto file = folder_ / ("bundle" + std::to_string(number) + ".safetensors");
    test::write_toy_bundle(file, toy);
    const auto stock = nn::Stock::open(folder_ / "stock.safetensors");
    const auto bundle = nn::Bundle::open(file);
    auto library = plugin::open_library(library_file, {.run_dir = folder_ / "run"});
    if (!stock || !bundle || !library) throw std::runtime_error("the toy files do not open");
    const auto body = (*library)->embodiment();
    auto policy = LocalPolicy::make({.embodiment = *body,
                                     .stock = *stock,
                                     .bundle = *bundle,
                                     .stem_library = **library,
                                     .head_library = **library,
                                     .head = {}});
    if (!policy) throw std::runtime_error(policy.error().message);
    const auto limits = limits_of(*body);
    const std::vector<std::uint32_t> sizes = {2, 3};
    std::unique_ptr<Generation> next(
        new Generation{.number = number,
                       .body = 1,
                       .embodiment = "toy_arm",
                       .dof = 2,
                       .period = 10 * base::kMillisecond,
                       .max_observation_age = base::kSecond,
                       .replan_every = 4,
                       .inference = Inference(std::move(*policy)),
                       .window = ObservationWindow(sizes, 1),
                       .player = ChunkPlayer(test::kToyHorizon, 2),
                       .gate = SafetyGate(limits, ActionKind::joint_velocity, {}),
                       .ladder = FallbackLadder(limits, {}, ActionKind::joint_velocity, 0.01, {}),
                       .safe_position = std::vector<float>(2),
                       .lockstep = {.velocity = std::vector<double>(test::kToyHorizon * 2),
                                    .target = std::vector<double>(test::kToyHorizon * 2),
                                    .acceleration = std::vector<double>(test::kToyHorizon * 2),
                                    .position = std::vector<float>(2)}});
    return next;
  }

  void observe(float joint = 0, std::uint64_t body = 1, bool want_chunk = false,
               base::Nanoseconds later = 10 * base::kMillisecond) {
    auto* frame = robot_.mailbox().observations.loan();
    ASSERT_NE(frame, nullptr);
    frame->body = body;
    frame->sequence = ++sequence_;
    frame->readable = clock_ += later;
    frame->want_chunk = want_chunk;
    frame->episode_start = std::exchange(episode_start_, false);
    frame->same_task = same_task_;
    frame->reading_count = 2;
    frame->sizes[0] = 2;
    frame->sizes[1] = 3;
    for (int i = 0; i < 5; ++i) frame->values[static_cast<std::size_t>(i)] = joint;
    robot_.mailbox().observations.publish();
    robot_.handle_messages();
  }

  void answer(std::uint64_t request, std::uint64_t generation, Code code = Code::ok,
              trunk::Recall recall = trunk::Recall::none, std::uint64_t steps = 0) {
    auto* frame = robot_.mailbox().features.loan();
    ASSERT_NE(frame, nullptr);
    frame->request = request;
    frame->generation = generation;
    frame->code = code;
    frame->count = 1;
    frame->width = test::kToyWidth;
    frame->recall = recall;
    frame->steps = steps;
    std::fill_n(frame->values.get(), test::kToyWidth, 0.0F);
    robot_.mailbox().features.publish();
    robot_.handle_messages();
  }

  // Ticks once; whatever the robot asks the trunk is answered at once. What the tick was told.
  struct Told {
    Drive drive = Drive::waiting;
    Code reason = Code::ok;
    std::uint64_t generation = 0;
    float first = 0;  ///< of the action
  };
  Told tick(float joint = 0) {
    observe(joint);
    Told told;
    while (robot_.mailbox().out.front()) {
      const OutFrame& frame = *robot_.mailbox().out.front();
      if (frame.kind == OutFrame::Kind::action)
        told = {frame.drive, frame.code, frame.generation, frame.values[0]};
      const bool tokens = frame.kind == OutFrame::Kind::tokens;
      const auto request = frame.request, generation = frame.generation;
      robot_.mailbox().out.pop();
      if (tokens) answer(request, generation);
    }
    return told;
  }

  // The next thing the robot sent; tests fail if it is of another kind.
  OutFrame& next(OutFrame::Kind kind) {
    if (taken_) robot_.mailbox().out.pop();
    taken_ = true;
    OutFrame* frame = robot_.mailbox().out.front();
    if (!frame || frame->kind != kind)
      throw std::logic_error("the robot sent nothing, or something else");
    return *frame;
  }
  bool silent() {
    if (std::exchange(taken_, false)) robot_.mailbox().out.pop();
    return robot_.mailbox().out.front() == nullptr;
  }

  test::TemporaryFolder folder_;
  std::string trunk_id_;
  base::Waker io_;
  Robot robot_;
  std::uint64_t sequence_ = 0;
  base::Nanoseconds clock_ = base::monotonic_ns();
  bool taken_ = false;
  bool episode_start_ = false, same_task_ = false;  ///< of the next observation
};

}  // namespace cambium::runtime
