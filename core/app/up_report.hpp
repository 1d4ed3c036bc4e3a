// core/app/up_report.hpp: what `cambium up` shows: a live table, log lines, or JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/app/up_process.hpp"

namespace cambium::app {

/// "process  state  …", one line a process, each ending in a newline.
std::string table_of(const std::vector<Process>& processes, base::Nanoseconds now);

/// "trunk: killed by signal 9 after 3.2 s, again in 50 ms"
std::string sentence_of(const Process& process, base::Nanoseconds now);

/// Never waits for a reader: a line that finds no room is dropped, because a supervisor that waits
/// for its terminal supervises nobody.
class UpReport {
 public:
  enum class Mode { table, plain, json };
  explicit UpReport(Mode mode) : mode_(mode) {}

  /// The state of a process has changed. [setup]
  void change(const Process& process, base::Nanoseconds now);
  /// A process has said something. [setup]
  void line(const Process& process, std::string_view text);
  /// Something about `up` itself: "ready", "stopping", "stopped". [setup]
  void event(std::string_view event, const std::string& sentence);
  /// Draws the table anew, if there is one. [setup]
  void refresh(const std::vector<Process>& processes, base::Nanoseconds now);
  Mode mode() const noexcept { return mode_; }

 private:
  void put(int descriptor, std::string_view text);

  Mode mode_;
  std::string above_;            ///< lines that wait to be shown above the table
  std::size_t table_lines_ = 0;  ///< on the terminal, below the cursor's return
};

}  // namespace cambium::app
