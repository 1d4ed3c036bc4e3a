#include "core/base/key_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "core/base/descriptor.hpp"
#include "core/base/session_name.hpp"

namespace cambium::base {
namespace {

constexpr std::string_view kSecretWord = "secret";

Error refuse(const std::filesystem::path& file, Code code, const std::string& why) {
  return {code, "key file '" + file.string() + "': " + why};
}

// The text of a key file in memory that is wiped.
struct Text {
  std::array<char, 4096> bytes{};
  std::size_t size = 0;

  Text() = default;
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;
  ~Text() { wipe(bytes); }
  std::string_view view() const noexcept { return {bytes.data(), size}; }
};

Result<void> read_text(const std::filesystem::path& file, Text& text, bool& others_read) {
  const Descriptor open(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!open) {
    const bool missing = errno == ENOENT;
    return refuse(
        file, missing ? Code::not_found : Code::failed,
        std::string(std::strerror(errno)) + (missing ? "; 'cambium keys new NAME' makes one" : ""));
  }
  struct stat about = {};
  if (::fstat(open.get(), &about) != 0) return refuse(file, Code::failed, std::strerror(errno));
  if (!S_ISREG(about.st_mode)) return refuse(file, Code::bad_argument, "is not a file");
  others_read = (about.st_mode & 077) != 0 || (about.st_uid != ::geteuid() && about.st_uid != 0);
  for (;;) {
    const auto got =
        ::read(open.get(), text.bytes.data() + text.size, text.bytes.size() - text.size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return refuse(file, Code::failed, std::strerror(errno));
    if (got == 0) break;
    text.size += static_cast<std::size_t>(got);
    if (text.size == text.bytes.size())
      return refuse(file, Code::bad_data, "is larger than any key file");
  }
  return {};
}

// The words of the one line that is neither empty nor a comment; none if there are several such.
std::vector<std::string_view> words_of(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
    if (line.empty() || line.front() == '#') continue;
    if (!words.empty()) return {};
    while (!line.empty()) {
      const std::size_t length = std::min(line.find_first_of(kBlank), line.size());
      words.push_back(line.substr(0, length));
      line.remove_prefix(length);
      line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
    }
  }
  return words;
}

bool is_secret(const std::vector<std::string_view>& words) {
  return words.size() == 3 && words[1] == kSecretWord && is_session_name(words[0]);
}

Result<SecretKey> secret_of(const std::filesystem::path& file,
                            const std::vector<std::string_view>& words, bool others_read) {
  if (others_read)
    return refuse(file, Code::bad_argument,
                  "others can read this secret, or it belongs to somebody else; "
                  "chmod 600 it, or make a new one if they may have");
  auto key = SecretKey::parse(words[2]);
  if (!key) return refuse(file, Code::bad_data, "its key is not 40 digits of Z85");
  return std::move(*key);
}

}  // namespace

Result<SecretKey> read_secret_key(const std::filesystem::path& file) {
  Text text;
  bool others_read = false;
  if (auto read = read_text(file, text, others_read); !read) return read.error();
  const auto words = words_of(text.view());
  if (!is_secret(words))
    return refuse(file, Code::bad_data,
                  words.size() == 2 ? "is a public key, expected a secret one: NAME.key"
                                    : "is no secret key, expected one line 'NAME secret KEY'");
  return secret_of(file, words, others_read);
}

Result<NamedKey> read_public_key(const std::filesystem::path& file) {
  Text text;
  bool others_read = false;
  if (auto read = read_text(file, text, others_read); !read) return read.error();
  const auto words = words_of(text.view());
  if (is_secret(words))
    return refuse(file, Code::bad_data,
                  "is a secret key, expected a public one: NAME.pub; a secret never leaves the "
                  "machine that it was made on");
  const auto key = words.size() == 2 ? PublicKey::parse(words[1]) : std::nullopt;
  if (!key || !is_session_name(words[0]))
    return refuse(file, Code::bad_data,
                  "is no public key, expected one line 'NAME KEY', the key 40 digits of Z85");
  return NamedKey{std::string(words[0]), *key};
}

Result<NamedKey> show_key(const std::filesystem::path& file, bool& secret) {
  {
    Text text;
    bool others_read = false;
    if (auto read = read_text(file, text, others_read); !read) return read.error();
    const auto words = words_of(text.view());
    secret = is_secret(words);
    if (secret) {
      const auto key = secret_of(file, words, others_read);
      if (!key) return key.error();
      return NamedKey{std::string(words[0]), key->public_key()};
    }
  }
  return read_public_key(file);
}

Result<void> write_new_file(const std::filesystem::path& file, std::string_view text, int mode) {
  const Descriptor open(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!open) {
    if (errno == EEXIST)
      return Error{Code::busy, "'" + file.string() + "' is there already and is left alone"};
    return Error{Code::failed, "'" + file.string() + "': cannot be made: " + std::strerror(errno)};
  }
  const auto fail = [&] {
    const Error error{Code::failed, "'" + file.string() + "': " + std::strerror(errno)};
    ::unlink(file.c_str());
    return error;
  };
  while (!text.empty()) {
    const auto wrote = ::write(open.get(), text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return fail();
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  if (::fsync(open.get()) != 0) return fail();
  return {};
}

Result<NamedKey> write_new_keys(const std::filesystem::path& folder, const std::string& name) {
  if (!is_session_name(name))
    return Error{Code::bad_argument, "'" + name.substr(0, 80) +
                                         "' is no name for a key, expected 1 to 64 letters, "
                                         "digits, '_', '-' or '.', not beginning with '.'"};
  const auto secret_file = folder / (name + ".key"), public_file = folder / (name + ".pub");
  const SecretKey secret = SecretKey::random();
  const NamedKey named{name, secret.public_key()};
  const std::string shown = "# Public key of '" + name +
                            "' for Cambium's native endpoints. Anybody may know it;\n"
                            "# 'cambium keys allow' lets its owner in.\n" +
                            name + " " + named.key.text() + "\n";
  Text hidden;
  const auto put = [&hidden](std::string_view part) {
    std::ranges::copy(part, hidden.bytes.data() + hidden.size);
    hidden.size += part.size();
  };
  put("# SECRET key of '");
  put(name);
  put("' for Cambium's native endpoints. It never leaves this machine;\n# what others may know "
      "is ");
  put(name);
  put(".pub.\n");
  put(name);
  put(" secret ");
  secret.write(std::span<char, kKeyDigits>(hidden.bytes.data() + hidden.size, kKeyDigits));
  hidden.size += kKeyDigits;
  put("\n");
  // The public one first: if it is there, no secret is made that nobody would know what for.
  if (auto written = write_new_file(public_file, shown, 0644); !written) return written.error();
  if (auto written = write_new_file(secret_file, hidden.view(), 0600); !written) {
    ::unlink(public_file.c_str());
    return written.error();
  }
  return named;
}

}  // namespace cambium::base
