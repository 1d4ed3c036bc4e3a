#include "core/base/signature.hpp"

#include <sodium.h>

#include <array>
#include <charconv>
#include <optional>

namespace cambium::base {
namespace {

// The first line keeps these texts apart from everything else that a key could ever sign.
constexpr std::string_view kTitle = "cambium signature 1";
constexpr const char* kKinds[] = {"plugin", "bundle", "stock"};

template <std::size_t N>
std::string hex(const std::array<unsigned char, N>& bytes) {
  std::string text(2 * N + 1, '\0');
  ::sodium_bin2hex(text.data(), text.size(), bytes.data(), N);
  text.pop_back();
  return text;
}

template <std::size_t N>
bool read_hex(std::string_view text, std::array<unsigned char, N>& to) {
  std::size_t length = 0;
  return text.size() == 2 * N &&
         ::sodium_hex2bin(to.data(), N, text.data(), text.size(), nullptr, &length, nullptr) == 0 &&
         length == N;
}

bool read_kind(std::string_view text, FileKind& to) {
  for (std::size_t i = 0; i < std::size(kKinds); ++i) {
    if (text != kKinds[i]) continue;
    to = static_cast<FileKind>(i);
    return true;
  }
  return false;
}

bool read_count(std::string_view text, std::uint64_t& to) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), to);
  return !text.empty() && read.ec == std::errc() && read.ptr == text.data() + text.size();
}

/// The lines of a text, one after the other.
class Lines {
 public:
  explicit Lines(std::string_view rest) : rest_(rest) {}
  /// What follows `word` on the next line; none if the line is another, or has no end.
  std::optional<std::string_view> next(std::string_view word) {
    ++line_;
    const auto end = rest_.find('\n');
    if (end == std::string_view::npos || !rest_.substr(0, end).starts_with(word))
      return std::nullopt;
    const auto value = rest_.substr(word.size(), end - word.size());
    rest_.remove_prefix(end + 1);
    return value;
  }
  int line() const noexcept { return line_; }

 private:
  std::string_view rest_;
  int line_ = 0;
};

}  // namespace

const char* to_string(FileKind kind) noexcept {
  return kKinds[static_cast<std::size_t>(kind)];
}

std::string Statement::text() const {
  std::string text(kTitle);
  text += "\nkind ";
  text += to_string(kind);
  text += "\nbytes " + std::to_string(bytes);
  text += "\nsha256 " + hex(sha256);
  text += "\nkey " + hex(key) + "\n";
  return text;
}

std::filesystem::path signature_of(const std::filesystem::path& file) {
  return file.string() + ".sig";
}

std::string sign(const SigningKey& key, FileKind kind, std::span<const std::byte> bytes) {
  Sha256 sha;
  sha.update(bytes);
  const Statement statement{
      .kind = kind, .bytes = bytes.size(), .sha256 = sha.finish(), .key = key.public_key()};
  const std::string text = statement.text();
  return text + "ed25519 " + hex(key.sign(text)) + "\n";
}

Result<Signature> parse_signature(std::string_view text, const std::filesystem::path& file) {
  Signature signature;
  Statement& says = signature.statement;
  Lines lines(text);
  const auto bad = [&](const char* expected) {
    return Error{Code::bad_data, "'" + file.string() + "': line " + std::to_string(lines.line()) +
                                     ": expected " + expected +
                                     "; it is damaged or no signature, sign the file again"};
  };
  auto value = lines.next(kTitle);
  if (!value || !value->empty()) return bad("'cambium signature 1'");
  value = lines.next("kind ");
  if (!value || !read_kind(*value, says.kind)) return bad("'kind plugin', 'bundle' or 'stock'");
  value = lines.next("bytes ");
  if (!value || !read_count(*value, says.bytes)) return bad("'bytes' and a number");
  value = lines.next("sha256 ");
  if (!value || !read_hex(*value, says.sha256)) return bad("'sha256' and 64 hex digits");
  value = lines.next("key ");
  if (!value || !read_hex(*value, says.key)) return bad("'key' and 64 hex digits");
  value = lines.next("ed25519 ");
  if (!value || !read_hex(*value, signature.bytes)) return bad("'ed25519' and 128 hex digits");
  // One statement has one text: no second spelling, and nothing behind it.
  if (text != says.text() + "ed25519 " + hex(signature.bytes) + "\n")
    return bad("the end, and lines as `cambium sign` writes them");
  return signature;
}

}  // namespace cambium::base
