// `cambium bench forward` as bench/peers uses it: a real process, commands and answers a line each.
#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/child_process.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/toy_files.hpp"

namespace cambium {
namespace {

using nlohmann::json;
using testing::Each;
using testing::Gt;
using testing::HasSubstr;
using testing::Ne;
using testing::SizeIs;

constexpr std::size_t kRows = 2 * 5;

std::vector<float> floats(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

// A process whose standard input is a file of commands.
class BenchForward : public testing::Test {
 protected:
  BenchForward() { test::write_toy_stock(folder_ / "stock.safetensors"); }

  std::vector<json> answers(const std::string& commands, const std::string& options = "") {
    test::write_bytes(folder_ / "commands", commands);
    test::ChildProcess process(
        {"/bin/sh", "-c",
         std::string("exec '") + CAMBIUM_PROGRAM +
             "' bench forward --stock stock.safetensors --robots 2 --tokens 5 " + options +
             " <commands"},
        folder_.path());
    std::vector<json> all;
    for (std::string line; !(line = process.line()).empty();)
      all.push_back(json::parse(line, nullptr, false));
    error_ = process.error();
    exit_code_ = process.wait();
    return all;
  }
  void write_input(const std::string& name, const std::vector<float>& values) {
    test::write_bytes(folder_ / name, {reinterpret_cast<const char*>(values.data()),
                                       values.size() * sizeof(float)});
  }
  std::vector<float> output(const std::string& name) {
    return floats(test::read_bytes(folder_ / name));
  }

  test::TemporaryFolder folder_;
  std::string error_;
  int exit_code_ = -1;
};

TEST_F(BenchForward, TimesEachPassAndGivesTheSameFeaturesEachTime) {
  write_input("rows", std::vector<float>(kRows * test::kToyWidth, 0.5F));
  const auto lines =
      answers("run 2\noutput a\nrun 3\noutput b\ninput rows\nrun 1\noutput c\nquit\n");
  ASSERT_THAT(lines, SizeIs(8));
  EXPECT_EQ(lines[0].value("event", ""), "ready");
  EXPECT_EQ(lines[0].value("precision", ""), "f32");
  EXPECT_EQ(lines[0].value("width", 0u), test::kToyWidth);
  EXPECT_THAT(lines[1]["ms"].get<std::vector<double>>(), testing::AllOf(SizeIs(2), Each(Gt(0.0))));
  EXPECT_THAT(lines[3]["ms"], SizeIs(3));
  EXPECT_THAT(output("a"), SizeIs(kRows * test::kToyWidth));
  EXPECT_THAT(output("a"), Each(testing::Truly([](float x) { return std::isfinite(x); })));
  EXPECT_EQ(output("a"), output("b"));
  EXPECT_THAT(output("c"), SizeIs(kRows * test::kToyWidth));
  EXPECT_THAT(output("c"), Ne(output("a")));
  EXPECT_EQ(exit_code_, 0) << error_;
}

TEST_F(BenchForward, SaysWhatItCannotDoAndReadsOn) {
  write_input("short", std::vector<float>(7));
  const auto lines =
      answers("runs 1\nrun no\nrun 0\noutput early\ninput nowhere\ninput short\nrun 1\n");
  ASSERT_THAT(lines, SizeIs(8));
  const char* const told[] = {"no command 'runs' (did you mean 'run'?)",
                              "run: 'no', expected a whole number",
                              "run: '0'",
                              "output: nothing has run yet",
                              "input 'nowhere': cannot be read",
                              "input 'short': 28 bytes, expected 320: 10 rows of 8 f32"};
  for (std::size_t i = 0; i < std::size(told); ++i)
    EXPECT_THAT(lines[i + 1].value("error", ""), HasSubstr(told[i]));
  EXPECT_THAT(lines[7]["ms"], SizeIs(1));
  EXPECT_EQ(exit_code_, 0) << "the end of its input is an end like any other: " << error_;
}

TEST_F(BenchForward, AStockThatIsNotThereIsALineAndASentence) {
  std::filesystem::remove(folder_ / "stock.safetensors");
  const auto lines = answers("run 1\n");
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(lines[0].value("event", ""), "error");
  EXPECT_THAT(lines[0].value("text", ""), HasSubstr("stock.safetensors"));
  EXPECT_THAT(error_, HasSubstr("cambium bench forward: "));
  EXPECT_EQ(exit_code_, 2);
}

}  // namespace
}  // namespace cambium
