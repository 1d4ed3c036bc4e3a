#include "core/adapters/groot/torch_refusal.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// A .zip with four stored files, laid out as PyTorch's writer does
// (caffe2/serialize/inline_container.cc): sizes behind the data, data on multiples of 64, and a
// 64-bit directory beside the short one.

namespace cambium::groot {
namespace {

constexpr std::string_view kWhy =
    "GR00T N1 (torch.save) requests are not accepted; update the client to N1.5 or later";
constexpr std::uint32_t kAlignment = 64;

struct File {
  std::string name, content;
  std::uint32_t crc = 0, at = 0;

  std::uint32_t size() const { return static_cast<std::uint32_t>(content.size()); }
};

class Bytes {
 public:
  std::uint32_t size() const { return static_cast<std::uint32_t>(bytes_.size()); }
  Bytes& number(std::uint64_t value, int width) {
    for (int i = 0; i < width; ++i, value >>= 8) bytes_.push_back(static_cast<std::byte>(value));
    return *this;
  }
  Bytes& text(std::string_view text) {
    for (const char c : text) bytes_.push_back(static_cast<std::byte>(c));
    return *this;
  }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

std::uint32_t crc32(std::string_view text) {
  std::uint32_t crc = ~0U;
  for (const char c : text) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xedb88320U : 0);
  }
  return ~crc;
}

// {"error": kWhy} as Python's protocol 2 writes it.
std::string pickle() {
  const auto unicode = [](std::string_view text) {
    std::string out = "X";
    for (int i = 0; i < 4; ++i) out += static_cast<char>(text.size() >> (8 * i));
    return out.append(text);
  };
  using namespace std::string_literals;
  return "\x80\x02}q\0"s + unicode("error") + "q\x01" + unicode(kWhy) + "q\x02s.";
}

// Files are UTF-8 named and have their sizes behind them; no version, no time.
void common_fields(Bytes& to) {
  to.number(0x0808, 2).number(0, 2).number(0, 4);
}

void write_file(Bytes& to, File& file) {
  file.crc = crc32(file.content);
  file.at = to.size();
  const auto unpadded = static_cast<std::uint32_t>(file.at + 30 + file.name.size() + 4);
  const std::uint32_t padding = (kAlignment - unpadded % kAlignment) % kAlignment;
  to.text("PK\x03\x04").number(0, 2);
  common_fields(to);
  to.number(0, 4).number(0, 8).number(file.name.size(), 2).number(4 + padding, 2).text(file.name);
  to.text("FB").number(padding, 2).text(std::string(padding, 'Z'));
  to.text(file.content);
  to.text("PK\x07\x08").number(file.crc, 4).number(file.size(), 4).number(file.size(), 4);
}

void write_entry(Bytes& to, const File& file) {
  to.text("PK\x01\x02").number(0, 4);
  common_fields(to);
  to.number(file.crc, 4).number(file.size(), 4).number(file.size(), 4);
  to.number(file.name.size(), 2).number(0, 12).number(file.at, 4).text(file.name);
}

std::vector<std::byte> archive() {
  std::array<File, 4> files = {{
      {"archive/data.pkl", pickle()},
      {"archive/byteorder", "little"},
      {"archive/version", "3\n"},
      // What PyTorch derives from the names and checksums of the others.
      {"archive/.data/serialization_id", "0636457737946401051300000019073176239795"},
  }};
  Bytes to;
  for (auto& file : files) write_file(to, file);
  const std::uint32_t directory = to.size();
  for (const auto& file : files) write_entry(to, file);
  const std::uint32_t end = to.size(), size = end - directory;
  to.text("PK\x06\x06").number(44, 8).number(0x031e, 2).number(45, 2).number(0, 8);
  to.number(files.size(), 8).number(files.size(), 8).number(size, 8).number(directory, 8);
  to.text("PK\x06\x07").number(0, 4).number(end, 8).number(1, 4);
  to.text("PK\x05\x06").number(0, 4).number(files.size(), 2).number(files.size(), 2);
  to.number(size, 4).number(directory, 4).number(0, 2);
  return to.take();
}

}  // namespace

std::span<const std::byte> torch_refusal() {
  static const std::vector<std::byte> bytes = archive();
  return bytes;
}

}  // namespace cambium::groot
