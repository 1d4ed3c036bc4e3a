// examples/reach/demo/child.hpp: a process that the demo started, and that ends with it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cambium/result.hpp"

namespace cambium::reach {

/// Owns one running process. Its output goes to a file; it is killed when the demo dies, however
/// that happens.
class Child {
 public:
  /// Starts `command` (program and arguments); standard output and error go to `log`. [setup]
  static Result<Child> start(const std::vector<std::string>& command,
                             const std::filesystem::path& log);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();  ///< asks it to stop, then makes it

  /// Its exit code if it has ended (128 + signal if it was killed). [setup]
  std::optional<int> ended();
  /// SIGTERM, and SIGKILL for one that takes longer than three seconds. Its exit code. [setup]
  int stop();
  /// Waits for its end as long as it takes. [setup]
  int wait();

 private:
  Child() = default;
  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

}  // namespace cambium::reach
