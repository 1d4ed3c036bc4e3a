// tests/unit/tasks/bodies.hpp: bodies, attempts and judgements of them, in a line each.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "examples/tasks/sampler.hpp"
#include "examples/tasks/task.hpp"

namespace cambium::tasks {

inline TaskBody body_of(const std::string& name, TaskKind task) {
  auto body = make_body(name, task);
  if (!body) {
    ADD_FAILURE() << body.error().message;
    throw std::runtime_error(body.error().message);
  }
  return std::move(*body);
}

inline Evaluation judge(const TaskBody& body, Actor& actor, std::uint32_t attempts) {
  const auto result =
      evaluate(body, actor, {.attempts = attempts}, [](std::uint32_t) { return true; });
  if (!result) {
    ADD_FAILURE() << result.error().message;
    return {};
  }
  return *result;
}

inline double expert_success(const TaskBody& body, std::uint32_t attempts) {
  return judge(body, *make_expert(body), attempts).success();
}

/// Does as a function says; sees each attempt's first readings.
class ScriptedActor final : public Actor {
 public:
  void restart() override { fresh_ = true; }
  Result<void> act(std::span<const std::span<const float>> readings,
                   std::span<double> action) override {
    if (fresh_) {
      first.emplace_back();
      for (const auto reading : readings)
        first.back().insert(first.back().end(), reading.begin(), reading.end());
    }
    fresh_ = false;
    std::fill(action.begin(), action.end(), velocity);
    return {};
  }

  double velocity = 0;                    // per second, of every joint
  std::vector<std::vector<float>> first;  // (attempts) all numbers

 private:
  bool fresh_ = false;
};

}  // namespace cambium::tasks
