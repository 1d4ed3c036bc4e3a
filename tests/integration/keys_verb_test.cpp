// `cambium keys`, and `cambium up` of a host and a trunk that speak tcp with keys.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/base/key_file.hpp"
#include "core/transport/socket.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/steady_controller.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/toy_files.hpp"

namespace cambium {
namespace {

using nlohmann::json;
using test::ChildProcess;
using testing::HasSubstr;
using testing::Not;

class KeysVerb : public testing::Test {
 protected:
  struct Said {
    int code = 0;
    std::string out, error;
  };
  Said run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), CAMBIUM_PROGRAM);
    ChildProcess process(std::move(arguments), folder_.path());
    Said said;
    for (std::string line = process.line(); !line.empty(); line = process.line())
      said.out += line + "\n";
    said.error = process.error();
    said.code = process.wait();
    return said;
  }
  // The forty digits that nobody may see.
  std::string secret(const std::string& name) const {
    const std::string text = test::read_bytes(folder_ / (name + ".key"));
    return text.substr(text.size() - 1 - base::kKeyDigits, base::kKeyDigits);
  }
  std::string line_of(const std::string& file) const {
    const std::string text = test::read_bytes(folder_ / file);
    return text.substr(text.rfind('\n', text.size() - 2) + 1);
  }

  test::TemporaryFolder folder_;
};

