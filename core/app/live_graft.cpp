#include "core/app/live_graft.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "core/base/realtime.hpp"
#include "core/base/scratch_folder.hpp"
#include "core/nn/stock.hpp"

namespace cambium::app {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr base::Nanoseconds kSwapTimeout = 10 * 60 * base::kSecond;

double seconds_since(base::Nanoseconds begin) {
  return static_cast<double>(base::monotonic_ns() - begin) * 1e-9;
}

/// One graft, from the look at the host to its end.
class LiveGraft {
 public:
  LiveGraft(const HostLine& host, const LiveGraftJob& job, const LiveGraftView& view)
      : host_(host), job_(job), view_(view) {}

  Result<LiveGraftReport> run() {
    if (auto done = look(); !done) return done.error();
    if (auto done = record(); !done) return done.error();
    if (!report_.interrupted) {
      if (auto done = train(); !done) return done.error();
    }
    if (!report_.interrupted) {
      if (auto done = swap(); !done) return done.error();
    }
    if (report_.interrupted) {
      report_.code = Code::failed;
      report_.reason = report_.taken_back ? "interrupted while it was swapped in; it was taken back"
                                          : "interrupted; nothing has moved";
    }
    look_again();
    return std::move(report_);
  }

 private:
  // What would fail minutes later is found out now.
  Result<void> look() {
    const auto exists = [&](const fs::path& file) {
      std::error_code error;
      return !job_.force && !file.empty() && fs::exists(file, error);
    };
    for (const auto& file : {job_.output, job_.demonstrations})
      if (exists(file))
        return Error{Code::bad_argument,
                     fmt::format("'{}' is there already; --force writes over it", file.string())};
    auto stock = nn::Stock::open(job_.stock);
    if (!stock) return stock.error();
    if (const auto& trunk = stock->shape().architecture; trunk != "hpt")
      return Error{Code::incompatible,
                   fmt::format("'{}': its trunk is '{}', and a graft trains through 'hpt' only",
                               job_.stock.string(), trunk)};
    const auto status = host_.status();
    if (!status) return status.error();
    if (auto robot = find_robot(*status, job_.record.robot); !robot) return robot.error();
    const std::string theirs = status->value("trunk_id", "");
    if (theirs != stock->trunk_id())
      return Error{
          Code::incompatible,
          fmt::format("'{}' is trunk {}, the host's is {}: a graft onto it would not fit",
                      job_.stock.string(), stock->trunk_id(), theirs.empty() ? "none" : theirs)};
    if (!(*status)["trunk"].value("alive", false))
      return Error{Code::unavailable, "the host's trunk is not there, so nothing could be tried"};
    report_.trunk_id_before = (*status)["trunk"].value("id", "");
    for (const auto& robot : (*status)["robots"])
      report_.robots.push_back({.robot = robot.value("name", ""),
                                .before = robot.value("missed", std::uint64_t{0}),
                                .ticks = robot.value("ticks", std::uint64_t{0})});
    stock_.emplace(std::move(*stock));
    return {};
  }

  // Whether something can be learned of what this body sees.
  Result<void> suits(const plugin::Embodiment& body) const {
    for (const auto& stem : stock_->shared_stems()) {
      const auto sensor = body.sensor(stem.sensor);
      if (sensor) return {};
    }
    std::string names;
    for (const auto& stem : stock_->shared_stems())
      names += (names.empty() ? "'" : ", '") + stem.sensor + "'";
    return Error{
        Code::incompatible,
        fmt::format("embodiment '{}' has none of the sensors that the stock knows ({}), so "
                    "there is nothing to graft onto",
                    body.name, names)};
  }

  Result<void> record() {
    view_.say(
        fmt::format("recording {} episodes of '{}'", job_.record.episodes, job_.record.robot));
    auto recorded = app::record(
        host_, job_.record, [this](const plugin::Embodiment& body) { return suits(body); },
        [this](const RecordProgress& progress) {
          view_.recording(progress);
          return !view_.stop();
        });
    if (!recorded) return recorded.error();
    report_.recorded = recorded->progress;
    report_.too_short = recorded->too_short;
    report_.record_s = recorded->seconds;
    report_.interrupted = recorded->interrupted;
    report_.embodiment = recorded->demonstrations.embodiment;
    for (const auto& sensor : recorded->left_out)
      report_.notes.push_back("sensor '" + sensor + "' is too large and was not recorded");
    demonstrations_ = std::move(recorded->demonstrations);
    if (report_.interrupted) return {};
    if (demonstrations_.episodes() == 0)
      return Error{Code::failed, "no episode was demonstrated to its end"};
    const fs::path file =
        job_.demonstrations.empty() ? scratch_.path() / "demos.safetensors" : job_.demonstrations;
    if (scratch_.path().empty())
      return Error{Code::failed, "no folder could be made beside '" + job_.output.string() + "'"};
    if (auto written = learn::write_demonstrations(file, demonstrations_); !written)
      return written.error();
    if (!job_.demonstrations.empty()) report_.files.push_back(file);
    demonstrations_file_ = file;
    return {};
  }

