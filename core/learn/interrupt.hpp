// core/learn/interrupt.hpp: Ctrl-C as a question that long work asks, instead of an end.
#pragma once

namespace cambium::learn {

/// While it lives, SIGINT and SIGTERM only set asked(); a second one ends the program as usual. One
/// at a time. [setup]
class Interrupt {
 public:
  Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  ~Interrupt();

  bool asked() const noexcept;
};

}  // namespace cambium::learn
