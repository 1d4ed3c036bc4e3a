#include "core/base/secret.hpp"

#include <fcntl.h>
#include <sodium/utils.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace cambium::base {
namespace {

constexpr std::size_t kLongest = 1024;

}  // namespace

Result<std::string> read_secret(const std::filesystem::path& file) {
  const auto refuse = [&](Code code, const std::string& why) {
    return Error{code, "'" + file.string() + "': " + why};
  };
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return refuse(errno == ENOENT ? Code::not_found : Code::failed, std::strerror(errno));
  struct stat facts {};
  std::string text(kLongest + 2, '\0');
  // Of the open file: between a look at the path and its opening somebody could have changed it.
  const bool known = ::fstat(descriptor, &facts) == 0;
  const bool is_file = known && S_ISREG(facts.st_mode);
  const ::ssize_t got = is_file ? ::read(descriptor, text.data(), text.size()) : 0;
  ::close(descriptor);
  if (!is_file) return refuse(Code::bad_argument, "is no file");
  if ((facts.st_mode & 077) != 0)
    return refuse(
        Code::bad_argument,
        "others may read or write it, expected mode 0600 (chmod 600 " + file.string() + ")");
  if (got < 0) return refuse(Code::failed, "cannot be read");
  text.resize(static_cast<std::size_t>(got));
  text.resize(std::min(text.find('\n'), text.size()));
  if (text.ends_with('\r')) text.pop_back();
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; });
  if (text.empty() || text.size() > kLongest || !printable)
    return refuse(Code::bad_data,
                  "its first line is no token, expected 1 to 1024 letters, digits and signs");
  return text;
}

bool same_secret(std::string_view shown, std::string_view secret) noexcept {
  // Of another length it is compared all the same, so that the answer takes as long.
  std::string_view with = shown.size() == secret.size() ? secret : shown;
  const bool same = ::sodium_memcmp(shown.data(), with.data(), shown.size()) == 0;
  return same && shown.size() == secret.size();
}

}  // namespace cambium::base