  // On a thread of its own, for who has stepped back may not come forward again.
  Result<void> train() {
    view_.say(fmt::format("learning from {} episodes, {} rows", demonstrations_.episodes(),
                          demonstrations_.rows()));
    const base::Nanoseconds began = base::monotonic_ns();
    const learn::GraftJob job{.demonstrations = demonstrations_file_,
                              .stock = job_.stock,
                              .output = scratch_.path() / job_.output.filename(),
                              .recipe = job_.recipe};
    Result<learn::TrainingReport> trained = Error{};
    std::thread([&] {
      base::name_thread("cambium-graft");
      job_.priority == Priority::idle ? base::run_when_idle() : base::step_back();
      trained = learn::graft(job, [&](const learn::Progress& progress) {
        view_.training(progress);
        return !view_.stop();
      });
    }).join();
    report_.train_s = seconds_since(began);
    if (!trained) return trained.error();
    report_.training = std::move(*trained);
    report_.interrupted = report_.training.interrupted;
    if (report_.interrupted) return {};
    // What is there now is whole; the bundle last, for it is what is looked for.
    auto files = std::exchange(report_.training.files, {});
    std::ranges::rotate(files, files.begin() + 1);
    for (const auto& file : files) {
      const fs::path to = fs::path(job_.output).replace_filename(file.filename());
      std::error_code error;
      fs::rename(file, to, error);
      if (error)
        return Error{Code::failed,
                     fmt::format("'{}': cannot be written: {}", to.string(), error.message())};
      report_.files.push_back(to);
    }
    return {};
  }

  Result<void> swap() {
    const base::Nanoseconds began = base::monotonic_ns();
    const auto status = host_.status();
    if (!status) return status.error();
    const auto robot = find_robot(*status, job_.record.robot);
    if (!robot) return robot.error();
    runtime::AdminCall call{.verb = "swap",
                            .robot = job_.record.robot,
                            .bundle = fs::absolute(job_.output).lexically_normal().string(),
                            .shadow = job_.shadow,
                            .probation = job_.probation,
                            .shadow_bound = job_.shadow_bound};
    const std::string drive = robot->value("drive", "");
    if (job_.shadow != 0 && (!robot->value("controller", false) ||
                             (robot->value("bundle", "").empty() && drive != "demonstration"))) {
      report_.notes.push_back(
          "no shadow: there is neither a policy nor a demonstrator to hold the new one against");
      call.shadow = 0;
    }
    view_.say(call.shadow.value_or(0) != 0
                  ? fmt::format("trying it in shadow for {} ticks, then swapping", *call.shadow)
                  : "swapping it in");
    const auto answer = host_.read(call, kSwapTimeout);
    report_.swap_s = seconds_since(began);
    if (!answer) return answer.error();
    report_.swap = *answer;
    if (!answer->value("ok", false)) {
      report_.code = Code::failed;
      report_.reason = answer->value("error", answer->value("reason", "the host refused the swap"));
      return {};
    }
    if (!view_.stop()) return {};
    report_.interrupted = true;
    const auto back = host_.ask({.verb = "rollback", .robot = job_.record.robot}, kSwapTimeout);
    report_.taken_back = back.has_value();
    return back ? Result<void>() : back.error();
  }

  // Of a host that is gone by now, what was known before is all there is.
  void look_again() {
    const auto status = host_.status();
    if (!status) {
      report_.notes.push_back(status.error().message);
      return;
    }
    report_.trunk_id_after = (*status)["trunk"].value("id", "");
    for (auto& one : report_.robots) {
      const auto robot = find_robot(*status, one.robot);
      if (!robot) continue;
      one.after = robot->value("missed", std::uint64_t{0});
      one.ticks = robot->value("ticks", std::uint64_t{0}) - one.ticks;
    }
  }

  const HostLine& host_;
  const LiveGraftJob& job_;
  const LiveGraftView& view_;
  std::optional<nn::Stock> stock_;
  // On the file system of the output, so that what is done appears there at once.
  const base::ScratchFolder scratch_{fs::absolute(job_.output).parent_path()};
  learn::Demonstrations demonstrations_;
  fs::path demonstrations_file_;
  LiveGraftReport report_;
};

}  // namespace

Result<LiveGraftReport> live_graft(const HostLine& host, const LiveGraftJob& job,
                                   const LiveGraftView& view) {
  return LiveGraft(host, job, view).run();
}

}  // namespace cambium::app
