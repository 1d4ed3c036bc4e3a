#include "core/app/record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/runtime/policy_report.hpp"

namespace cambium::app {
namespace {

constexpr base::Nanoseconds kTimeout = 5 * base::kSecond;
constexpr auto kLook = std::chrono::milliseconds(100);  // the host keeps seconds of rows

double seconds_since(base::Nanoseconds begin) {
  return static_cast<double>(base::monotonic_ns() - begin) * 1e-9;
}

/// Ends the host's side with its own.
class Ticket {
 public:
  Ticket(const HostLine& host, const std::string& robot, std::uint64_t number)
      : host_(host), robot_(robot), number_(number) {}
  ~Ticket() {
    // A host that is gone has ended it by itself, and so does one that hears nothing.
    (void)host_.ask({.verb = "record-stop", .robot = robot_, .ticket = number_}, base::kSecond);
  }
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;

  Result<runtime::AdminAnswer> take() const {
    return host_.ask({.verb = "record-take", .robot = robot_, .ticket = number_}, kTimeout);
  }

 private:
  const HostLine& host_;
  const std::string& robot_;
  const std::uint64_t number_;
};

struct Begun {
  std::uint64_t ticket = 0;
  plugin::Embodiment body;
  std::vector<std::uint32_t> sensors;
  std::vector<std::string> left_out;
};

Result<Begun> begin(const HostLine& host, const std::string& robot) {
  const auto answer = host.ask({.verb = "record", .robot = robot}, kTimeout);
  if (!answer) return answer.error();
  const auto bad = [](const char* what) {
    return Error{Code::bad_data, fmt::format("the host's recording has no sound '{}'", what)};
  };
  const auto object = nlohmann::json::parse(answer->json, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object() || !object.contains("body")) return bad("body");
  auto body = runtime::read_body(object["body"]);
  if (!body) return body.error();
  Begun begun{.ticket = 0, .body = std::move(*body), .sensors = {}, .left_out = {}};
  try {
    begun.ticket = object.at("ticket").get<std::uint64_t>();
    begun.sensors = object.at("sensors").get<std::vector<std::uint32_t>>();
    begun.left_out = object.at("left_out").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception&) {
    return bad("ticket, sensors or left_out");
  }
  for (std::size_t i = 0; i < begun.sensors.size(); ++i)
    if (begun.sensors[i] >= begun.body.sensors.size() ||
        (i > 0 && begun.sensors[i] <= begun.sensors[i - 1]))
      return bad("sensors");
  return begun;
}

}  // namespace

Result<Recorded> record(const HostLine& host, const RecordJob& job,
                        const std::function<Result<void>(const plugin::Embodiment&)>& suits,
                        const std::function<bool(const RecordProgress&)>& watch) {
  const auto begun = begin(host, job.robot);
  if (!begun) return begun.error();
  const Ticket ticket(host, job.robot, begun->ticket);
  if (suits) {
    if (auto fits = suits(begun->body); !fits) return fits.error();
  }
  learn::Episodes episodes(begun->body, begun->sensors, job.horizon);
  Recorded result;
  result.left_out = begun->left_out;
  // After so much silence the next row begins an episode in any case.
  const double silence = std::max(1.0, 10 / begun->body.control_hz);
  const base::Nanoseconds began = base::monotonic_ns();
  base::Nanoseconds last_row = began;
  const auto enough = [&] {
    return (job.episodes != 0 && episodes.whole() >= job.episodes) ||
           episodes.rows() >= job.max_rows;
  };
  for (bool more = false; !enough();) {
    if (!more) std::this_thread::sleep_for(kLook);
    const auto answer = ticket.take();
    if (!answer) return answer.error();
    const auto object = nlohmann::json::parse(answer->json, nullptr, /*allow_exceptions=*/false);
    const std::size_t rows = answer->begins.size(), size = episodes.row_size();
    if (!object.is_object() || answer->rows.size() != rows * size)
      return Error{Code::bad_data, fmt::format("the host's {} rows have {} numbers, expected {}",
                                               rows, answer->rows.size(), rows * size)};
    for (std::size_t i = 0; i < rows; ++i)
      episodes.add(std::span(answer->rows).subspan(i * size, size), answer->begins[i] != 0);
    more = rows != 0 && object.value("open", false) && rows * size * sizeof(float) >= 256 * 1024;
    if (rows != 0) last_row = base::monotonic_ns();
    if (!object.value("open", true) || seconds_since(last_row) > silence) episodes.close();
    result.progress = {.episodes = episodes.whole(),
                       .rows = episodes.rows(),
                       .dropped = object.value("dropped", std::uint64_t{0}),
                       .refused = object.value("refused", std::uint64_t{0})};
    result.interrupted = !watch(result.progress);
    if (result.interrupted) break;
    if (object.value("ended", false))
      return Error{Code::stale, fmt::format("robot '{}' has another body now; {} episodes of '{}' "
                                            "are lost",
                                            job.robot, episodes.whole(), begun->body.name)};
    if (seconds_since(last_row) > job.patience)
      return Error{
          Code::timeout,
          fmt::format("robot '{}': nothing was demonstrated for {:g} s ({} of {} episodes, "
                      "{} ticks refused); does its controller call demonstrate()?",
                      job.robot, job.patience, episodes.whole(), job.episodes,
                      result.progress.refused)};
  }
  if (episodes.whole() != 0)
    result.demonstrations = episodes.finish(job.episodes != 0 ? job.episodes : UINT64_MAX);
  result.too_short = episodes.too_short();
  result.seconds = seconds_since(began);
  return result;
}

RecordLine::~RecordLine() {
  if (drawn_ && terminal_) std::fputc('\n', stderr);
}

void RecordLine::show(const RecordProgress& progress) {
  constexpr std::size_t kCells = 24;
  const std::uint64_t of = std::max<std::uint64_t>(episodes_, 1);
  const std::uint64_t done = std::min<std::uint64_t>(progress.episodes, of);
  const std::uint64_t tenth = episodes_ == 0 ? progress.episodes / 10 : done * 10 / of;
  if (!terminal_ && tenth == last_tenth_) return;
  last_tenth_ = tenth;
  drawn_ = true;
  std::string line;
  if (episodes_ == 0) {
    line = fmt::format("{} episodes", progress.episodes);
  } else {
    const auto cells = static_cast<std::size_t>(done * kCells / of);
    line = fmt::format("[{}{}] {}/{} episodes", std::string(cells, '#'),
                       std::string(kCells - cells, '.'), done, episodes_);
  }
  line += fmt::format("  {} rows", progress.rows);
  if (progress.dropped != 0) line += fmt::format("  {} dropped", progress.dropped);
  if (progress.refused != 0) line += fmt::format("  {} refused", progress.refused);
  // Blanks wipe what a longer line left behind.
  std::fputs(terminal_ ? fmt::format("\r{:<80}", line).c_str() : (line + "\n").c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace cambium::app
