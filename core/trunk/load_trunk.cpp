#include "core/trunk/load_trunk.hpp"

#include <algorithm>
#include <future>
#include <string>
#include <utility>

#include "core/base/clock.hpp"
#include "core/trunk/warm_up.hpp"

namespace cambium::trunk {
namespace {

class Watch {
 public:
  /// [ms] since it was made.
  double ms() const { return static_cast<double>(base::monotonic_ns() - begin_) * 1e-6; }

 private:
  base::Nanoseconds begin_ = base::monotonic_ns();
};

constexpr std::uint32_t kRows = 32;  // as many as a robot has tokens

}  // namespace

Result<LoadedTrunk> load_trunk(const std::filesystem::path& path, ModelOptions options,
                               std::optional<Precision> precision, const base::FileCheck& check) {
  const Watch all;
  LoadedTrunk loaded;
  auto& took = loaded.took;
  {
    const auto stock = nn::Stock::open_mapped(path, check);
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
  if (auto done = warm_up(*loaded.model, std::min(kRows, options.max_rows)); !done)
    return Error{done.error().code, "'" + path.string() + "': " + done.error().message};
  took.warm_up = watch.ms();
  took.all = all.ms();
  return loaded;
}

}  // namespace cambium::trunk
