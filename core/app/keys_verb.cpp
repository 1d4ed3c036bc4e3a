#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "core/app/exit_code.hpp"
#include "core/app/verb.hpp"
#include "core/base/key_file.hpp"
#include "core/config/config.hpp"
#include "core/transport/allow_file.hpp"

namespace cambium::app {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string name, folder = ".", file, roles, list, config = "cambium.toml";
};

int complain(const Error& error) {
  fmt::print(stderr, "cambium keys: {}\n", error.message);
  return exit_code_of(error.code);
}

int make(const Options& options) {
  const auto made = base::write_new_keys(options.folder, options.name);
  if (!made) return complain(made.error());
  const auto folder = fs::path(options.folder);
  fmt::print("{}  secret: stays on this machine\n{}  public: {}\n",
             (folder / (options.name + ".key")).string(),
             (folder / (options.name + ".pub")).string(), made->key.text());
  return kDone;
}

int show(const Options& options) {
  bool secret = false;
  const auto key = base::show_key(options.file, secret);
  if (!key) return complain(key.error());
  fmt::print("{}  {}  {}\n", key->name, key->key.text(),
             secret ? "(the public half of this secret key)" : "(public key)");
  return kDone;
}

// The option, else what the configuration names.
Result<fs::path> list_of(const Options& options) {
  if (!options.list.empty()) return fs::path(options.list);
  const auto config = config::load_config(options.config);
  if (!config) return config.error();
  if (config->security.allow.empty())
    return Error{Code::bad_argument,
                 "'" + options.config +
                     "' names no list of allowed keys: give --list FILE, or [security] allow"};
  return config->security.allow;
}

int allow(const Options& options) {
  const auto key = base::read_public_key(options.file);
  if (!key) return complain(key.error());
  const auto roles = transport::parse_roles(options.roles);
  if (!roles)
    return complain({Code::bad_argument,
                     "option --as: '" + options.roles +
                         "', expected one or more of controller,host,admin with commas between"});
  const auto list = list_of(options);
  if (!list) return complain(list.error());
  if (auto added = transport::allow_key(*list, *key, *roles); !added)
    return complain(added.error());
  fmt::print("'{}' may connect as {}: {}\n", key->name, transport::to_text(*roles), list->string());
  return kDone;
}

int revoke(const Options& options) {
  const auto list = list_of(options);
  if (!list) return complain(list.error());
  if (auto taken = transport::revoke_key(*list, options.name); !taken)
    return complain(taken.error());
  fmt::print("'{}' may not connect any more, and what it sends is not read: {}\n", options.name,
             list->string());
  return kDone;
}

void add_list_options(CLI::App& command, Options& options) {
  command.add_option("--list", options.list, "File of allowed keys, instead of --config");
  command.add_option("-c,--config", options.config, "Configuration file that names it")
      ->capture_default_str();
}

}  // namespace

void add_keys(CLI::App& program, int& exit_code) {
  auto* group = program.add_subcommand(
      "keys", "Make keys for tcp endpoints, and say who may connect to them.");
  group->require_subcommand(1);
  group->footer(
      "Example: a controller on another machine\n"
      "  there: cambium keys new left_arm      then bring left_arm.pub here\n"
      "  here:  cambium keys allow left_arm.pub --as controller");
  const auto options = std::make_shared<Options>();
  const auto verb = [&](const char* name, const char* summary, int (*run)(const Options&)) {
    auto* command = group->add_subcommand(name, summary);
    command->callback([options, run, &exit_code] { exit_code = run(*options); });
    return command;
  };
  auto* made = verb("new", "Make NAME.key, which is secret, and NAME.pub, which is not.", make);
  made->add_option("name", options->name, "Name of the key's owner")->required();
  made->add_option("--out", options->folder, "Folder")->capture_default_str();
  auto* shown = verb("show", "Print the public key of a file; never a secret.", show);
  shown->add_option("file", options->file, "NAME.key or NAME.pub")->required();
  auto* allowed = verb("allow", "Let a key in; running processes notice.", allow);
  allowed->add_option("file", options->file, "NAME.pub")->required();
  allowed->add_option("--as", options->roles, "controller, host, admin, or several: host,admin")
      ->required();
  add_list_options(*allowed, *options);
  auto* revoked =
      verb("revoke", "Let a key in no more, and break with it where it is connected.", revoke);
  revoked->add_option("name", options->name, "Name in the list")->required();
  add_list_options(*revoked, *options);
}

}  // namespace cambium::app
