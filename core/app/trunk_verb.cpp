#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/app/exit_code.hpp"
#include "core/app/pulse.hpp"
#include "core/app/stop_signal.hpp"
#include "core/app/supervised.hpp"
#include "core/app/verb.hpp"
#include "core/base/available_memory.hpp"
#include "core/config/config.hpp"
#include "core/config/endpoint.hpp"
#include "core/config/run_dir.hpp"
#include "core/nn/product.hpp"
#include "core/nn/stock.hpp"
#include "core/transport/trust.hpp"
#include "core/trunk/load_trunk.hpp"
#include "core/trunk/server.hpp"
#include "core/trunk/sessions.hpp"

namespace cambium::app {
namespace {

using nlohmann::json;

struct Options {
  std::string config, stock, endpoint, backend, precision;
  unsigned threads = 0, session_memory = 0;
  std::vector<unsigned> cores;
  bool json = false, explain = false;
};

constexpr base::Nanoseconds kLook = 200 * base::kMillisecond;

constexpr const char* kPrecisionNames[] = {"stock", "f32", "bf16", "int8"};

const char* precision_name(config::Precision precision) noexcept {
  return kPrecisionNames[static_cast<std::size_t>(precision)];
}

trunk::Backend model_backend(const config::TrunkConfig& trunk) noexcept {
  return trunk.backend == config::Backend::eigen ? trunk::Backend::eigen : trunk::Backend::onednn;
}

/// None: as the stock says.
std::optional<nn::Precision> wanted_precision(const config::TrunkConfig& trunk) {
  return nn::parse_precision(precision_name(trunk.precision));
}

const char* backend_name(config::Backend backend) noexcept {
  return backend == config::Backend::onednn ? "onednn" : "eigen";
}

// Output is for whoever waits for the line, so it must not stay in a buffer.
void say(const Options& options, const json& object, const std::string& sentence) {
  fmt::print("{}\n", options.json ? object.dump() : sentence);
  std::fflush(stdout);
}

int complain(const Options& options, const Error& error) {
  if (options.json)
    say(options, {{"event", "error"}, {"code", to_string(error.code)}, {"text", error.message}},
        "");
  fmt::print(stderr, "cambium trunk: {}\n", error.message);
  return exit_code_of(error.code);
}

// The file that was named, else cambium.toml where it is, else nothing but defaults.
Result<config::Config> read_config(const Options& options) {
  const std::filesystem::path usual = "cambium.toml";
  if (!options.config.empty()) return config::load_config(options.config);
  if (std::filesystem::exists(usual)) return config::load_config(usual);
  return config::parse_config("", usual);
}

// What the command line says beats the file.
Result<config::Config> settings(const Options& options) {
  auto config = read_config(options);
  if (!config) return config;
  auto& trunk = config->trunk;
  const auto here = std::filesystem::current_path();
  if (!options.endpoint.empty()) {
    auto endpoint = config::checked_endpoint(
        options.endpoint, here,
        config->security.key.empty() ? config::Reach::loopback : config::Reach::anywhere);
    if (!endpoint)
      return Error{endpoint.error().code, "option --endpoint: " + endpoint.error().message};
    trunk.endpoint = *endpoint;
  }
  if (!options.stock.empty()) trunk.stock = (here / options.stock).lexically_normal();
  if (!options.backend.empty())
    trunk.backend = options.backend == "eigen" ? config::Backend::eigen : config::Backend::onednn;
  if (!options.precision.empty()) {
    const auto* name =
        std::find(std::begin(kPrecisionNames), std::end(kPrecisionNames), options.precision);
    trunk.precision = static_cast<config::Precision>(name - std::begin(kPrecisionNames));
  }
  if (options.threads > 0) trunk.threads = options.threads;
  if (options.session_memory > 0) trunk.session_memory_mb = options.session_memory;
  if (!options.cores.empty()) trunk.cores = options.cores;
  // A file's cores are for a file's threads.
  if (options.threads > 0 && options.cores.empty()) trunk.cores.clear();
  if (!trunk.cores.empty() && trunk.cores.size() != trunk.threads)
    return Error{Code::bad_argument, fmt::format("{} cores for {} threads, expected one for each",
                                                 trunk.cores.size(), trunk.threads)};
  return config;
}

struct Setting {
  const char* key;
  std::string value;
  bool from_command_line;
};

// What the products would be computed in here, and why; the stock's own wish needs its header only.
std::pair<std::string, std::string> chosen(const config::TrunkConfig& trunk) {
  auto wanted = wanted_precision(trunk);
  if (!wanted) {
    const auto stock = nn::Stock::open_mapped(trunk.stock);
    if (!stock) return {"", "not known: " + stock.error().message};
    wanted = stock->precision();
  }
  auto [precision, why] = nn::choose_precision(model_backend(trunk), *wanted);
  return {nn::to_string(precision), std::move(why)};
}

/// Of one model, in its budget.
struct Remembers {
  std::uint64_t bytes = 0;     ///< of one session
  std::uint32_t capacity = 0;  ///< sessions
  std::string text;            ///< both, in words
};

Result<Remembers> remembers(const config::TrunkConfig& trunk, const trunk::ModelInfo& model) {
  const auto sessions =
      trunk::Sessions::create(model, {.budget = std::uint64_t{trunk.session_memory_mb} << 20,
                                      .available = 1024 * base::available_memory_kb()});
  if (!sessions) return sessions.error();
  if (model.session_bytes == 0)
    return Remembers{.text = fmt::format("none: {} remembers nothing", model.architecture)};
  return Remembers{model.session_bytes, sessions->capacity(),
                   fmt::format("{} bytes each, {} of them in {} MB", model.session_bytes,
                               sessions->capacity(), trunk.session_memory_mb)};
}

// How much a model remembers is the model's to say, so it is made once.
Result<Remembers> remembers(const config::TrunkConfig& trunk) {
  const auto stock = nn::Stock::open_mapped(trunk.stock);
  if (!stock) return stock.error();
  trunk::ModelOptions options;
  options.backend = model_backend(trunk);
  options.precision = wanted_precision(trunk).value_or(stock->precision());
  options.max_rows = 1;
  const auto model = trunk::load_model(stock->file(), options);
  if (!model) return model.error();
  return remembers(trunk, (*model)->info());
}

// Which value holds and who set it, so that nobody has to guess.
void explain(const Options& options, const config::Config& config) {
  const auto& trunk = config.trunk;
  const std::vector<Setting> list = {
      {"endpoint", trunk.endpoint, !options.endpoint.empty()},
      {"stock", trunk.stock.string(), !options.stock.empty()},
      {"backend", backend_name(trunk.backend), !options.backend.empty()},
      {"precision", precision_name(trunk.precision), !options.precision.empty()},
      {"threads", std::to_string(trunk.threads), options.threads > 0},
      {"cores", fmt::format("{}", fmt::join(trunk.cores, ", ")), !options.cores.empty()},
      {"queue", std::to_string(trunk.queue), false},
      {"max_batch", std::to_string(trunk.max_batch), false},
      {"max_tokens", std::to_string(trunk.max_tokens), false},
      {"session_memory_mb", std::to_string(trunk.session_memory_mb), options.session_memory > 0},
      {"session_lease_ms", std::to_string(trunk.session_lease.count()), false},
      {"session_dir", trunk.session_dir.string(), false},
      {"snapshot_ms", std::to_string(trunk.snapshot_ms), false},
  };
  json object = json::object();
  std::string text;
  for (const auto& setting : list) {
    const char* source = setting.from_command_line                                    ? "option"
                         : config.given.contains(std::string("trunk.") + setting.key) ? "config"
                                                                                      : "default";
    object[setting.key] = {{"value", setting.value}, {"from", source}};
    text += fmt::format("{:<17}  {:<7}  {}\n", setting.key, source, setting.value);
  }
  const auto [precision, why] = chosen(trunk);
  const auto memory = remembers(trunk);
  const std::string kept = memory ? memory->text : "not known: " + memory.error().message;
  text += fmt::format("{:<17}  {:<7}  {}\n", "sessions", "", kept);
  text += fmt::format("{:<17}  {:<7}  {}", "computes", "", why);
  json all{{"event", "explain"},
           {"trunk", object},
           {"precision", precision},
           {"chosen", why},
           {"sessions", kept}};
  if (memory) {
    all["session_bytes"] = memory->bytes;
    all["session_capacity"] = memory->capacity;
  }
  say(options, all, text);
}

json stats_json(const trunk::ServerStats& stats, const std::vector<trunk::RobotCounts>& robots) {
  json list = json::array();
  for (const auto& robot : robots)
    list.push_back({{"peer", robot.peer},
                    {"robot_id", robot.robot_id},
                    {"served", robot.served},
                    {"busy", robot.busy},
                    {"expired", robot.expired}});
  return {{"event", "stopped"},
          {"served", stats.served},
          {"batches", stats.batches},
          {"busy", stats.busy},
          {"expired", stats.expired},
          {"refused", stats.refused},
          {"queue_high", stats.queue_high},
          {"sessions_made", stats.sessions_made},
          {"sessions_evicted", stats.sessions_evicted},
          {"sessions_refused", stats.sessions_refused},
          {"snapshots", stats.snapshots},
          {"snapshots_failed", stats.snapshots_failed},
          {"robots", list},
          {"queue_p50_us", stats.queue_p50_us},
          {"queue_p99_us", stats.queue_p99_us},
          {"compute_p50_us", stats.compute_p50_us},
          {"compute_p99_us", stats.compute_p99_us}};
}

json load_json(const trunk::LoadTimes& took) {
  const auto tenths = [](double ms) { return std::round(10 * ms) / 10; };
  return {{"open", tenths(took.open)},
          {"hash", tenths(took.hash)},
          {"pack", tenths(took.pack)},
          {"warm_up", tenths(took.warm_up)},
          {"all", tenths(took.all)}};
}

void say_ready(const Options& options, const config::TrunkConfig& trunk,
               const trunk::LoadedTrunk& loaded, const trunk::ModelInfo& model,
               const Remembers& memory, const std::string& endpoint) {
  const std::string& id = loaded.identity.trunk;
  const json object{{"event", "ready"},
                    {"trunk", id},
                    {"architecture", model.architecture},
                    {"width", model.width},
                    {"blocks", model.blocks},
                    {"heads", model.heads},
                    {"weight_bytes", model.weight_bytes},
                    {"precision", nn::to_string(model.precision)},
                    {"chosen", model.chosen},
                    {"backend", backend_name(trunk.backend)},
                    {"threads", trunk.threads},
                    {"endpoint", endpoint},
                    {"stock", trunk.stock.string()},
                    {"mapped", loaded.mapped},
                    {"load_ms", load_json(loaded.took)},
                    {"session_bytes", memory.bytes},
                    {"session_capacity", memory.capacity},
                    {"pid", ::getpid()}};
  say(options, object,
      fmt::format("trunk {}: {}, {} x {} wide, {:.1f} MB, {}, {} on {} thread{}, {}at {}",
                  id.substr(0, 16), model.architecture, model.blocks, model.width,
                  static_cast<double>(model.weight_bytes) * 1e-6, nn::to_string(model.precision),
                  backend_name(trunk.backend), trunk.threads, trunk.threads == 1 ? "" : "s",
                  memory.bytes > 0 ? "sessions of " + memory.text + ", " : "", endpoint));
}

Result<trunk::ServerStats> serve(const Options& options, const config::Config& config,
                                 StopSignal& stop, Supervised& supervised,
                                 std::vector<trunk::RobotCounts>& robots) {
  const auto& settings = config.trunk;
  // Endpoints elsewhere are in folders of the user's own making.
  const std::string run_dir = "ipc://" + config.host.run_dir.string() + "/";
  if (settings.endpoint.starts_with(run_dir))
    if (auto made = config::make_run_dir(config.host.run_dir); !made) return made.error();
  trunk::ServerOptions server_options{.endpoint = settings.endpoint,
                                      .queue = settings.queue,
                                      .max_batch = settings.max_batch,
                                      .max_tokens = settings.max_tokens};
  server_options.session_memory = std::uint64_t{settings.session_memory_mb} << 20;
  server_options.session_lease = settings.session_lease.count() * base::kMillisecond;
  server_options.session_dir = settings.session_dir;
  server_options.snapshot_period = settings.snapshot_ms * base::kMillisecond;
  if (!settings.cores.empty()) server_options.core = settings.cores.front();
  trunk::ModelOptions model_options;
  model_options.backend = model_backend(settings);
  model_options.threads = settings.threads;
  model_options.cores = settings.cores;
  model_options.max_rows = server_options.max_rows();
  auto loaded = trunk::load_trunk(settings.stock, model_options, wanted_precision(settings));
  if (!loaded) return loaded.error();
  const trunk::ModelInfo info = loaded->model->info();
  const auto memory = remembers(settings, info);
  if (!memory) return memory.error();
  const std::string& id = loaded->identity.trunk;
  server_options.open = trunk::stock_opener(model_options, wanted_precision(settings));
  server_options.log = [&options](const std::string& text) {
    say(options, {{"event", "models"}, {"text", text}}, text);
  };
  const auto& security = config.security;
  const auto trust =
      transport::Trust::open({.key = security.key, .allow = security.allow, .server = {}},
                             [&options](const std::string& text) {
                               say(options, {{"event", "keys"}, {"text", text}}, text);
                             });
  if (!trust) return trust.error();
  server_options.trust = trust->get();
  auto server = trunk::TrunkServer::start(
      server_options, {base::from_hex(id), backend_name(settings.backend), settings.max_tokens},
      std::move(loaded->model));
  if (!server) return server.error();
  say_ready(options, settings, *loaded, info, *memory, server->endpoint());
  supervised.ready("trunk " + id.substr(0, 16));
  TrunkPulse pulse(*server, trust->get());
  while (!stop.wait(supervised.watched() ? kLook : -1))
    supervised.beat(base::monotonic_ns(), [&] {
      supervised.status(fmt::format("trunk, {} requests served", server->stats().served));
      return pulse.well();
    });
  supervised.stopping();
  server->stop();
  robots = server->robots();
  return server->stats();
}

int run(const Options& options) {
  StopSignal stop;
  Supervised supervised;
  const auto config = settings(options);
  if (!config) return complain(options, config.error());
  if (options.explain) {
    explain(options, *config);
    return kDone;
  }
  std::vector<trunk::RobotCounts> robots;
  const auto stats = serve(options, *config, stop, supervised, robots);
  if (!stats) return complain(options, stats.error());
  std::string sentence =
      fmt::format("stopped: {} requests in {} passes, {} refused as busy, {} too late, {} refused",
                  stats->served, stats->batches, stats->busy, stats->expired, stats->refused);
  if (stats->sessions_made > 0)
    sentence += fmt::format("; {} sessions made, {} evicted", stats->sessions_made,
                            stats->sessions_evicted);
  say(options, stats_json(*stats, robots), sentence);
  return kDone;
}

}  // namespace

void add_trunk(CLI::App& program, int& exit_code) {
  auto* verb = program.add_subcommand(
      "trunk", "Run the shared trunk: one model that all hosts of this machine send tokens to.");
  auto options = std::make_shared<Options>();
  verb->add_option("-c,--config", options->config,
                   "Configuration file; without it ./cambium.toml if there is one, else defaults");
  verb->add_option("--stock", options->stock, "Stock file to serve");
  verb->add_option("--endpoint", options->endpoint, "ipc://PATH or tcp://127.0.0.1:PORT");
  verb->add_option("--backend", options->backend, "Who does the matrix products")
      ->check(CLI::IsMember({"onednn", "eigen"}));
  verb->add_option("--precision", options->precision, "What the matrix products compute in")
      ->check(CLI::IsMember({"stock", "f32", "bf16", "int8"}));
  verb->add_option("--cores", options->cores, "A core for each thread: 0,1")->delimiter(',');
  verb->add_option("--threads", options->threads, "Threads of one forward pass")
      ->check(CLI::Range(1, 256));
  verb->add_option("--session-memory", options->session_memory,
                   "MB for what a model that remembers keeps of all robots")
      ->check(CLI::Range(1, 1'048'576));
  verb->add_flag("--json", options->json, "One JSON object a line");
  verb->add_flag(
      "--explain", options->explain,
      "Show every setting, whether option, config or default set it, what this machine would "
      "compute in, and how many bytes the stock's model keeps of a robot; run nothing");
  verb->footer(
      "Examples:\n  cambium trunk --stock models/stock.safetensors\n"
      "  cambium trunk --precision bf16 --threads 2 --cores 0,1 --explain");
  verb->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace cambium::app
