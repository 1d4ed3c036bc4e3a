// core/nn/set_up.hpp: the edge between set-up code, which may throw, and the plugin seam, which may
// not.
#pragma once

#include <algorithm>
#include <cstring>
#include <exception>
#include <string_view>

#include "cambium/result.hpp"
#include "cambium/status.hpp"

namespace cambium::nn {

inline void write_message(Message& message, std::string_view text) noexcept {
  const std::size_t n = std::min(text.size(), sizeof(message.text) - 1);
  std::memcpy(message.text, text.data(), n);
  message.text[n] = '\0';
}

/// Runs `step`, a callable that returns Result<void>; its error or exception becomes a Status and a
/// sentence. [setup]
template <class Step>
Status set_up(Message& why, Step&& step) noexcept {
  try {
    const Result<void> done = step();
    if (done) return {};
    write_message(why, done.error().message);
    return done.error().code;
  } catch (const std::exception& problem) {
    write_message(why, problem.what());
  } catch (...) {
    write_message(why, "an unknown exception was thrown");
  }
  return Code::failed;
}

}  // namespace cambium::nn
