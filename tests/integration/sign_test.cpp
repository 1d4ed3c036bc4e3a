// Files that nobody trusted has signed are refused before they are opened, wherever a host, a trunk
// or a robot's own process would open one, and nothing moves.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "core/base/trust.hpp"
#include "core/nn/bundle.hpp"
#include "core/plugin/plugin_library.hpp"
#include "core/trunk/load_trunk.hpp"
#include "tests/integration/host_fixture.hpp"
#include "tests/support/child_process.hpp"

namespace cambium::test {
namespace {

using base::FileKind;
using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

class SignTest : public HostTest {
 protected:
  SignTest() {
    EXPECT_TRUE(key_.write(folder_ / "lab"));
    config_.trust.keys = {folder_ / "lab.pub"};
    auto& robot = config_.robots[0];
    robot.plugin = copy_of(TOY_ARM, "arm.so");
    sign(robot.plugin, FileKind::plugin);
    sign(robot.bundle, FileKind::bundle);
    sign(config_.trunk.stock, FileKind::stock);
    program_ = CAMBIUM_PROGRAM;
  }
  fs::path copy_of(const fs::path& file, const std::string& name) {
    fs::copy_file(file, folder_ / name, fs::copy_options::overwrite_existing);
    return folder_ / name;
  }
  static void sign_with(const base::SigningKey& key, const fs::path& file, FileKind kind) {
    const std::string bytes = read_bytes(file);
    write_bytes(base::signature_of(file),
                base::sign(key, kind, std::as_bytes(std::span(bytes.data(), bytes.size()))));
  }
  void sign(const fs::path& file, FileKind kind) { sign_with(key_, file, kind); }
  static void alter(const fs::path& file) {
    std::string bytes = read_bytes(file);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    write_bytes(file, bytes);
  }
  /// The sentence with which a host refuses to start.
  std::string refusal() {
    auto host = Host::start(
        config_, [](const std::string&) {}, program_);
    return host ? "started" : host.error().message;
  }
  base::Trust trust() const { return base::Trust({key_.public_key()}); }
  std::size_t mapped() const { return plugin::loaded_libraries().mapped; }

  const base::SigningKey key_ = base::SigningKey::make().value();
  const base::SigningKey other_ = base::SigningKey::make().value();
};

TEST_F(SignTest, AHostDrivesWithFilesThatAreSigned) {
  start_trunk();
  start_host();
  auto controller = client();
  ActionReply reply;
  EXPECT_TRUE(tick_until(controller, reply, by_policy));
}

TEST_F(SignTest, AHostStartsWithoutNoneOfItsFilesSigned) {
  const auto& robot = config_.robots[0];
  const std::size_t before = mapped();
  for (const auto& [file, kind] : {std::pair(robot.plugin, FileKind::plugin),
                                   {robot.bundle, FileKind::bundle},
                                   {config_.trunk.stock, FileKind::stock}}) {
    fs::remove(base::signature_of(file));
    EXPECT_THAT(refusal(), AllOf(HasSubstr("'" + file.string() + "' is not trusted"),
                                 HasSubstr("it is not signed")));
    sign_with(other_, file, kind);
    EXPECT_THAT(refusal(), HasSubstr(file.string() + "' is not trusted: it is signed with key"));
    sign(file, kind == FileKind::plugin ? FileKind::stock : FileKind::plugin);
    EXPECT_THAT(refusal(), HasSubstr(std::string("used as a ") + to_string(kind)));
    sign(file, kind);
    const std::string good = read_bytes(file);
    alter(file);
    EXPECT_THAT(refusal(), HasSubstr("it was changed since"));
    write_bytes(file, good);
  }
  fs::copy_file(base::signature_of(robot.bundle), base::signature_of(robot.plugin),
                fs::copy_options::overwrite_existing);
  EXPECT_THAT(refusal(), HasSubstr("signed as a bundle and used as a plugin"));
  EXPECT_EQ(mapped(), before) << "a refused plugin has run code";
  sign(robot.plugin, FileKind::plugin);
  EXPECT_EQ(refusal(), "started");
}

TEST_F(SignTest, ARobotsOwnProcessRefusesInTheSameWords) {
  config_.robots[0].isolation.enabled = true;
  EXPECT_EQ(refusal(), "started");
  alter(config_.robots[0].plugin);
  EXPECT_THAT(refusal(), AllOf(HasSubstr("arm.so' is not trusted"), HasSubstr("changed since")));
  sign(config_.robots[0].plugin, FileKind::plugin);
  fs::remove(base::signature_of(config_.robots[0].bundle));
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("arm.safetensors' is not trusted"), HasSubstr("it is not signed")));
}

