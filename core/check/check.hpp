// core/check/check.hpp: the tables of checks, one for each kind of file.
#pragma once

#include <span>

#include "core/check/context.hpp"
#include "core/check/finding.hpp"
#include "core/check/subject.hpp"

namespace cambium::check {

/// Files that a check cannot do without, besides the judged one.
struct Needs {
  bool plugin = false, bundle = false, stock = false;
};

/// One thing that is true of a sound file. It runs in a process of its own.
struct Check {
  const char* name;             ///< a sentence's end: "(the plugin) writes its whole output"
  Finding (*run)(Context&);     ///< may throw Ended
  Needs needs = {};             ///< SKIP without them
  const char* after = nullptr;  ///< makes no sense if that check of the same table has failed
  bool alone = false;           ///< measures time: nothing else runs beside it
};

/// In the order in which they are shown. [any]
std::span<const Check> checks_of(Kind kind) noexcept;

/// Runs one check in this process; whatever it throws becomes its finding. [setup]
Finding run_check(const Check& check, Context& context);

/// What every check that runs a stem or head comes after.
inline constexpr const char kStartsUp[] = "starts up with the bundle's weights";

// The groups, each in a file of its own.
std::span<const Check> door_checks() noexcept;      ///< library and export table: door_checks.cpp
std::span<const Check> start_up_checks() noexcept;  ///< activate() and its refusals
std::span<const Check> output_checks() noexcept;    ///< what encode() and decode() write
std::span<const Check> loop_checks() noexcept;      ///< fit for the control loop
std::span<const Check> state_checks() noexcept;     ///< cambium.state/1
std::span<const Check> reload_checks() noexcept;    ///< again and again
std::span<const Check> robot_checks() noexcept;     ///< plugin, bundle and stock together
std::span<const Check> bundle_checks() noexcept;
std::span<const Check> stock_checks() noexcept;
std::span<const Check> config_checks() noexcept;

}  // namespace cambium::check
