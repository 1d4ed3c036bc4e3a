// tests/unit/runtime/isolation_fixture.hpp: toy robots whose policies run in processes of the real
// program.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/base/waker.hpp"
#include "core/plugin/plugin_library.hpp"
#include "core/runtime/isolated_policy.hpp"
#include "core/runtime/local_policy.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/toy_files.hpp"

namespace cambium::runtime {

class Isolation : public testing::Test {
 protected:
  Isolation() {
    trunk_id_ = test::write_toy_stock(folder_ / "stock.safetensors");
    write_bundle("constant");
    options_.program = CAMBIUM_PROGRAM;
    options_.source = {.plugin = TOY_ARM,
                       .bundle = folder_ / "bundle.safetensors",
                       .stock = folder_ / "stock.safetensors",
                       .run_dir = folder_ / "run"};
    options_.wake = waker_.descriptor();
    const float now[] = {0.25F, -0.5F, 1, 2, 3};
    window_.push(now);
  }

  void write_bundle(const std::string& head) {
    test::write_toy_bundle(folder_ / "bundle.safetensors", {.trunk_id = trunk_id_, .head = head});
  }

  IsolatedParts start() {
    auto parts = isolate(options_);
    if (!parts) throw std::runtime_error(parts.error().message);
    return std::move(*parts);
  }
  std::string refusal() {
    const auto parts = isolate(options_);
    return parts ? "" : parts.error().message;
  }

  /// Sleeps on the waker until the call is done; as a robot's worker does, for ten seconds at most.
  Status finish(Policy& policy, Outcome outcome, std::span<float> out) {
    const auto end = base::monotonic_ns() + 10 * base::kSecond;
    while (outcome.under_way) {
      if (base::monotonic_ns() > end) throw std::runtime_error("no answer");
      waker_.sleep(100 * base::kMillisecond);
      outcome = policy.poll(out);
    }
    return outcome.status;
  }
  Status encode(Policy& policy) { return finish(policy, policy.encode(window_, tokens_), tokens_); }
  Outcome begin_decode(Policy& policy) {
    return policy.decode({features_.data(), policy.shape().features, policy.shape().width}, chunk_);
  }
  Status decode(Policy& policy) { return finish(policy, begin_decode(policy), chunk_); }

  /// Watches as a host's keeper does, until the process has ended; how it did.
  static std::string watch(PolicyProcess& process) {
    const auto end = base::monotonic_ns() + 10 * base::kSecond;
    while (!process.ended()) {
      if (base::monotonic_ns() > end) throw std::runtime_error("it goes on");
      pollfd entry{.fd = process.descriptor(), .events = POLLIN, .revents = 0};
      ::poll(&entry, 1, 10);
      if (process.stuck(base::monotonic_ns())) process.kill();
    }
    return process.obituary();
  }

  test::TemporaryFolder folder_;
  std::string trunk_id_;
  base::Waker waker_;
  PolicyProcessOptions options_;
  ObservationWindow window_{std::vector<std::uint32_t>{2, 3}, 1};
  std::vector<float> tokens_ = std::vector<float>(2 * test::kToyWidth);
  std::vector<float> features_ = std::vector<float>(test::kToyWidth, 0.5F);
  std::vector<float> chunk_ = std::vector<float>(2 * test::kToyHorizon);
};

/// Whether nothing of this process is left to be reaped.
inline bool no_child_left() {
  return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD;
}

}  // namespace cambium::runtime
