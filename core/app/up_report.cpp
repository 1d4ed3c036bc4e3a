#include "core/app/up_report.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace cambium::app {
namespace {

using nlohmann::json;

// POSIX: a write of this size to a pipe that has room is done whole and at once.
constexpr std::size_t kPipeRoom = 4096;

double seconds(base::Nanoseconds time) {
  return static_cast<double>(time) / static_cast<double>(base::kSecond);
}

std::string short_time(base::Nanoseconds time) {
  if (time < base::kSecond) return fmt::format("{} ms", time / base::kMillisecond);
  if (time < 100 * base::kSecond) return fmt::format("{:.1f} s", seconds(time));
  const auto minutes = time / (60 * base::kSecond);
  return minutes < 120 ? fmt::format("{} min", minutes) : fmt::format("{} h", minutes / 60);
}

std::string state_text(const Process& process, base::Nanoseconds now) {
  if (process.state != ProcessState::waiting) return to_string(process.state);
  return "waiting " + short_time(std::max<base::Nanoseconds>(0, process.next_start - now));
}

json json_of(const Process& process, base::Nanoseconds now) {
  json object{{"event", "process"},
              {"name", process.spec.name},
              {"state", to_string(process.state)},
              {"pid", process.pid},
              {"restarts", process.restarts},
              {"reason", process.reason},
              {"status", process.status},
              {"lived_s", seconds(now - process.started)}};
  if (process.state == ProcessState::waiting) object["wait_ms"] = process.wait / base::kMillisecond;
  return object;
}

std::string text_of(const json& object) {
  // A child may say bytes that are no UTF-8.
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string table_of(const std::vector<Process>& processes, base::Nanoseconds now) {
  std::string text = fmt::format("{:<16} {:>8} {:<15} {:>8} {:>8}  {}\n", "process", "pid", "state",
                                 "restarts", "up", "last end");
  for (const auto& process : processes) {
    text += fmt::format("{:<16} {:>8} {:<15} {:>8} {:>8}  {}\n", process.spec.name,
                        process.alive() ? std::to_string(process.pid) : "-",
                        state_text(process, now), process.restarts,
                        process.alive() ? short_time(now - process.started) : "-", process.reason);
  }
  return text;
}

std::string sentence_of(const Process& process, base::Nanoseconds now) {
  const auto& name = process.spec.name;
  switch (process.state) {
    case ProcessState::starting:
    case ProcessState::stopping:
      return fmt::format("{}: {}, pid {}", name, to_string(process.state), process.pid);
    case ProcessState::running:
      return fmt::format("{}: running, pid {}{}{}", name, process.pid,
                         process.status.empty() ? "" : ", ", process.status);
    case ProcessState::waiting:
      return fmt::format("{}: {} after {}, again in {}", name, process.reason,
                         short_time(now - process.started), short_time(process.wait));
    case ProcessState::stopped:
      return fmt::format("{}: stopped, {}", name, process.reason);
  }
  return name;
}

void UpReport::change(const Process& process, base::Nanoseconds now) {
  if (mode_ == Mode::json) return put(STDOUT_FILENO, text_of(json_of(process, now)));
  if (mode_ == Mode::plain) return put(STDOUT_FILENO, sentence_of(process, now) + "\n");
  // The table shows states; only what ends goes by unseen.
  if (process.state == ProcessState::waiting) above_ += sentence_of(process, now) + "\n";
}

void UpReport::line(const Process& process, std::string_view text) {
  std::string line = fmt::format("{} | {}\n", process.spec.name, text);
  if (mode_ == Mode::table)
    above_ += line;
  else
    put(STDERR_FILENO, line);
}

void UpReport::event(std::string_view event, const std::string& sentence) {
  if (mode_ == Mode::json) {
    put(STDOUT_FILENO, text_of({{"event", event}, {"text", sentence}}));
  } else if (mode_ == Mode::plain) {
    put(STDOUT_FILENO, sentence + "\n");
  } else {
    above_ += sentence + "\n";
  }
}

void UpReport::refresh(const std::vector<Process>& processes, base::Nanoseconds now) {
  if (mode_ != Mode::table) return;
  // Up to the old table and away with it; no wrapping, so that a line is a line.
  std::string text = "\x1b[?7l";
  if (table_lines_ > 0) text += fmt::format("\x1b[{}A", table_lines_);
  text += "\r\x1b[J" + std::exchange(above_, "");
  if (const auto longest = kPipeRoom / 2; text.size() > longest) text.resize(longest), text += "\n";
  put(STDOUT_FILENO, text + table_of(processes, now) + "\x1b[?7h");
  table_lines_ = processes.size() + 1;
}

void UpReport::put(int descriptor, std::string_view text) {
  pollfd entry{.fd = descriptor, .events = POLLOUT, .revents = 0};
  if (::poll(&entry, 1, 0) <= 0) return;
  if (text.size() <= kPipeRoom) {
    [[maybe_unused]] const auto written = ::write(descriptor, text.data(), text.size());
    return;
  }
  const std::string cut = std::string(text.substr(0, kPipeRoom - 1)) + "\n";
  [[maybe_unused]] const auto written = ::write(descriptor, cut.data(), cut.size());
}

}  // namespace cambium::app
