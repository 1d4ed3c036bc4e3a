// core/runtime/policy_report.hpp: what the process of a policy says once about what it has loaded,
// as one line of JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "cambium/result.hpp"
#include "core/plugin/embodiment.hpp"
#include "core/runtime/policy.hpp"

namespace cambium::runtime {

inline constexpr std::size_t kMaxReportBytes = std::size_t{1} << 20;

/// Which build of a plugin was opened.
struct LibraryIdentity {
  std::string name, version, sha256;
};

/// Everything that the host needs of a robot whose plugin it never opens.
struct PolicyReport {
  plugin::Embodiment body;
  LibraryIdentity plugin, stem_plugin, head_plugin;
  bool has_policy = false;  ///< false: no bundle, and nothing below
  std::string bundle_sha256;
  PolicyShape shape;
  std::string head_name, token_layout;
  PolicyState state;  ///< parts with owner and buffer, no bytes yet
};

/// With the line's end. [setup]
std::string to_line(const PolicyReport& report);
std::string to_line(const Error& error);

/// The report, or the error that was reported, or bad_data: every field is checked, the embodiment
/// as if it came from a plugin. Throws nothing. [setup]
Result<PolicyReport> read_report(std::string_view line);

/// A body alone, to who records it; and back, checked as all of the report. [setup]
nlohmann::json json_of_body(const plugin::Embodiment& body);
Result<plugin::Embodiment> read_body(const nlohmann::json& body);

}  // namespace cambium::runtime
