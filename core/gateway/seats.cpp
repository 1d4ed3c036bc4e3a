#include "core/gateway/seats.hpp"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "core/base/nearest.hpp"

namespace cambium::gateway {

struct Seats::Table {
  struct Row {
    std::string robot, client;
    bool taken = false;
  };
  std::mutex mutex;  // guards rows
  std::vector<Row> rows;
};

struct Seat::Impl {
  std::shared_ptr<Seats::Table> table;
  std::size_t row = 0;
  std::string robot;

  ~Impl() {
    const std::lock_guard lock(table->mutex);
    table->rows[row].taken = false;
    table->rows[row].client.clear();
  }
};

Seat::Seat(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Seat::Seat(Seat&&) noexcept = default;
Seat& Seat::operator=(Seat&&) noexcept = default;
Seat::~Seat() = default;
const std::string& Seat::robot() const noexcept {
  return impl_->robot;
}

Seats::Seats(const std::vector<std::string>& robots) : table_(std::make_shared<Table>()) {
  for (const auto& robot : robots) table_->rows.push_back({.robot = robot, .client = {}});
}
Seats::~Seats() = default;

Result<Seat> Seats::take(std::string_view robot, std::string_view client) {
  const std::lock_guard lock(table_->mutex);
  auto& rows = table_->rows;
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Table::Row& row) {
    return robot.empty() ? !row.taken : row.robot == robot;
  });
  if (found == rows.end() && robot.empty()) {
    std::string all;
    for (const auto& row : rows)
      all += (all.empty() ? "'" : ", '") + row.robot + "' by " + row.client;
    return Error{Code::busy, "every robot here is driven already: " + all};
  }
  if (found == rows.end()) {
    std::vector<std::string> names;
    for (const auto& row : rows) names.push_back(row.robot);
    const std::string name(robot.substr(0, 64));
    return Error{Code::not_found,
                 "no robot '" + name + "' at this endpoint" + base::did_you_mean(name, names)};
  }
  if (found->taken)
    return Error{Code::busy, "robot '" + found->robot + "' is driven by " + found->client};
  auto seat = std::make_unique<Seat::Impl>();
  seat->table = table_;
  seat->row = static_cast<std::size_t>(found - rows.begin());
  seat->robot = found->robot;
  found->taken = true;
  found->client = client;
  return Seat(std::move(seat));
}

}  // namespace cambium::gateway
