// core/app/exit_code.hpp: what the program's exit codes mean, the same for every verb.
#pragma once

#include "cambium/status.hpp"

namespace cambium::app {

enum ExitCode : int {
  kDone = 0,
  kFailed = 1,    ///< it was tried and failed, or was refused
  kBadInput = 2,  ///< usage, configuration, files
  kNotThere = 3,  ///< the other side does not answer
};

inline int exit_code_of(Code code) noexcept {
  switch (code) {
    case Code::ok:
      return kDone;
    case Code::unavailable:
    case Code::timeout:
      return kNotThere;
    case Code::bad_argument:
    case Code::bad_data:
    case Code::not_found:
      return kBadInput;
    default:
      return kFailed;
  }
}

}  // namespace cambium::app
