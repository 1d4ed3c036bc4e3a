#include "core/trunk/load_trunk.hpp"

#include <algorithm>
#include <cmath>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "core/base/clock.hpp"

namespace cambium::trunk {
namespace {

class Watch {
 public:
  /// [ms] since it was made.
  double ms() const { return static_cast<double>(base::monotonic_ns() - begin_) * 1e-6; }

 private:
  base::Nanoseconds begin_ = base::monotonic_ns();
};

/// As many rows as a robot has tokens. Touches every weight, so one that is no number shows: it
/// makes NaN of the zeros that it is multiplied with.
Result<void> warm_up(TrunkModel& model, std::uint32_t max_rows) {
  constexpr std::uint32_t kRows = 32;
  const Segment segment{0, std::min(kRows, max_rows)};
  std::vector<float> rows(std::size_t{segment.rows} * model.info().width);
  if (const Status done = model.forward({&segment, 1}, rows.data()); !done.ok())
    return Error{done.code(), std::string("a first pass says '") + to_string(done.code()) + "'"};
  if (!std::ranges::all_of(rows, [](float x) { return std::isfinite(x); }))
    return Error{Code::bad_data,
                 "a first pass gives numbers that are not finite: a weight is NaN, infinite or far "
                 "too large; cambium check names it"};
  return {};
}

}  // namespace

Result<LoadedTrunk> load_trunk(const std::filesystem::path& path, ModelOptions options,
                               std::optional<Precision> precision) {
  const Watch all;
  LoadedTrunk loaded;
  auto& took = loaded.took;
  {
    const auto stock = nn::Stock::open_mapped(path);
    if (!stock) return stock.error();
    loaded.mapped = stock->file().mapped();
    took.open = all.ms();
    auto identity = std::async(std::launch::async, [&] {
      const Watch watch;
      auto result = stock->computed_identity();
      took.hash = watch.ms();
      return result;
    });
    const Watch watch;
    options.precision = precision.value_or(stock->precision());
    auto model = load_model(stock->file(), options);
    if (!model) return model.error();
    took.pack = watch.ms();
    loaded.model = std::move(*model);
    loaded.identity = identity.get();
    if (auto same = stock->file().unchanged(); !same) return same.error();
  }
  const Watch watch;
  if (auto done = warm_up(*loaded.model, options.max_rows); !done)
    return Error{done.error().code, "'" + path.string() + "': " + done.error().message};
  took.warm_up = watch.ms();
  took.all = all.ms();
  return loaded;
}

}  // namespace cambium::trunk
