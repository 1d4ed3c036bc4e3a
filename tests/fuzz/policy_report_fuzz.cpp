// What the process of an isolated policy says once about itself.
#include <algorithm>
#include <cmath>

#include "core/runtime/policy_channel.hpp"
#include "core/runtime/policy_report.hpp"
#include "tests/fuzz/target.hpp"

namespace {

using namespace cambium;

void for_people(const std::string& text, std::size_t most) {
  fuzz::promise(text.size() <= most, "texts are bounded");
  fuzz::promise(std::ranges::none_of(text,
                                     [](char c) {
                                       const auto byte = static_cast<unsigned char>(c);
                                       return byte < ' ' || byte == 0x7f;
                                     }),
                "texts can be shown at a terminal");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kMostText = 4096;
  const auto report = runtime::read_report(fuzz::text(data, size));
  fuzz::says_why(report);
  if (!report) {
    for_people(report.error().message, 65536 + 1024);
    const auto code = report.error().code;
    fuzz::promise(code != Code::ok && code <= Code::failed, "an error has one of the known codes");
    const auto again = runtime::read_report(runtime::to_line(report.error()));
    fuzz::promise(!again && again.error().code == code, "an error survives its way");
    return 0;
  }
  fuzz::promise(report->body.validate().has_value(), "an accepted embodiment is sound");
  for (const auto* text : {&report->body.name, &report->body.summary, &report->plugin.name,
                           &report->plugin.version, &report->head_plugin.sha256,
                           &report->stem_plugin.name, &report->head_name, &report->bundle_sha256})
    for_people(*text, kMostText);
  if (report->has_policy) {
    fuzz::promise(report->shape.dof == report->body.dof(), "actions fit the body");
    fuzz::promise(report->state.size() <= runtime::kMaxStateParts, "parts are bounded");
    for (const auto& part : report->state)
      fuzz::promise(part.bytes.size() <= kMaxStateBytes && part.size == 0, "room is bounded");
    const auto sizes = runtime::channel_sizes(report->shape, report->body, report->state);
    fuzz::promise(sizes.bytes() <= runtime::kMaxChannelBytes, "shared memory is bounded");
  }
  // What a sound child would write about the same: read again, it is the same.
  const auto line = runtime::to_line(*report);
  const auto again = runtime::read_report(line);
  fuzz::promise(again.has_value(), "a report survives its way");
  fuzz::promise(plugin::same_body(report->body, again->body) && runtime::to_line(*again) == line,
                "and says the same again");
  return 0;
}
