// tests/integration/check_fixture.hpp: runs `cambium check` and reads what it says as JSON.
#pragma once

#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/child_process.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/toy_files.hpp"

namespace cambium::test {

class CheckVerb : public testing::Test {
 protected:
  CheckVerb() {
    // Where the program makes its scratch folders: nothing may be left there.
    std::filesystem::create_directory(temporary_);
    ::setenv("TMPDIR", temporary_.c_str(), 1);
    bundle_.trunk_id = write_toy_stock(stock_);
    write_toy_bundle(toy_, bundle_);
  }
  ~CheckVerb() override {
    EXPECT_TRUE(std::filesystem::is_empty(temporary_)) << "something was left behind";
    ::unsetenv("TMPDIR");
  }

  /// All of stdout, after the end.
  std::string run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {CAMBIUM_PROGRAM, "check"});
    ChildProcess program(std::move(arguments), folder_.path());
    exit_code_ = program.wait();
    std::string text;
    for (std::string line; !(line = program.line()).empty();) text += line + "\n";
    error_ = program.error();
    return text;
  }
  nlohmann::json check(std::vector<std::string> arguments) {
    arguments.emplace_back("--json");
    const auto text = run(std::move(arguments));
    auto report = nlohmann::json::parse(text, nullptr, false);
    EXPECT_FALSE(report.is_discarded()) << text << error_;
    return report;
  }
  /// "FAIL: sentence" of the one check whose name holds `name`.
  static std::string result(const nlohmann::json& report, const std::string& name) {
    std::string found = "no such check";
    if (!report.is_object()) return found;
    for (const auto& one : report["tests"])
      if (one["name"].get<std::string>().find(name) != std::string::npos)
        found = one["result"].get<std::string>() + ": " + one["message"].get<std::string>();
    return found;
  }
  /// A toy bundle whose head is called so.
  std::string with_head(const std::string& head) {
    bundle_.head = head;
    const auto file = folder_ / (head + ".safetensors");
    write_toy_bundle(file, bundle_);
    return file;
  }
  static std::string bad(const std::string& name) {
    return std::string(BAD_PLUGINS_DIR) + "/libbad_" + name + ".so";
  }

  TemporaryFolder folder_;
  const std::filesystem::path temporary_ = folder_ / "tmp";
  const std::string stock_ = folder_ / "stock.safetensors", toy_ = folder_ / "toy.safetensors";
  ToyBundle bundle_;
  int exit_code_ = -1;
  std::string error_;
};

}  // namespace cambium::test
