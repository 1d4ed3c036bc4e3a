#include "core/app/check_report.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

namespace cambium::app {

using check::Verdict;

CheckReport::CheckReport(const std::filesystem::path& file, check::Kind kind, bool json)
    : json_(json),
      terminal_(::isatty(STDERR_FILENO) != 0),
      object_{{"file", file.string()},
              {"kind", check::to_string(kind)},
              {"ok", false},
              {"seconds", 0.0},
              {"tests", nlohmann::ordered_json::array()}} {}

CheckReport::~CheckReport() {
  wipe();
}

void CheckReport::wipe() {
  if (drawn_) std::fputs("\r\x1b[K", stderr);
  drawn_ = false;
}

void CheckReport::begin(const check::Subject& subject, bool headline) {
  subject_ = fmt::format("{} {}", check::to_string(subject.kind), subject.file().string());
  if (!subject.robot.empty()) subject_ += fmt::format(" (robot '{}')", subject.robot);
  if (json_ || !headline) return;
  wipe();
  fmt::print("{}\n", subject_);
  std::fflush(stdout);
}

void CheckReport::add(const check::Outcome& outcome) {
  const auto& [verdict, message] = outcome.finding;
  ++counts_[static_cast<unsigned>(verdict)];
  failed_ += verdict >= Verdict::fail;
  if (json_) {
    object_["tests"].push_back({{"name", outcome.name},
                                {"result", check::to_string(verdict)},
                                {"message", message},
                                {"seconds", outcome.seconds},
                                {"of", subject_}});
    return;
  }
  if (verdict == Verdict::skip) {  // many have the same reason
    auto reason = std::ranges::find(skipped_, message, [](const auto& one) { return one.first; });
    if (reason == skipped_.end()) reason = skipped_.insert(reason, {message, {}});
    reason->second.push_back(outcome.name);
    return;
  }
  wipe();
  fmt::print("{:<5} {}{}{}\n", check::to_string(verdict), outcome.name, message.empty() ? "" : ": ",
             message);
  std::fflush(stdout);
}

void CheckReport::progress(std::size_t done, std::size_t all, std::string_view running) {
  if (!terminal_) return;
  auto line = fmt::format("[{}/{}] {}", done, all, running);
  if (drawn_ && line == line_) return;
  line_ = std::move(line);
  fmt::print(stderr, "\r\x1b[K{}", line_);
  std::fflush(stderr);
  drawn_ = true;
}

void CheckReport::end_subject() {
  wipe();
  for (const auto& [reason, names] : skipped_)
    if (names.size() == 1)
      fmt::print("SKIP  {}: {}\n", names.front(), reason);
    else
      fmt::print("SKIP  {} checks, '{}' to '{}': {}\n", names.size(), names.front(), names.back(),
                 reason);
  skipped_.clear();
  std::fflush(stdout);
}

void CheckReport::end(double seconds) {
  wipe();
  if (json_) {
    object_["ok"] = ok();
    object_["seconds"] = seconds;
    // What a plugin said may hold anything.
    const auto text = object_.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
    std::puts(text.c_str());
    return;
  }
  const auto count = [&](Verdict verdict) { return counts_[static_cast<unsigned>(verdict)]; };
  fmt::print("{}: {} pass, {} warn, {} skip, {} fail, {} crash in {:.1f} s\n",
             ok() ? "ok" : "not ok", count(Verdict::pass), count(Verdict::warn),
             count(Verdict::skip), count(Verdict::fail), count(Verdict::crash), seconds);
}

}  // namespace cambium::app
