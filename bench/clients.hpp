// bench/clients.hpp: what a listener adds to the bare transport of its protocol, and whether one
// client can make another wait.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/clients/rig.hpp"
#include "cambium/result.hpp"

namespace cambium::bench {

struct ClientsOptions {
  ClientRigOptions rig;
  int rounds = 20;       ///< of one client of each protocol, in turns
  int exchanges = 10;    ///< of each in a round, each beside one of the bare transport
  double period_ms = 8;  ///< between exchanges
  int clients = 16;      ///< at once; 0: leave them out
  int pairs = 3;         ///< of windows, one without and one with a client that hangs
  double window_s = 1;
  double hz = 10;                 ///< at which each of them asks
  std::vector<std::string> only;  ///< protocols, by name; empty: all
  std::function<bool()> interrupted = [] { return false; };
};

/// All times [us]. An exchange is one observation (three pictures of 224 x 224, 14 joints) there
/// and one chunk back.
struct ClientsRow {
  std::string protocol;
  int clients = 1;
  double total_us_p50 = 0;  ///< of an exchange
  double trunk_us_p50 = 0;  ///< of it, the trunk's: as the answer says, else as native answers say
  double echo_us_p50 = 0;   ///< one client of the same library, the same bytes both ways, and a
                            ///< server that does nothing
  double added_us_p50 = 0, added_us_p99 = 0;  ///< of exchange - trunk, minus echo_us_p50
  /// The longest exchange of any client while another one hangs (half a message, or half a
  /// greeting where no library sends half a message), minus the median exchange without it. One
  /// that is blocked waits for as long as the other hangs: the whole window.
  double blocked_us_max = 0;
  double quiet_us_max = 0;  ///< the same while nobody hangs: what the machine itself does
  int held = 0;             ///< answers that were no chunk of the policy's
};

/// In rounds, so that noise hits all alike. progress(done, total) in steps. [setup]
Result<std::vector<ClientsRow>> run_clients(const ClientsOptions& options,
                                            const std::function<void(int, int)>& progress);

nlohmann::json json_of(const std::vector<ClientsRow>& rows);
std::string text_of(const std::vector<ClientsRow>& rows);

}  // namespace cambium::bench
