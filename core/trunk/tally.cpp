#include "core/trunk/tally.hpp"

#include <algorithm>
#include <tuple>

namespace cambium::trunk {

Tally::Tally(std::size_t robots) : capacity_(robots) {
  rows_.reserve(capacity_);
}

Tally::Row& Tally::row_of(const Request& request) noexcept {
  std::uint64_t peer = 0;
  for (Row& row : rows_) {
    if (!(row.peer == request.from)) continue;
    if (row.counts.robot_id == request.robot_id) return row;
    peer = row.counts.peer;
  }
  if (peer == 0) peer = ++peers_;
  if (rows_.size() < capacity_) rows_.emplace_back();
  // A new row was never added to.
  Row& row = *std::min_element(rows_.begin(), rows_.end(),
                               [](const Row& a, const Row& b) { return a.last < b.last; });
  row = {{.peer = peer, .robot_id = request.robot_id}, 0, request.from};
  return row;
}

void Tally::add(const Request& request, Outcome outcome) noexcept {
  Row& row = row_of(request);
  row.last = ++answers_;
  auto& count = outcome == served ? row.counts.served
                : outcome == busy ? row.counts.busy
                                  : row.counts.expired;
  ++count;
}

std::vector<RobotCounts> Tally::counts() const {
  std::vector<RobotCounts> all;
  for (const Row& row : rows_) all.push_back(row.counts);
  std::sort(all.begin(), all.end(), [](const RobotCounts& a, const RobotCounts& b) {
    return std::tie(a.peer, a.robot_id) < std::tie(b.peer, b.robot_id);
  });
  return all;
}

}  // namespace cambium::trunk
