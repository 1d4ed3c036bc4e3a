// core/check/runner.hpp: runs the checks of one file, each in a process of its own.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/check/check.hpp"

namespace cambium::check {

struct RunOptions {
  std::vector<std::string> only;  ///< parts of names, or patterns with * and ?; empty: all
  double timeout = 10;            ///< [s] for one check
  double budget = 60;             ///< [s] for all checks of one file
  unsigned jobs = 1;              ///< checks at a time
  unsigned seed = 0;
  std::filesystem::path scratch;  ///< for what the checks write
  /// True as soon as the run is to end; asked several times a second.
  std::function<bool()> stop = [] { return false; };
};

struct Outcome {
  std::string name;
  Finding finding;
  double seconds = 0;
};

struct Watch {
  std::function<void(const Outcome&)> outcome;  ///< in the order of the table
  /// done of all, and a check that runs now.
  std::function<void(std::size_t done, std::size_t all, std::string_view running)> progress;
};

/// The checks that `only` chooses.
std::vector<Check> chosen(Kind kind, const std::vector<std::string>& only);

/// How `cambium_check` has to be called to run that check by itself: its hidden side.
std::vector<std::string> child_arguments(const Check& check, const Subject& subject,
                                         const RunOptions& options);

/// Runs them; `failed` if it was stopped. When it returns, no child is left. [setup]
Result<std::vector<Outcome>> run_checks(const Subject& subject, const RunOptions& options,
                                        const Watch& watch);

}  // namespace cambium::check
