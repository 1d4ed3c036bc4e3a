// tests/integration/session_fixture.hpp: robots that step on a trunk that remembers, and the trunk
// itself, to be stopped and started again.
#pragma once

#include <gmock/gmock.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/trunk/server.hpp"
#include "core/trunk/session_call.hpp"
#include "core/trunk/session_file.hpp"
#include "tests/support/stamping_model.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/tokens.hpp"
#include "tests/support/trunk_caller.hpp"

namespace cambium::test {

inline constexpr std::uint32_t kStampWidth = 4;

struct StepAnswer {
  Code code = Code::ok;
  float seen = 0;  ///< of the first token
  trunk::Recall recall = trunk::Recall::none;
  std::uint64_t steps = 0;
};

/// One robot on one connection. What it sends at a step depends on nothing but the step.
class SteppingRobot {
 public:
  SteppingRobot(const std::string& endpoint, std::string session, std::uint64_t owner = 5)
      : caller_(endpoint), session_(std::move(session)), owner_(owner) {}

  static float value_at(std::uint64_t step) { return 0.25F * static_cast<float>(step % 1000); }

  /// Sends step `step`, counted from 1, and waits for its answer.
  StepAnswer step(std::uint64_t step) {
    TokensMessage message;
    message.request = step;
    message.count = 1;
    message.width = kStampWidth;
    message.values.assign(kStampWidth, value_at(step));
    message.trunk.assign(trunk.begin(), trunk.end());
    message.session = session_;
    message.owner = owner_;
    message.episode = episode;
    message.time_ns = static_cast<std::int64_t>(1000 * step);
    caller_.send(message.bytes());
    for (;;) {
      if (!caller_.receive()) throw std::runtime_error("no answer came");
      if (const auto* notice = caller_.notice()) said = notice->text()->str();
      const auto* features = caller_.features();
      if (features == nullptr) continue;
      const auto values = test::values(*features);
      return {static_cast<Code>(features->code()), values.empty() ? 0 : values.front(),
              static_cast<trunk::Recall>(features->recall()), features->steps()};
    }
  }
  /// Steps `first` to `last`, which must be taken.
  void steps(std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t i = first; i <= last; ++i)
      if (step(i).code != Code::ok) throw std::runtime_error("a step was refused: " + said);
  }
  /// What a trunk that never stopped says to step `step` of a robot that began with `first`.
  static float expected(std::uint64_t step, std::uint64_t first = 1) {
    std::uint64_t stamp = 0;
    for (std::uint64_t i = first; i <= step; ++i) stamp = StampingModel::next(stamp, value_at(i));
    return StampingModel::seen(stamp);
  }

  std::uint64_t episode = 1;
  base::Digest trunk = digest(0xab);
  std::string said;  ///< the last notice

 private:
  TrunkCaller caller_;
  std::string session_;
  std::uint64_t owner_;
};

/// A server in this process, with files in a folder that goes with the test.
class SessionTrunkTest : public testing::Test {
 protected:
  SessionTrunkTest() {
    options_.endpoint = "ipc://" + (folder_ / "trunk").string();
    options_.session_dir = sessions_;
    options_.snapshot_period = 20 * base::kMillisecond;
    options_.session_lease = base::kMillisecond;
    options_.log = [this](const std::string& text) {
      const std::lock_guard lock(logging_);
      log_ += text + "\n";
    };
  }

  Result<trunk::TrunkServer> try_start(const trunk::ServerOptions& options) {
    return trunk::TrunkServer::start(options, {id_, "fake", 0},
                                     std::make_unique<StampingModel>(kStampWidth, words_));
  }
  void start() {
    auto server = try_start(options_);
    if (!server) throw std::runtime_error(server.error().message);
    server_.emplace(std::move(*server));
  }
  void start_again() {
    server_.reset();
    start();
  }
  SteppingRobot robot(const std::string& session, std::uint64_t owner = 5) const {
    return {options_.endpoint, session, owner};
  }
  std::filesystem::path file_of(const std::string& session) const {
    return sessions_ / (session + "." + base::to_hex(id_).substr(0, 16) + ".safetensors");
  }
  trunk::SessionFit fit() const { return {id_, "stamping", 8 * words_}; }
  Result<trunk::SessionRecord> read(const std::filesystem::path& file) {
    memory_.resize(8 * words_);
    return trunk::read_session(file, fit(), memory_);
  }
  /// Ten seconds at most.
  static bool comes_true(const std::function<bool()>& what) {
    const auto end = base::monotonic_ns() + 10 * base::kSecond;
    while (!what()) {
      if (base::monotonic_ns() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }
  bool is_saved(const std::string& session, std::uint64_t steps) {
    return comes_true([&] {
      const auto record = read(file_of(session));
      return record && record->steps == steps;
    });
  }
  std::string log() const {
    const std::lock_guard lock(logging_);
    return log_;
  }

  TemporaryFolder folder_;
  const std::filesystem::path sessions_ = folder_ / "sessions";
  base::Digest id_ = digest(0xab);
  std::size_t words_ = 64;
  trunk::ServerOptions options_;
  std::optional<trunk::TrunkServer> server_;
  std::vector<std::byte> memory_;

 private:
  mutable std::mutex logging_;  // guards log_
  std::string log_;
};

}  // namespace cambium::test
