#include "bench/frames.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "bench/folder.hpp"
#include "bench/pace.hpp"
#include "bench/process.hpp"
#include "bench/quantile.hpp"
#include "cambium/client.hpp"
#include "core/base/clock.hpp"

namespace cambium::bench {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFrames[] = {"16x16", "32x32", "64x64", "224x224", "480x640"};
constexpr std::chrono::microseconds kPatience(1'000'000);

// One controller and its robot: one size, one way.
class Camera {
 public:
  static Result<Camera> open(const std::string& endpoint, const std::string& robot, bool memory) {
    auto client = Client::open({.endpoint = endpoint,
                                .robot = robot,
                                .embodiment = "",
                                .name = "",
                                .on_event = {},
                                .share_from = memory ? 1 : ClientOptions::kNeverShare});
    if (!client) return client.error();
    const auto info = client->wait(std::chrono::seconds(10));
    if (!info) return info.error();
    if (info->shared_memory != memory)
      return Error{Code::failed, "robot '" + robot + "': the host did not take shared memory"};
    Camera camera(std::move(*client));
    std::size_t size = 1;
    for (const auto extent : info->sensors[1].shape) size *= extent;
    camera.frame_.assign(size, 0.5F);
    return camera;
  }

  /// [us]
  Result<double> exchange() {
    frame_[0] += 1;
    const float position = 0;
    ActionReply reply;
    const auto begin = base::monotonic_ns();
    Status done = client_.set(std::size_t{0}, {&position, 1});
    if (done.ok()) done = client_.set(1, frame_);
    if (done.ok()) done = client_.act(reply, kPatience);
    if (!done.ok())
      return Error{done.code(), fmt::format("a frame had no answer: {}", to_string(done.code()))};
    return static_cast<double>(base::monotonic_ns() - begin) * 1e-3;
  }

  double kb() const { return static_cast<double>(frame_.size() * sizeof(float)) / 1024; }

 private:
  explicit Camera(Client client) : client_(std::move(client)) {}

  Client client_;
  std::vector<float> frame_;
};

struct Way {
  std::optional<Camera> camera;
  std::vector<double> all, round;
};

struct Size {
  Way memory, bytes;
  std::vector<double> ratios;  // of each round
};

void write_config(const Folder& folder, const fs::path& plugin) {
  std::ofstream config(folder.path / "cambium.toml");
  // Room for the largest frame as bytes; through memory it needs none.
  config << fmt::format(
      "[trunk]\nendpoint = \"{}\"\n[host]\ncontrol = \"{}\"\nadmin = \"{}\"\nrun_dir = \"{}\"\n"
      "max_message_kb = 8192\n",
      folder.ipc("trunk"), folder.ipc("control"), folder.ipc("admin"), folder.path.string());
  for (const char* frame : kFrames) {
    for (const char* way : {"memory", "bytes"}) {
      config << fmt::format(
          "[[robot]]\nname = \"{}_{}\"\nplugin = \"{}\"\nembodiment = \"bench_camera_{}\"\n", way,
          frame, plugin.string(), frame);
    }
  }
}

}  // namespace

Result<std::vector<FrameRow>> run_frames(const FramesOptions& options,
                                         const std::function<void(int, int)>& progress) {
  const Folder folder;
  write_config(folder, options.plugin);
  const fs::path log = folder.path / "log";
  const Process host(options.program, {"host", "--config", folder.path / "cambium.toml"}, log);

  std::vector<Size> sizes(std::size(kFrames));
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    for (const bool memory : {true, false}) {
      auto camera =
          Camera::open(folder.ipc("control"),
                       fmt::format("{}_{}", memory ? "memory" : "bytes", kFrames[i]), memory);
      if (!camera)
        return Error{camera.error().code,
                     camera.error().message + "; last word: " + last_line(log)};
      (memory ? sizes[i].memory : sizes[i].bytes).camera = std::move(*camera);
    }
  }
  Pace pace(std::chrono::duration<double, std::milli>(options.period_ms));
  for (int round = 0; round < options.rounds; ++round) {
    for (auto& size : sizes) {
      for (Way* way : {&size.memory, &size.bytes}) {
        way->round.clear();
        for (int i = 0; i < options.exchanges; ++i) {
          pace.wait();
          const auto took = way->camera->exchange();
          if (!took) return took.error();
          way->round.push_back(*took);
        }
        way->all.insert(way->all.end(), way->round.begin(), way->round.end());
      }
      size.ratios.push_back(quantile(size.bytes.round, 0.5) / quantile(size.memory.round, 0.5));
    }
    progress(round + 1, options.rounds);
  }

  std::vector<FrameRow> rows;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    Size& size = sizes[i];
    FrameRow row{.frame = fmt::format("{}x3", kFrames[i]),
                 .kb = size.memory.camera->kb(),
                 .memory_us_p50 = quantile(size.memory.all, 0.5),
                 .memory_us_p99 = quantile(size.memory.all, 0.99),
                 .bytes_us_p50 = quantile(size.bytes.all, 0.5),
                 .bytes_us_p99 = quantile(size.bytes.all, 0.99)};
    row.ratio_p50 = row.bytes_us_p50 / row.memory_us_p50;
    const auto [least, most] = std::ranges::minmax_element(size.ratios);
    row.ratio_min = *least;
    row.ratio_max = *most;
    rows.push_back(std::move(row));
  }
  return rows;
}

nlohmann::json json_of(const std::vector<FrameRow>& rows) {
  auto all = nlohmann::json::array();
  for (const auto& row : rows) {
    all.push_back({{"frame", row.frame},
                   {"kb", row.kb},
                   {"memory_us_p50", row.memory_us_p50},
                   {"memory_us_p99", row.memory_us_p99},
                   {"bytes_us_p50", row.bytes_us_p50},
                   {"bytes_us_p99", row.bytes_us_p99},
                   {"ratio_p50", row.ratio_p50},
                   {"ratio_min", row.ratio_min},
                   {"ratio_max", row.ratio_max}});
  }
  return {{"rows", std::move(all)}, {"load", load_average()}};
}

std::string text_of(const std::vector<FrameRow>& rows) {
  std::string text =
      fmt::format("{:<12} {:>8}   {:>10} {:>10}   {:>10} {:>10}   {}\n", "[us]", "KB", "memory p50",
                  "p99", "bytes p50", "p99", "bytes / memory (rounds)");
  for (const auto& row : rows) {
    text += fmt::format(
        "{:<12} {:>8.0f}   {:>10.0f} {:>10.0f}   {:>10.0f} {:>10.0f}   {:.2f} "
        "({:.2f} to {:.2f})\n",
        row.frame, row.kb, row.memory_us_p50, row.memory_us_p99, row.bytes_us_p50, row.bytes_us_p99,
        row.ratio_p50, row.ratio_min, row.ratio_max);
  }
  return text;
}

}  // namespace cambium::bench
