#include "core/adapters/groot/reply.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace cambium::groot {
namespace {

constexpr std::string_view kPrefix = "action.";

void write_info(formats::MsgpackWriter& to, const gateway::Answer& answer) {
  to.map(5);
  to.text("drive");
  to.text(to_string(answer.drive));
  to.text("reason");
  to.text(to_string(answer.reason));
  to.text("why");
  to.text(answer.why);
  to.text("generation");
  to.integer(static_cast<std::int64_t>(answer.generation));
  to.text("trunk_compute_us");
  to.number(answer.trunk_compute_us);
}

}  // namespace

void write_error(formats::MsgpackWriter& to, std::string_view why) {
  to.map(1);
  to.text("error");
  to.text(why);
}

void write_alive(formats::MsgpackWriter& to) {
  to.map(2);
  to.text("status");
  to.text("ok");
  to.text("message");
  to.text("Server is running");
}

void write_done(formats::MsgpackWriter& to) {
  to.map(0);
}

void write_actions(formats::MsgpackWriter& to, const gateway::Answer& answer,
                   const Manner& manner) {
  if (manner.listed) to.list(2);
  to.map(static_cast<std::uint32_t>(answer.parts.size()));
  for (const auto& part : answer.parts) {
    std::string key(part.key);
    if (key.starts_with(kPrefix)) key.erase(0, kPrefix.size());
    to.text(manner.flat ? std::string(kPrefix) + key : key);
    const std::array<std::uint64_t, 3> shape = {1, answer.rows, part.columns};
    to.array(manner.dialect, std::span(shape).subspan(manner.batched ? 0 : 1), part.values);
  }
  if (manner.listed) write_info(to, answer);
}

}  // namespace cambium::groot
