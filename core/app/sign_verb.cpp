// `cambium sign`: keys that sign plugins, bundles and stocks, signatures beside them, and a look at
// both.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/app/exit_code.hpp"
#include "core/app/verb.hpp"
#include "core/base/descriptor.hpp"
#include "core/base/mapped_file.hpp"
#include "core/base/trust.hpp"
#include "core/nn/safetensors.hpp"

namespace cambium::app {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::vector<fs::path> files, trust;
  fs::path key, name;
};

int complain(const Error& error) {
  fmt::print(stderr, "cambium sign: {}\n", error.message);
  return exit_code_of(error.code);
}

/// What these bytes are; of a .safetensors file, `metadata` says it.
Result<base::FileKind> kind_of(const fs::path& file, std::span<const std::byte> bytes) {
  if (bytes.size() >= 4 && std::memcmp(bytes.data(), "\x7f\x45LF", 4) == 0)
    return base::FileKind::plugin;
  // The bytes in hand decide, not those that may lie there by now.
  const auto same = [&](const fs::path&, std::span<const std::byte> found) -> Result<void> {
    if (std::ranges::equal(found, bytes)) return {};
    return Error{Code::busy, fmt::format("'{}': changed while it was read", file.string())};
  };
  const auto opened = nn::SafetensorsFile::open_part(file, "no tensor of it", same);
  if (!opened)
    return Error{
        opened.error().code,
        "neither a plugin (a shared library) nor a .safetensors file: " + opened.error().message};
  const auto kind = opened->meta("cambium.kind");
  if (kind && *kind == "bundle") return base::FileKind::bundle;
  if (kind && *kind == "stock") return base::FileKind::stock;
  return Error{
      Code::bad_argument,
      fmt::format("'{}': a .safetensors file whose metadata 'cambium.kind' is {}, expected "
                  "'bundle' or 'stock'",
                  file.string(), kind ? "'" + *kind + "'" : "missing")};
}

/// A reader sees the old signature or the whole new one.
Result<void> write_whole(const fs::path& file, const std::string& text) {
  const fs::path beside = file.string() + fmt::format(".{}", ::getpid());
  const base::Descriptor out(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  const bool written =
      out && ::write(out.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(out.get()) == 0 && ::rename(beside.c_str(), file.c_str()) == 0;
  if (written) return {};
  const int error = errno;
  if (out) ::unlink(beside.c_str());
  return Error{Code::failed,
               fmt::format("'{}': cannot be written: {}", file.string(), std::strerror(error))};
}

Result<void> sign_one(const base::SigningKey& key, const fs::path& file) {
  const auto whole = base::MappedFile::open(file);
  if (!whole) return whole.error();
  const auto kind = kind_of(file, whole->bytes());
  if (!kind) return kind.error();
  const std::string text = base::sign(key, *kind, whole->bytes());
  if (!whole->unchanged())
    return Error{Code::busy, fmt::format("'{}': changed while it was read", file.string())};
  const auto signature = base::signature_of(file);
  if (auto done = write_whole(signature, text); !done) return done;
  fmt::print("{}: {} '{}', signed by {}\n", signature.string(), to_string(*kind), file.string(),
             base::short_name(key.public_key()));
  return {};
}

int sign(const Options& options) {
  const auto key = base::SigningKey::read(options.key);
  if (!key) return complain(key.error());
  for (const auto& file : options.files)
    if (const auto done = sign_one(*key, file); !done) return complain(done.error());
  return kDone;
}

int make(const Options& options) {
  const auto key = base::SigningKey::make();
  if (!key) return complain(key.error());
  if (const auto done = key->write(options.name); !done) return complain(done.error());
  fmt::print(
      "{0}.secret  keep it to yourself: who has it can sign\n"
      "{0}.pub     key {1}, for [trust] keys = [\"{0}.pub\"]\n",
      options.name.string(), base::short_name(key->public_key()));
  return kDone;
}

Result<base::FileKind> verify_one(const base::Trust& trust, const fs::path& file) {
  const auto whole = base::MappedFile::open(file);
  if (!whole) return whole.error();
  const auto kind = kind_of(file, whole->bytes());
  if (!kind) return kind;
  if (const auto fine = trust.of(*kind)(file, whole->bytes()); !fine) return fine.error();
  return kind;
}

int verify(const Options& options) {
  const auto trust = base::Trust::read(options.trust);
  if (!trust) return complain(trust.error());
  int code = kDone;
  for (const auto& file : options.files) {  // all of them: who looks wants to know of each
    const auto kind = verify_one(*trust, file);
    if (kind)
      fmt::print("{} '{}': signed by a trusted key\n", to_string(*kind), file.string());
    else
      code = complain(kind.error());
  }
  return code;
}

}  // namespace

void add_sign(CLI::App& program, int& exit_code) {
  auto* verb = program.add_subcommand(
      "sign", "Sign plugins, bundles and stocks, for hosts and trunks with [trust] keys");
  auto options = std::make_shared<Options>();
  verb->add_option("FILE", options->files, "What to sign; FILE.sig is written beside each");
  verb->add_option("--key", options->key, "The secret key, NAME.secret");
  verb->require_subcommand(0, 1);
  verb->footer(
      "Examples:\n  cambium sign new lab\n"
      "  cambium sign libmy_arm.so my_arm.safetensors --key lab.secret\n"
      "  cambium sign verify libmy_arm.so --trust lab.pub");

  auto* fresh = verb->add_subcommand("new", "Make a key: NAME.secret (0600) and NAME.pub");
  fresh->add_option("NAME", options->name, "Where; nothing is ever overwritten")->required();

  auto* look = verb->add_subcommand("verify", "Say whether files are signed by a key");
  look->add_option("FILE", options->files, "What was signed")->required();
  look->add_option("--trust", options->trust, "A public key, NAME.pub; may be given again")
      ->required()
      ->allow_extra_args(false);

  verb->callback([verb, fresh, look, options, &exit_code] {
    if (*fresh) {
      exit_code = make(*options);
    } else if (*look) {
      exit_code = verify(*options);
    } else if (options->files.empty() || options->key.empty()) {
      exit_code = complain({Code::bad_argument, options->files.empty()
                                                    ? "FILE is missing; see cambium sign --help"
                                                    : "--key is missing; `cambium sign new NAME` "
                                                      "makes one"});
    } else {
      exit_code = sign(*options);
    }
  });
}

}  // namespace cambium::app
