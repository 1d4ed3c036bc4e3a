// core/app/check_report.hpp: what checks found, as lines or as JSON, with one line of progress.
#pragma once

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/check/runner.hpp"

namespace cambium::app {

class CheckReport {
 public:
  /// json: nothing is printed before print_json(). Progress is shown where stderr is a terminal.
  CheckReport(const std::filesystem::path& file, check::Kind kind, bool json);
  ~CheckReport();
  CheckReport(const CheckReport&) = delete;
  CheckReport& operator=(const CheckReport&) = delete;

  /// The outcomes that follow are of this one. `headline`: there are several.
  void begin(const check::Subject& subject, bool headline);
  void add(const check::Outcome& outcome);
  void progress(std::size_t done, std::size_t all, std::string_view running);

  bool ok() const noexcept { return failed_ == 0; }
  /// After the last outcome of a subject: what was skipped, by reason.
  void end_subject();
  /// The last line, or the whole JSON object.
  void end(double seconds);

 private:
  void wipe();

  bool json_, terminal_, drawn_ = false;
  std::string subject_, line_;
  std::vector<std::pair<std::string, std::vector<std::string>>> skipped_;  // reason, names
  unsigned counts_[5] = {}, failed_ = 0;
  nlohmann::ordered_json object_;
};

}  // namespace cambium::app
