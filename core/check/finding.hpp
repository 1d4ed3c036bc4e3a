// core/check/finding.hpp: what a check found, as a word for programs and a sentence for people.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "cambium/result.hpp"

namespace cambium::check {

enum class Verdict : unsigned char {
  pass,
  warn,   ///< works, but somebody should look at it
  skip,   ///< not tried; the message says what is missing
  fail,   ///< breaks its contract
  crash,  ///< ended the process that tried it
};

/// "PASS" … "CRASH".
const char* to_string(Verdict verdict) noexcept;

struct Finding {
  Verdict verdict = Verdict::pass;
  std::string message;  ///< may be empty for a pass
};

inline Finding pass(std::string message = {}) {
  return {Verdict::pass, std::move(message)};
}
inline Finding warn(std::string message) {
  return {Verdict::warn, std::move(message)};
}
inline Finding skip(std::string message) {
  return {Verdict::skip, std::move(message)};
}
inline Finding fail(std::string message) {
  return {Verdict::fail, std::move(message)};
}

/// Ends a check from inside of what it calls; run_check() catches it, nobody else does.
struct Ended {
  Finding finding;
};

/// The value, or the end of the check with the error's sentence.
template <class T>
T need(Result<T> result) {
  if (!result) throw Ended{fail(result.error().message)};
  return std::move(result).value();
}
inline void need(const Result<void>& result) {
  if (!result) throw Ended{fail(result.error().message)};
}

/// Several things to look at, in one finding.
class Remarks {
 public:
  void add(std::string_view remark) { text_.append(text_.empty() ? "" : "; ").append(remark); }
  /// warn with all of them, or pass.
  Finding finding(std::string if_none = {}) && {
    return text_.empty() ? pass(std::move(if_none)) : warn(std::move(text_));
  }

 private:
  std::string text_;
};

}  // namespace cambium::check