TEST_F(SignTest, AHeadIsReloadedOnlyWithASignature) {
  const auto head = copy_of(TOY_ARM_2, "head.so");
  start_trunk();
  start_host();
  const auto refused = host_->swap({.robot = "left", .head_plugin = head});
  EXPECT_FALSE(refused.ok());
  EXPECT_THAT(refused.reason, HasSubstr("head.so' is not trusted: it is not signed"));
  EXPECT_EQ(host_->status()[0].generation, 1U);
  sign(head, FileKind::plugin);
  const auto swapped = host_->swap({.robot = "left", .head_plugin = head});
  ASSERT_TRUE(swapped.ok()) << swapped.reason;
  EXPECT_EQ(host_->status()[0].generation, 2U);
  // In place, as a build would: the new file lies beside the old signature.
  copy_of(TOY_CART, "head.so");
  const auto reloaded = host_->swap({.robot = "left"});
  EXPECT_THAT(reloaded.reason, HasSubstr("head.so' is not trusted"));
  EXPECT_EQ(host_->status()[0].generation, 2U);
  auto controller = client();
  ActionReply reply;
  EXPECT_TRUE(tick_until(controller, reply, by_policy));
}

TEST_F(SignTest, ABundleIsSwappedInOnlyWithASignature) {
  start_trunk();
  start_host();
  const auto other = folder_ / "arm_other.safetensors";
  EXPECT_THAT(host_->swap({.robot = "left", .bundle = other}).reason,
              HasSubstr("arm_other.safetensors' is not trusted"));
  EXPECT_EQ(host_->status()[0].generation, 1U);
  sign(other, FileKind::bundle);
  const auto swapped = host_->swap({.robot = "left", .bundle = other});
  EXPECT_TRUE(swapped.ok()) << swapped.reason;
  config::RobotConfig right = config_.robots[0];
  right.name = "right";
  right.plugin = TOY_ARM;
  const auto added = host_->add(right);
  ASSERT_FALSE(added);
  EXPECT_THAT(added.error().message, HasSubstr("is not trusted: it is not signed"));
  EXPECT_EQ(host_->status().size(), 1U);
}

TEST_F(SignTest, ATrunkIsSwappedOnlyForOneThatIsSignedWhoeverLooks) {
  const auto next = folder_ / "next.safetensors";
  const std::string id = write_toy_stock(next, 7);
  const auto bundle = folder_ / "left_next.safetensors";
  write_toy_bundle(bundle, {.trunk_id = id});
  sign(bundle, FileKind::bundle);
  const runtime::TrunkSwapRequest request{.stock = next, .bundles = {{"left", bundle}}};
  // A trunk process that trusts everybody: the host looks for itself.
  open_ = trunk::stock_opener({.max_rows = 1024}, std::nullopt);
  start_trunk();
  start_host();
  EXPECT_THAT(host_->swap_trunk(request).reason, HasSubstr("next.safetensors' is not trusted"));
  EXPECT_EQ(host_->trunk_id(), trunk_id_);
  host_.reset();
  trunk_.reset();
  open_ = trunk::stock_opener({.max_rows = 1024}, std::nullopt, trust().of(FileKind::stock));
  start_trunk();
  start_host();
  EXPECT_THAT(host_->swap_trunk(request).reason, HasSubstr("next.safetensors' is not trusted"));
  EXPECT_EQ(host_->trunk_id(), trunk_id_);
  EXPECT_EQ(host_->status()[0].generation, 1U);
  sign(next, FileKind::stock);
  const auto report = host_->swap_trunk(request);
  ASSERT_TRUE(report.ok()) << report.reason;
  EXPECT_EQ(host_->trunk_id(), id);
}

TEST_F(SignTest, ATrunkProcessStartsOnlyWithASignedStock) {
  const auto load = [&] {
    const auto loaded = trunk::load_trunk(config_.trunk.stock, {.max_rows = 64}, std::nullopt,
                                          trust().of(FileKind::stock));
    return loaded ? "loaded" : loaded.error().message;
  };
  EXPECT_EQ(load(), "loaded");
  alter(config_.trunk.stock);
  EXPECT_THAT(load(), HasSubstr("it was changed since"));
}

// Somebody puts another file there between the check and the use.
class Replaced : public SignTest, public testing::WithParamInterface<bool> {
 protected:
  /// Looks as a host would, and then the other file lies there.
  base::FileCheck check(FileKind kind, const std::string& other) {
    return [this, kind, other](const fs::path& file, std::span<const std::byte> bytes) {
      auto fine = trust().of(kind)(file, bytes);
      if (GetParam()) {  // by a rename
        write_bytes(folder_ / "beside", other);
        fs::rename(folder_ / "beside", file);
      } else {  // in place, from the first byte
        const int out = ::open(file.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        if (out >= 0) {  // else it is kept from writers for the moment
          EXPECT_EQ(::write(out, other.data(), other.size()), static_cast<ssize_t>(other.size()));
          ::close(out);
        }
      }
      return fine;
    };
  }
};

TEST_P(Replaced, WeightsAreThoseThatWereChecked) {
  const auto file = config_.robots[0].bundle;
  const std::string other = read_bytes(folder_ / "arm_other.safetensors");
  ASSERT_EQ(other.size(), read_bytes(file).size());
  const auto bundle = nn::Bundle::open(file, check(FileKind::bundle, other));
  ASSERT_TRUE(bundle) << bundle.error().message;
  EXPECT_FLOAT_EQ(bundle->head_weights()[0].data[0], 0.1F) << "the value that was signed";
}

TEST_P(Replaced, AWriterThatWasThereBeforeChangesNothing) {
  const auto file = config_.robots[0].bundle;
  const int out = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);  // so there is no lease
  ASSERT_GE(out, 0);
  const auto bundle = nn::Bundle::open(
      file, check(FileKind::bundle, read_bytes(folder_ / "arm_other.safetensors")));
  ::close(out);
  ASSERT_TRUE(bundle) << bundle.error().message;
  EXPECT_FLOAT_EQ(bundle->head_weights()[0].data[0], 0.1F);
}

