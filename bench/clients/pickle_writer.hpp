// bench/clients/pickle_writer.hpp: the few pickles that LeRobot's client sends (protocol 5).
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace cambium::bench {

/// Writes opcodes front to back (names as in Python's pickletools).
class PickleWriter {
 public:
  PickleWriter() { code("\x80\x05"); }

  void text(std::string_view value) {
    code("X");
    little(static_cast<std::uint32_t>(value.size()));
    bytes_ += value;
  }
  void integer(std::int32_t value) {
    code("J");
    little(static_cast<std::uint32_t>(value));
  }
  void number(double value) {
    code("G");
    const auto bits = std::bit_cast<std::uint64_t>(value);
    for (int shift = 56; shift >= 0; shift -= 8) bytes_ += static_cast<char>(bits >> shift);
  }
  void boolean(bool value) { code(value ? "\x88" : "\x89"); }
  void none() { code("N"); }
  void begin() { code("("); }       // MARK
  void end_tuple() { code("t"); }   // since begin()
  void begin_map() { code("}("); }  // keys and values follow
  void end_map() { code("u"); }
  void begin_list() { code("]("); }
  void end_list() { code("e"); }
  void begin_object(std::string_view module, std::string_view name) {
    global(module, name);
    code(")\x81}(");  // without arguments; its fields follow
  }
  void end_object() { code("ub"); }
  /// numpy's array of bytes.
  void array(std::string_view data, std::initializer_list<std::int32_t> shape) {
    global("numpy._core.numeric", "_frombuffer");
    begin();
    code("\x96");
    little(static_cast<std::uint64_t>(data.size()));
    bytes_ += data;
    global("numpy", "dtype");
    begin();
    text("u1");
    boolean(false);
    boolean(true);
    end_tuple();
    code("R");
    begin();
    integer(3);
    text("|");
    none();
    none();
    none();
    integer(-1);
    integer(-1);
    integer(0);
    end_tuple();
    code("b");
    begin();
    for (const auto extent : shape) integer(extent);
    end_tuple();
    text("C");
    end_tuple();
    code("R");
  }
  std::size_t size() const noexcept { return bytes_.size(); }
  std::string finish() {
    code(".");
    return std::move(bytes_);
  }

 private:
  void code(std::string_view codes) { bytes_ += codes; }
  void global(std::string_view module, std::string_view name) {
    text(module);
    text(name);
    code("\x93");
  }
  template <class T>
  void little(T value) {
    for (std::size_t i = 0; i < sizeof value; ++i) bytes_ += static_cast<char>(value >> 8 * i);
  }

  std::string bytes_;
};

}  // namespace cambium::bench