TEST_F(KeysVerb, MakesAPairAndShowsOnlyOneHalf) {
  const auto made = run({"keys", "new", "arm"});
  EXPECT_EQ(made.code, 0) << made.error;
  struct stat about = {};
  ASSERT_EQ(::stat((folder_ / "arm.key").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
  const auto key = base::read_curve_key(folder_ / "arm.pub").value().key.text();
  EXPECT_THAT(made.out, HasSubstr(key));
  for (const char* file : {"arm.key", "arm.pub"}) {
    const auto shown = run({"keys", "show", file});
    EXPECT_EQ(shown.code, 0) << shown.error;
    EXPECT_THAT(shown.out, HasSubstr("arm  " + key));
    EXPECT_THAT(shown.out + shown.error, Not(HasSubstr(secret("arm"))));
  }
  EXPECT_THAT(made.out, Not(HasSubstr(secret("arm"))));
  const auto before = secret("arm");
  const auto again = run({"keys", "new", "arm"});
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.error, HasSubstr("arm.pub' is there already"));
  EXPECT_EQ(secret("arm"), before);
}

TEST_F(KeysVerb, LetsAKeyInAndOutOfTheListThatTheConfigurationNames) {
  run({"keys", "new", "arm"});
  run({"keys", "new", "host"});
  test::write_bytes(folder_ / "cambium.toml", "[security]\nkey = 'host.key'\nallow = 'allowed'\n");
  const auto allowed = run({"keys", "allow", "arm.pub", "--as", "controller,admin"});
  EXPECT_EQ(allowed.code, 0) << allowed.error;
  EXPECT_EQ(allowed.out,
            "'arm' may connect as controller,admin: " + (folder_ / "allowed").string() + "\n");
  EXPECT_EQ(line_of("allowed"), line_of("arm.pub").substr(0, 44) + " controller,admin\n");
  EXPECT_EQ(run({"keys", "allow", "arm.pub", "--as", "host"}).code, 2);
  const auto typo = run({"keys", "allow", "host.pub", "--as", "hots", "--list", "other"});
  EXPECT_EQ(typo.code, 2);
  EXPECT_THAT(typo.error, HasSubstr("option --as: 'hots', expected one or more of"));
  const auto slip = run({"keys", "allow", "host.key", "--as", "host"});
  EXPECT_EQ(slip.code, 2);
  EXPECT_THAT(slip.error, HasSubstr("is a secret key"));
  EXPECT_EQ(run({"keys", "revoke", "arm"}).code, 0);
  EXPECT_THAT(line_of("allowed"), testing::StartsWith("#"));
  EXPECT_EQ(run({"keys", "revoke", "arm"}).code, 2);
}

TEST_F(KeysVerb, SaysHowToMakeKeysWhereTheyAreMissing) {
  test::write_bytes(folder_ / "cambium.toml", "[host]\ncontrol = 'tcp://0.0.0.0:5555'\n");
  const auto host = run({"host"});
  EXPECT_EQ(host.code, 2);
  EXPECT_THAT(host.error, HasSubstr("cambium.toml:2:11: key 'control' in [host]: "
                                    "'tcp://0.0.0.0:5555' is not loopback"));
  EXPECT_THAT(host.error, HasSubstr("'cambium keys new NAME' makes them"));
  const auto admin = run({"status", "--admin", "tcp://192.0.2.1:5555"});
  EXPECT_THAT(admin.error, HasSubstr("'cambium keys new NAME' makes them"));
  EXPECT_NE(admin.code, 0);
}

// A port that was free a moment ago.
std::string free_endpoint() {
  transport::Context context;
  return transport::Socket::bind(context, transport::SocketKind::router, "tcp://127.0.0.1:0")
      .value()
      .endpoint();
}

TEST_F(KeysVerb, HostAndTrunkRunUnderUpWithOneKeyAndControllersHaveTheirs) {
  ::setenv("XDG_RUNTIME_DIR", folder_.path().c_str(), 1);
  for (const char* name : {"lab", "arm", "desk"}) ASSERT_EQ(run({"keys", "new", name}).code, 0);
  const auto id = test::write_toy_stock(folder_ / "stock.safetensors");
  test::write_toy_bundle(folder_ / "arm.safetensors", {.trunk_id = id});
  const std::string control = free_endpoint(), admin = free_endpoint();
  test::write_bytes(folder_ / "cambium.toml",
                    "[security]\nkey = 'lab.key'\nallow = 'allowed'\n[trunk]\nendpoint = '" +
                        free_endpoint() + "'\nstock = 'stock.safetensors'\n[host]\ncontrol = '" +
                        control + "'\nadmin = '" + admin +
                        "'\n[[robot]]\nname = 'left'\nplugin = '" + TOY_ARM +
                        "'\nbundle = 'arm.safetensors'\nreplan_every = 2\n" +
                        "gate.max_observation_age_ms = 10000\n");
  ASSERT_EQ(run({"keys", "allow", "arm.pub", "--as", "controller"}).code, 0);
  ASSERT_EQ(run({"keys", "allow", "desk.pub", "--as", "admin"}).code, 0);
  ChildProcess up({CAMBIUM_PROGRAM, "up", "--json", "cambium.toml"}, folder_.path());
  std::string all;
  for (std::string line = up.line(); !line.empty(); line = up.line()) {
    all += line;
    if (json::parse(line)["event"] == "ready") break;
  }
  ASSERT_THAT(all, HasSubstr("all 2 processes are running"));

  test::SteadyController controller({.endpoint = control,
                                     .robot = "left",
                                     .name = "steady",
                                     .key_file = folder_ / "arm.key",
                                     .host_key_file = folder_ / "lab.pub"});
  EXPECT_TRUE(controller.wait_for([&](const auto&) { return controller.steady(20); }));
  // The command line beside them has their file; one elsewhere has a key of its own.
  const auto here = run({"status"});
  EXPECT_EQ(here.code, 0) << here.error;
  EXPECT_THAT(here.out, HasSubstr("2 keys are allowed"));
  const auto as = [&](const std::string& name) {
    return run(
        {"status", "--json", "--admin", admin, "--key", name + ".key", "--host-key", "lab.pub"});
  };
  const auto there = as("desk");
  EXPECT_EQ(there.code, 0) << there.error;
  EXPECT_EQ(json::parse(there.out)["robots"][0]["controller"], true);
  const auto refused = as("arm");
  EXPECT_EQ(refused.code, 3);
  EXPECT_THAT(refused.error, HasSubstr("does not let this key in"));
  EXPECT_EQ(run({"session", "list"}).code, 0);
  up.signal(SIGINT);
  for (std::string line = up.line(); !line.empty(); line = up.line()) all += line;
  all += up.error();
  EXPECT_EQ(up.wait(), 0);
  for (const char* name : {"lab", "arm", "desk"}) EXPECT_THAT(all, Not(HasSubstr(secret(name))));
}

}  // namespace
}  // namespace cambium
