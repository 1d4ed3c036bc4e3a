// core/check/process_facts.hpp: what the system says about this process.
#pragma once

#include <cstddef>
#include <string>

namespace cambium::check {

/// Threads of this process; those that have ended may take a moment to go, so a number above
/// `expected` is looked at again for a tenth of a second. [setup]
std::size_t threads_now(std::size_t expected = 0);

/// [B] of memory that is resident now. [setup]
std::size_t resident_bytes();

/// [B] that malloc has given out and not got back; 0 under a sanitizer, which has its own. [setup]
std::size_t allocated_bytes();

/// What reaches stdout while it lives goes into it. [setup]
class CapturedStdout {
 public:
  CapturedStdout();
  ~CapturedStdout() { text(); }
  CapturedStdout(const CapturedStdout&) = delete;
  CapturedStdout& operator=(const CapturedStdout&) = delete;

  /// Gives stdout back; what was caught, at most the first kilobyte.
  std::string text();

 private:
  int before_ = -1, memory_ = -1;
};

}  // namespace cambium::check
