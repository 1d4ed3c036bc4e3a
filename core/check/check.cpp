#include "core/check/check.hpp"

#include <exception>
#include <vector>

namespace cambium::check {

const char* to_string(Verdict verdict) noexcept {
  constexpr const char* kWords[] = {"PASS", "WARN", "SKIP", "FAIL", "CRASH"};
  return kWords[static_cast<unsigned>(verdict)];
}

std::span<const Check> checks_of(Kind kind) noexcept {
  const auto join = [](std::initializer_list<std::span<const Check>> groups) {
    std::vector<Check> all;
    for (const auto group : groups) all.insert(all.end(), group.begin(), group.end());
    return all;
  };
  static const auto plugin = join({door_checks(), start_up_checks(), output_checks(), loop_checks(),
                                   state_checks(), reload_checks(), robot_checks()});
  static const auto bundle = join({bundle_checks(), robot_checks()});
  switch (kind) {
    case Kind::plugin:
      return plugin;
    case Kind::bundle:
      return bundle;
    case Kind::stock:
      return stock_checks();
    case Kind::config:
      return config_checks();
  }
  return {};
}

Finding run_check(const Check& check, Context& context) {
  try {
    return check.run(context);
  } catch (const Ended& ended) {
    return ended.finding;
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}

}  // namespace cambium::check
