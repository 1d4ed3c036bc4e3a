#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/nn/stock.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/toy_files.hpp"

namespace cambium {
namespace {

using test::ChildProcess;
using testing::AllOf;
using testing::HasSubstr;

class ConvertVerb : public testing::Test {
 protected:
  ChildProcess run(std::vector<std::string> arguments) const {
    std::vector<std::string> all{CAMBIUM_PROGRAM, "convert"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return ChildProcess(all, folder_.path());
  }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_.path()), {}));
  }

  test::TemporaryFolder folder_;
  const std::string id_ = test::write_toy_stock(folder_ / "stock");
};

TEST_F(ConvertVerb, ShowsBothIdsAndSaysThatItIsAnotherTrunk) {
  auto program = run({"stock", "small", "--precision", "bf16"});
  EXPECT_THAT(program.line(), HasSubstr("wrote small: 4 of 14 tensors"));
  EXPECT_THAT(program.line(), AllOf(HasSubstr("was  trunk " + id_), HasSubstr("f32")));
  const auto written = nn::Stock::open(folder_ / "small");
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_THAT(program.line(),
              AllOf(HasSubstr("is   trunk " + written->trunk_id()), HasSubstr("bf16")));
  EXPECT_THAT(program.line(),
              AllOf(HasSubstr("This is another trunk"), HasSubstr("[trunk] precision = \"bf16\"")));
  EXPECT_EQ(program.wait(), 0);
  EXPECT_EQ(program.error(), "");
  EXPECT_EQ(files(), 2U);
}

TEST_F(ConvertVerb, ReportsAsJson) {
  auto program = run({"stock", "small", "--precision", "int8", "--json"});
  const auto report = nlohmann::json::parse(program.line());
  EXPECT_EQ(report["from"]["trunk"], id_);
  EXPECT_EQ(report["to"]["trunk"], nn::Stock::open(folder_ / "small")->trunk_id());
  EXPECT_EQ(report["to"]["precision"], "int8");
  EXPECT_EQ(report["to"]["bytes"], std::filesystem::file_size(folder_ / "small"));
  EXPECT_EQ(report["changed"], 4);
  EXPECT_GT(report["error"], 0);
  EXPECT_EQ(report["same_trunk"], false);
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(ConvertVerb, SaysWhenNothingChanged) {
  auto program = run({"stock", "same", "--precision", "f32"});
  for (int i = 0; i < 3; ++i) program.line();
  EXPECT_EQ(program.line(), "The weights are the same, so it is the same trunk.");
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(ConvertVerb, RefusesWhatItCannotDoAndWritesNothing) {
  test::write_bytes(folder_ / "there", "precious");
  std::filesystem::create_symlink("stock", folder_ / "link");
  struct Case {
    std::vector<std::string> arguments;
    int exit_code;
    std::string sentence;
  };
  const Case cases[] = {
      {{"stock", "new", "--precision", "bf61"}, 2, "'bf61' (did you mean 'bf16'?)"},
      {{"stock", "new", "--precision", "fp8"}, 2, "(valid: 'f32', 'bf16', 'int8')"},
      {{"stock", "new"}, 2, "--precision"},
      {{"stock", "there", "--precision", "bf16"}, 2, "'there' is there already; --force"},
      {{"stock", "link", "--precision", "bf16", "--force"}, 2, "'link' is the stock itself"},
      {{"none", "new", "--precision", "bf16"}, 2, "'none': cannot open"},
      {{"there", "new", "--precision", "bf16"}, 2, "'there': "},
      {{"stock", "no/new", "--precision", "bf16"}, 1, "'no/new': cannot create"},
  };
  for (const auto& wrong : cases) {
    auto program = run(wrong.arguments);
    EXPECT_THAT(program.error(), HasSubstr(wrong.sentence));
    EXPECT_EQ(program.wait(), wrong.exit_code) << wrong.sentence;
  }
  EXPECT_EQ(files(), 3U);
  EXPECT_EQ(test::read_bytes(folder_ / "there"), "precious");
  auto forced = run({"stock", "there", "--precision", "bf16", "--force"});
  EXPECT_EQ(forced.wait(), 0);
  EXPECT_TRUE(nn::Stock::open(folder_ / "there"));
}

}  // namespace
}  // namespace cambium
