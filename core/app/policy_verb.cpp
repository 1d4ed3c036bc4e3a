// `cambium policy`: the process of one isolated robot's policy. Hosts start it; people do not.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "core/app/verb.hpp"
#include "core/runtime/policy_child.hpp"

namespace cambium::app {

void add_policy(CLI::App& program, int& exit_code) {
  auto* verb = program.add_subcommand("policy",
                                      "Not for people: a host starts this for each robot with "
                                      "`isolate = true`, to run its plugin's "
                                      "stems and head apart.");
  verb->group("");  // not listed
  auto source = std::make_shared<runtime::PolicySource>();
  verb->add_option("--plugin", source->plugin, "Library of the embodiment")->required();
  verb->add_option("--stem-plugin", source->stem_plugin, "Library of the stems, if another");
  verb->add_option("--head-plugin", source->head_plugin, "Library of the head, if another");
  verb->add_option("--embodiment", source->embodiment, "Name, if the library has several");
  verb->add_option("--head", source->head, "Head, if another than the bundle names");
  verb->add_option("--bundle", source->bundle, "What was learned; without it nothing is run");
  verb->add_option("--stock", source->stock, "The stock that the bundle was made for");
  verb->add_option("--trunk-id", source->stock_identity.trunk, "The trunk id that the host found");
  verb->add_option("--stems-id", source->stock_identity.stems,
                   "SHA-256 of metadata and shared stems; with it the trunk is not read");
  verb->add_option("--run-dir", source->run_dir, "Folder for the library's copy");
  verb->add_option("--memory-mb", source->memory_mb, "Memory that the plugin may take");
  auto keys = std::make_shared<std::vector<std::string>>();
  verb->add_option("--trust", *keys, "A public key that signs plugins, bundles and stocks, in hex");
  verb->callback([source, keys, &exit_code] {
    std::vector<base::SignerKey> trusted;
    for (const auto& key : *keys) trusted.push_back(base::from_hex(key));
    source->trust = base::Trust(std::move(trusted));
    exit_code = runtime::run_policy_child(*source);
  });
}

}  // namespace cambium::app
