#include "core/adapters/lerobot/reply.hpp"

#include <bit>

namespace cambium::adapters {
namespace {

/// Appends opcodes; names that come again are remembered (BINPUT) and recalled (BINGET).
class Writer {
 public:
  explicit Writer(std::string& to) : to_(to) {}

  void raw(std::string_view opcodes) { to_ += opcodes; }
  void name(std::uint8_t place, std::string_view module, std::string_view name) {
    if (recalled(place)) return;
    (to_ += 'c').append(module).append("\n").append(name).append("\n");
    remember(place);
  }
  void key(std::uint8_t place, std::string_view text) {
    if (recalled(place)) return;
    to_ += 'X';
    little(text.size(), 4);
    to_ += text;
    remember(place);
  }
  void real(double value) {
    to_ += 'G';
    const auto bits = std::bit_cast<std::uint64_t>(value);
    for (int shift = 56; shift >= 0; shift -= 8) to_ += static_cast<char>(bits >> shift & 0xffU);
  }
  void whole(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    if (value == static_cast<std::int32_t>(value)) {
      to_ += 'J';
      little(bits, 4);
      return;
    }
    std::size_t size = 4;  // the fewest bytes that keep the sign
    while (size < 8 && value >> (8 * size - 1) != 0 && value >> (8 * size - 1) != -1) ++size;
    (to_ += '\x8a') += static_cast<char>(size);
    little(bits, size);
  }

 private:
  bool recalled(std::uint8_t place) {
    if (place >= known_) return false;
    (to_ += 'h') += static_cast<char>(place);
    return true;
  }
  void remember(std::uint8_t place) {
    (to_ += 'q') += static_cast<char>(place);
    known_ = place + 1;
  }
  void little(std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) to_ += static_cast<char>(value >> 8 * i & 0xffU);
  }

  std::string& to_;
  int known_ = 0;
};

}  // namespace

std::string write_reply(const LerobotChunk& chunk) {
  const std::size_t rows = chunk.values.size() / chunk.columns;
  std::string to;
  to.reserve(160 + rows * (48 + 9ULL * chunk.columns));
  Writer write(to);
  write.raw("\x80\x02](");  // PROTO 2, EMPTY_LIST, MARK
  for (std::size_t row = 0; row < rows; ++row) {
    write.name(0, chunk.module, "TimedAction");
    write.raw(")\x81}(");  // no arguments, NEWOBJ, EMPTY_DICT, MARK
    write.key(1, "timestamp");
    write.real(chunk.timestamp + static_cast<double>(row) / chunk.hz);
    write.key(2, "timestep");
    write.whole(chunk.timestep + static_cast<std::int64_t>(row));
    write.key(3, "action");
    write.name(4, "torch", "tensor");
    write.raw("](");  // EMPTY_LIST, MARK
    for (const float value : chunk.values.subspan(row * chunk.columns, chunk.columns))
      write.real(value);
    write.raw("e\x85Rub");  // APPENDS, TUPLE1, REDUCE, SETITEMS, BUILD
  }
  write.raw("e.");  // APPENDS, STOP
  return to;
}

}  // namespace cambium::adapters
