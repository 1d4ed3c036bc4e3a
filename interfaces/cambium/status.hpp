// cambium/status.hpp: how a stage says that it failed; legal in the loop and across the plugin
// boundary.
#pragma once

#include <cstdint>
#include <type_traits>

namespace cambium {

/// What went wrong, in one word. Append only: the numbers travel on the wire and across the plugin
/// seam.
enum class Code : std::uint16_t {
  ok = 0,
  stale = 1,         ///< too old or of an earlier generation: a value, not a fault
  timeout = 2,       ///< did not come in time
  busy = 3,          ///< refused now, try again: a bounded queue is full
  bad_argument = 4,  ///< the caller asked for something that makes no sense
  bad_data = 5,      ///< bytes from outside that do not verify
  not_found = 6,     ///< no such name, file or symbol
  incompatible = 7,  ///< both sides are sound, but do not fit each other
  limit = 8,         ///< a physical limit was or would be violated
  not_finite = 9,    ///< NaN or infinity
  unavailable = 10,  ///< the other side is not there (yet)
  failed = 11,       ///< the operation was tried and failed
};

/// The word for a code, for people and logs. [any, rt]
constexpr const char* to_string(Code code) noexcept {
  switch (code) {
    case Code::ok:
      return "ok";
    case Code::stale:
      return "stale";
    case Code::timeout:
      return "timeout";
    case Code::busy:
      return "busy";
    case Code::bad_argument:
      return "bad argument";
    case Code::bad_data:
      return "bad data";
    case Code::not_found:
      return "not found";
    case Code::incompatible:
      return "incompatible";
    case Code::limit:
      return "limit";
    case Code::not_finite:
      return "not finite";
    case Code::unavailable:
      return "unavailable";
    case Code::failed:
      return "failed";
  }
  return "unknown";
}

/// Result of a stage: a code and 16 bits of detail (an index, mostly). Trivially copyable, four
/// bytes.
class [[nodiscard]] Status {
 public:
  constexpr Status() noexcept = default;
  constexpr Status(Code code, std::uint16_t detail = 0) noexcept : code_(code), detail_(detail) {}

  constexpr bool ok() const noexcept { return code_ == Code::ok; }
  constexpr Code code() const noexcept { return code_; }
  constexpr std::uint16_t detail() const noexcept { return detail_; }

 private:
  Code code_ = Code::ok;
  std::uint16_t detail_ = 0;
};
static_assert(sizeof(Status) == 4 && std::is_trivially_copyable_v<Status>);

/// A sentence that a plugin hands back beside a Status: fixed size, so that no memory crosses the
/// seam.
struct Message {
  char text[512] = {};  ///< UTF-8, zero-terminated
};
static_assert(std::is_trivially_copyable_v<Message>);

}  // namespace cambium