TEST_P(Replaced, AMappedStockIsTheOneThatWasChecked) {
  const auto other = folder_ / "other_stock.safetensors";
  write_toy_stock(other, 9);
  const auto stock =
      nn::Stock::open_mapped(config_.trunk.stock, check(FileKind::stock, read_bytes(other)));
  ASSERT_TRUE(stock) << stock.error().message;
  EXPECT_EQ(stock->computed_identity().trunk, trunk_id_);
  EXPECT_TRUE(stock->file().unchanged());
}

TEST_P(Replaced, APluginIsTheOneThatWasChecked) {
  const auto file = config_.robots[0].plugin;
  const auto library = plugin::open_library(
      file, {.run_dir = folder_.path(), .check = check(FileKind::plugin, read_bytes(TOY_CART))});
  ASSERT_TRUE(library) << library.error().message;
  EXPECT_TRUE((*library)->embodiment("toy_arm"));
}

INSTANTIATE_TEST_SUITE_P(By, Replaced, testing::Bool(),
                         [](const auto& how) { return how.param ? "Rename" : "Writing"; });

// The program, as people use it.
class SignVerb : public SignTest {
 protected:
  int run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), CAMBIUM_PROGRAM);
    ChildProcess program(std::move(arguments), folder_.path());
    const int code = program.wait();
    said_.clear();
    for (std::string line; !(line = program.line()).empty();) said_ += line + "\n";
    error_ = program.error();
    return code;
  }
  std::string said_, error_;
};

TEST_F(SignVerb, MakesKeysSignsAndVerifiesWithoutTellingTheSecret) {
  ASSERT_EQ(run({"sign", "new", "mine"}), 0) << error_;
  const std::string secret = read_bytes(folder_ / "mine.secret");
  EXPECT_THAT(said_, testing::Not(HasSubstr(secret.substr(secret.find('\n') + 1, 16))));
  EXPECT_EQ(run({"sign", "new", "mine"}), 2);
  ASSERT_EQ(run({"sign", "arm.so", "arm.safetensors", "stock.safetensors", "--key", "mine.secret"}),
            0)
      << error_;
  EXPECT_THAT(said_, AllOf(HasSubstr("plugin 'arm.so'"), HasSubstr("bundle 'arm.safetensors'"),
                           HasSubstr("stock 'stock.safetensors'")));
  EXPECT_EQ(run({"sign", "verify", "arm.so", "arm.safetensors", "--trust", "mine.pub"}), 0)
      << error_;
  EXPECT_EQ(run({"sign", "verify", "arm.so", "--trust", "lab.pub"}), 1);
  EXPECT_THAT(error_, HasSubstr("[trust] names"));
  EXPECT_EQ(run({"sign", "lab.pub", "--key", "mine.secret"}), 2);
  EXPECT_FALSE(fs::exists(folder_ / "lab.pub.sig"));
  EXPECT_EQ(run({"sign", "arm.so"}), 2);
  EXPECT_THAT(error_, HasSubstr("--key is missing"));
}

TEST_F(SignVerb, ACheckTellsWhatIsNotSignedAndRunsNothingOfIt) {
  write_bytes(folder_ / "cambium.toml",
              "[trunk]\nstock = 'stock.safetensors'\n[trust]\nkeys = ['lab.pub']\n"
              "[[robot]]\nname = 'left'\nplugin = 'arm.so'\nbundle = 'arm.safetensors'\n");
  run({"check", "cambium.toml", "--only", "are signed"});
  EXPECT_THAT(said_, HasSubstr("PASS")) << said_ << error_;
  fs::remove(folder_ / "arm.so.sig");
  EXPECT_EQ(run({"check", "cambium.toml", "--only", "are signed"}), 1);
  EXPECT_THAT(said_, AllOf(HasSubstr("arm.so' is not trusted"), HasSubstr("it is not signed")));
  EXPECT_EQ(run({"check", "arm.so", "--trust", "lab.pub", "--only", "opens"}), 1) << said_;
  EXPECT_THAT(said_, HasSubstr("arm.so' is not trusted"));
}

}  // namespace
}  // namespace cambium::test
