// core/gateway/seats.hpp: which robots of a listener are driven by whom.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"

namespace cambium::gateway {

/// One client's right to drive one robot; given back by its end. A robot has one.
class Seat {
 public:
  Seat(Seat&&) noexcept;
  Seat& operator=(Seat&&) noexcept;
  ~Seat();
  const std::string& robot() const noexcept;

 private:
  friend class Seats;
  struct Impl;
  explicit Seat(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The seats of one listener; any thread.
class Seats {
 public:
  explicit Seats(const std::vector<std::string>& robots);
  ~Seats();
  /// `robot` empty: the first that is free. not_found: no robot of this listener (with the nearest
  /// name); busy: who drives it, or that all are driven. `client` is shown to people. [any]
  Result<Seat> take(std::string_view robot, std::string_view client);

 private:
  friend class Seat;
  struct Table;
  std::shared_ptr<Table> table_;
};

}  // namespace cambium::gateway
