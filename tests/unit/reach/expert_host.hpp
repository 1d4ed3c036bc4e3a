// tests/unit/reach/expert_host.hpp: the host's end of the socket with the expert in the place of a
// policy, so that a controller is tested without plugins, bundles and trunk.
#pragma once

#include <atomic>
#include <string>
#include <thread>

#include "cambium/client.hpp"
#include "core/plugin/embodiment.hpp"
#include "examples/reach/expert.hpp"

namespace cambium::reach {

struct ExpertHostOptions {
  std::uint64_t waiting = 0;     ///< first observations that are answered with Drive::waiting
  std::uint64_t silent_at = 0;   ///< the observation that is not answered; 0: none
  std::uint64_t changes_at = 0;  ///< from this observation on the slot has another body; 0: never
  std::uint64_t learned_at = 0;  ///< from this observation on it is generation 2; 0: never
};

/// Serves one robot on its own thread until destroyed.
class ExpertHost {
 public:
  ExpertHost(const ArmModel& model, const plugin::Embodiment& body, ExpertHostOptions options);
  ~ExpertHost();
  const std::string& endpoint() const { return endpoint_; }

 private:
  void serve();

  const ArmModel& model_;
  const plugin::Embodiment& body_;
  ExpertHostOptions options_;
  std::string endpoint_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace cambium::reach
