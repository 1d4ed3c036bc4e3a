#include "bench/clients.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <thread>

#include "bench/pace.hpp"
#include "bench/quantile.hpp"
#include "core/base/clock.hpp"

namespace cambium::bench {
namespace {

constexpr int kWarmUp = 5;                                  // exchanges that are not counted
constexpr base::Nanoseconds kConnect = 20 * base::kSecond;  // until others have let go of robots

using Client = std::unique_ptr<ProtocolClient>;

struct Exchange {
  double total = 0;             // [us]
  std::optional<double> trunk;  // [us]
};

/// What one kind of client has measured.
struct Measured {
  std::vector<Exchange> exchanges;
  int held = 0;

  void add(const Measured& other) {
    exchanges.insert(exchanges.end(), other.exchanges.begin(), other.exchanges.end());
    held += other.held;
  }
};

Result<double> timed(ProtocolClient& client) {
  const auto begin = base::monotonic_ns();
  if (auto done = client.ask(); !done) return done.error();
  return static_cast<double>(base::monotonic_ns() - begin) * 1e-3;
}

Result<void> exchange(ProtocolClient& client, Measured& to) {
  const auto took = timed(client);
  if (!took) return took.error();
  const auto answer = client.answered();
  if (!answer) return answer.error();
  to.exchanges.push_back({*took, answer->trunk_us});
  to.held += answer->held;
  return {};
}

double median_trunk(const Measured& measured) {
  std::vector<double> all;
  for (const auto& one : measured.exchanges)
    if (one.trunk) all.push_back(*one.trunk);
  return quantile(all, 0.5);
}

/// echo: its median. native: what the trunk took where answers do not say it.
ClientsRow row_of(const std::string& protocol, int clients, const Measured& measured, double echo,
                  double native) {
  std::vector<double> total, rest, trunk;
  for (const auto& one : measured.exchanges) {
    total.push_back(one.total);
    trunk.push_back(one.trunk.value_or(native));
    rest.push_back(total.back() - trunk.back());
  }
  return {.protocol = protocol,
          .clients = clients,
          .total_us_p50 = quantile(total, 0.5),
          .trunk_us_p50 = quantile(trunk, 0.5),
          .echo_us_p50 = echo,
          .added_us_p50 = quantile(rest, 0.5) - echo,
          .added_us_p99 = quantile(rest, 0.99) - echo,
          .held = measured.held};
}

/// One protocol beside its bare transport.
struct Lane {
  const Protocol* protocol = nullptr;
  std::size_t index = 0;
  std::unique_ptr<BareServer> bare;  // ends after its client
  Client client, bare_client;
  Measured measured;
  std::vector<double> echo;
  Measured many;
  double blocked = 0, quiet = 0;
};

/// Asks until it is answered with a chunk: robots may still be somebody else's.
Result<void> warm_up(ProtocolClient& client, const std::function<bool()>& give_up) {
  for (int done = 0; done < kWarmUp;) {
    if (auto asked = client.ask(); !asked) return asked;
    const auto answer = client.answered();
    if (answer && !answer->held) {
      ++done;
    } else if (give_up()) {
      return answer ? Error{Code::unavailable, "its robot only holds"} : answer.error();
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  return {};
}

Result<Client> connect(const Protocol& protocol, const std::string& endpoint,
                       const std::string& robot, const std::function<bool()>& interrupted) {
  const auto until = base::monotonic_ns() + kConnect;
  const auto give_up = [&] { return base::monotonic_ns() > until || interrupted(); };
  for (;;) {
    auto client = protocol.connect(endpoint, robot);
    Result<void> answered;
    if (client && (answered = warm_up(**client, give_up))) return client;
    const Error why = client ? answered.error() : client.error();
    if (give_up()) return Error{why.code, fmt::format("{}: {}", protocol.name, why.message)};
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

Result<void> open(Lane& lane, const ClientRig& rig, const ClientsOptions& options) {
  const Protocol& protocol = *lane.protocol;
  auto client = connect(protocol, rig.endpoint_of_one(lane.index),
                        ClientRig::robot(static_cast<int>(lane.index)), options.interrupted);
  if (!client) return client.error();
  lane.client = std::move(*client);
  auto bare = protocol.bare(lane.client->reply());
  if (!bare) return bare.error();
  lane.bare = std::move(*bare);
  const auto& endpoint = lane.bare->endpoint();
  auto beside =
      protocol.connect_bare ? protocol.connect_bare(endpoint) : protocol.connect(endpoint, "");
  if (!beside) return beside.error();
  lane.bare_client = std::move(*beside);
  for (int i = 0; i < kWarmUp; ++i)
    if (auto done = lane.bare_client->ask(); !done) return done;
  return {};
}

class Clients {
 public:
  Clients(const ClientsOptions& options, const std::function<void(int, int)>& progress)
      : options_(options), progress_(progress) {}

  Result<std::vector<ClientsRow>> run() {
    if (auto done = choose(); !done) return done.error();
    auto rig = ClientRig::start(options_.rig);
    if (!rig) return rig.error();
    rig_ = std::move(*rig);
    for (auto& lane : lanes_)
      if (auto done = open(lane, *rig_, options_); !done) return done.error();
    total_ = options_.rounds + (options_.clients > 0 ? static_cast<int>(lanes_.size()) : 0);
    if (auto done = one_by_one(); !done) return done.error();
    for (auto& lane : lanes_) lane.client.reset();
    if (options_.clients > 0)
      for (auto& lane : lanes_) {
        if (auto done = all_at_once(lane); !done) return done.error();
        progress_(++done_, total_);
      }
    return rows();
  }

 private:
  Result<void> choose() {
    for (std::size_t i = 0; i < protocols().size(); ++i) {
      const std::string name = protocols()[i].name;
      // Native always: it says how long the trunk takes.
      if (i == 0 || options_.only.empty() ||
          std::ranges::find(options_.only, name) != options_.only.end()) {
        lanes_.emplace_back();
        lanes_.back().protocol = &protocols()[i];
        lanes_.back().index = i;
      }
    }
    return {};
  }

  Result<void> one_by_one() {
    Pace pace(std::chrono::duration<double, std::milli>(options_.period_ms));
    for (int round = 0; round < options_.rounds; ++round) {
      for (auto& lane : lanes_) {
        for (int i = 0; i < options_.exchanges; ++i) {
          if (options_.interrupted()) return Error{Code::failed, "interrupted"};
          pace.wait();
          if (auto done = exchange(*lane.client, lane.measured); !done) return done;
          pace.wait();
          const auto echo = timed(*lane.bare_client);
          if (!echo) return echo.error();
          lane.echo.push_back(*echo);
        }
      }
      progress_(++done_, total_);
    }
    return {};
  }

  /// All but the first `but` clients ask in their own threads, for one window.
  Result<Measured> window(std::vector<Client>& clients, std::size_t but) {
    std::vector<Measured> measured(clients.size());
    std::vector<Result<void>> ends(clients.size());
    std::vector<std::thread> threads;
    const auto begin = base::monotonic_ns();
    const auto until = begin + static_cast<base::Nanoseconds>(options_.window_s * base::kSecond);
    for (std::size_t i = but; i < clients.size(); ++i) {
      threads.emplace_back([&, i] {
        // Spread over the period, as robots that know nothing of each other are.
        std::this_thread::sleep_for(std::chrono::duration<double>(
            static_cast<double>(i) / options_.hz / static_cast<double>(clients.size())));
        Pace pace(std::chrono::duration<double>(1 / options_.hz));
        while (base::monotonic_ns() < until && ends[i]) {
          pace.wait();
          ends[i] = exchange(*clients[i], measured[i]);
        }
      });
    }
    for (auto& thread : threads) thread.join();
    Measured all;
    for (std::size_t i = 0; i < clients.size(); ++i) {
      if (!ends[i]) return ends[i].error();
      all.add(measured[i]);
    }
    return all;
  }

  Result<void> all_at_once(Lane& lane) {
    std::vector<Client> clients;
    for (int i = 0; i < options_.clients; ++i) {
      auto client = connect(*lane.protocol, rig_->endpoint_of_many(lane.index), ClientRig::robot(i),
                            options_.interrupted);
      if (!client) return client.error();
      clients.push_back(std::move(*client));
    }
    Measured hanging;
    for (int pair = 0; pair < options_.pairs; ++pair) {
      if (options_.interrupted()) return Error{Code::failed, "interrupted"};
      const auto quiet = window(clients, 0);
      if (!quiet) return quiet.error();
      lane.many.add(*quiet);
      if (auto done = clients.front()->hang(); !done) return done;
      const auto blocked = window(clients, 1);
      if (!blocked) return blocked.error();
      hanging.add(*blocked);
      if (auto done = clients.front()->recover(); !done) return done;
    }
    std::vector<double> quiet, blocked;
    for (const auto& one : lane.many.exchanges) quiet.push_back(one.total);
    for (const auto& one : hanging.exchanges) blocked.push_back(one.total);
    const double median = quantile(quiet, 0.5);
    lane.quiet = quantile(quiet, 1) - median;
    lane.blocked = std::max(0.0, quantile(blocked, 1) - median);
    return {};
  }

  std::vector<ClientsRow> rows() {
    std::vector<ClientsRow> rows;
    const double native = median_trunk(lanes_.front().measured);
    const double native_many = median_trunk(lanes_.front().many);
    for (auto& lane : lanes_)
      rows.push_back(
          row_of(lane.protocol->name, 1, lane.measured, quantile(lane.echo, 0.5), native));
    for (auto& lane : lanes_) {
      if (options_.clients == 0) break;
      rows.push_back(row_of(lane.protocol->name, options_.clients, lane.many,
                            quantile(lane.echo, 0.5), native_many));
      rows.back().blocked_us_max = lane.blocked;
      rows.back().quiet_us_max = lane.quiet;
    }
    return rows;
  }

  const ClientsOptions& options_;
  const std::function<void(int, int)>& progress_;
  int done_ = 0, total_ = 0;
  std::unique_ptr<ClientRig> rig_;
  std::vector<Lane> lanes_;
};

}  // namespace

Result<std::vector<ClientsRow>> run_clients(const ClientsOptions& options,
                                            const std::function<void(int, int)>& progress) {
  return Clients(options, progress).run();
}

nlohmann::json json_of(const std::vector<ClientsRow>& rows) {
  auto all = nlohmann::json::array();
  for (const auto& row : rows)
    all.push_back({{"protocol", row.protocol},
                   {"clients", row.clients},
                   {"added_us_p50", row.added_us_p50},
                   {"added_us_p99", row.added_us_p99},
                   {"total_us_p50", row.total_us_p50},
                   {"trunk_us_p50", row.trunk_us_p50},
                   {"echo_us_p50", row.echo_us_p50},
                   {"blocked_us_max", row.blocked_us_max},
                   {"quiet_us_max", row.quiet_us_max},
                   {"held", row.held}});
  return {{"rows", std::move(all)}, {"load", load_average()}};
}

std::string text_of(const std::vector<ClientsRow>& rows) {
  std::string text =
      fmt::format("{:<17} {:>7} {:>10} {:>10}   {:>10} {:>10} {:>10}   {:>11} {:>11} {:>5}\n",
                  "[us]", "clients", "added p50", "added p99", "total p50", "trunk p50", "echo p50",
                  "blocked max", "quiet max", "held");
  for (const auto& row : rows)
    text += fmt::format(
        "{:<17} {:>7} {:>10.0f} {:>10.0f}   {:>10.0f} {:>10.0f} {:>10.0f}   {:>11.0f} {:>11.0f} "
        "{:>5}\n",
        row.protocol, row.clients, row.added_us_p50, row.added_us_p99, row.total_us_p50,
        row.trunk_us_p50, row.echo_us_p50, row.blocked_us_max, row.quiet_us_max, row.held);
  return text;
}

}  // namespace cambium::bench
