// The same plugin, built again and again, in one host.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "core/check/check.hpp"
#include "core/check/process_facts.hpp"
#include "core/plugin/private_copy.hpp"

namespace cambium::check {
namespace {

/// The library as a linker would have written it anew: other bytes, same code.
void write_build(const std::filesystem::path& file, std::span<const std::byte> bytes, int number) {
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  out.write(reinterpret_cast<const char*>(&number), sizeof number);
}

Finding reloads_100_times(Context& c) {
  // A host keeps no more than a few of those that cannot leave.
  const int rounds = c.library().pinned().empty() ? 100 : int{plugin::kMaxKept} / 2;
  const int settled_at = rounds / 5;
  const auto original = need(plugin::read_file(c.subject().plugin));
  const auto copy = c.scratch() / "rebuilt.so";
  std::vector<PartSpec> specs;  // those whose code is in this library
  if (!c.subject().bundle.empty())
    for (const auto& spec : c.parts())
      if (spec.library == &c.library()) specs.push_back(spec);
  std::size_t settled = 0, mapped = 0;
  for (int round = 1; round <= rounds; ++round) {
    c.doing(fmt::format("reload {}", round));
    write_build(copy, original.bytes, round);
    auto library = c.open_again(copy);
    const auto mapped_as = library->mapped_as();
    make_all(*library);
    for (auto spec : specs) {
      spec.library = library.get();
      Part part(spec);
      part.activate();
      part.run(spec.sample(c.random()));
    }
    library.reset();
    if (plugin::is_mapped(mapped_as)) ++mapped;
    if (round == settled_at) settled = resident_bytes();
  }
  const auto resident = resident_bytes();
  const auto grown = resident > settled ? resident - settled : 0;
  const auto each = static_cast<double>(grown) / (rounds - settled_at) / 1024;
  if (mapped > 0)
    return warn(fmt::format("{} of {} versions stay mapped, {:.0f} KB each; see 'can be unmapped'",
                            mapped, rounds, each));
  if (grown > std::max<std::size_t>(settled / 50, 1 << 20))
    return warn(fmt::format("each reload leaves {:.0f} KB behind", each));
  return pass(specs.empty() ? "without weights, so nothing was run" : "");
}

constexpr Check kChecks[] = {
    {"reloads 100 times", reloads_100_times, {}, "can be unmapped"},
};

}  // namespace

std::span<const Check> reload_checks() noexcept {
  return kChecks;
}

}  // namespace cambium::check
