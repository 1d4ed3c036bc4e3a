#include <array>
#include <cstring>
#include <stdexcept>

#include "core/plugin/plugin_library.hpp"
#include "core/runtime/policy_channel.hpp"
#include "core/runtime/policy_report.hpp"
#include "tests/fuzz/seeds.hpp"
#include "tests/support/toy_files.hpp"

namespace cambium::fuzz {
namespace {

namespace fs = std::filesystem;

template <class T>
T must(Result<T> made) {
  if (!made) throw std::runtime_error(made.error().message);
  return *std::move(made);
}

/// What the counting head of a toy saves after some chunks.
std::vector<std::byte> saved_by(const plugin::PluginLibrary& library, int chunks) {
  auto head = must(library.create_head("counting"));
  const float value[] = {1, 1};
  const TensorView tensor = {"value", value, 1, {2}};
  Message why;
  if (!head->activate({.width = 8, .horizon = 1, .dof = 2, .weights = {&tensor, 1}}, why).ok())
    throw std::runtime_error(why.text);
  std::array<float, 2> action = {};
  for (int i = 0; i < chunks; ++i) (void)head->decode({}, {action.data(), 1, 2});
  std::vector<std::byte> bytes(kMaxStateBytes);
  std::uint32_t size = 0;
  if (!must(library.state_of(*head, "counting"))->save(bytes, size).ok())
    throw std::runtime_error("a toy cannot be saved");
  bytes.resize(size);
  return bytes;
}

// Two bytes that state_fuzz.cpp explains, then the state of each version, for each reader.
void states(const Keep& keep, const fs::path& work) {
  int version = 0;
  for (const char* file : {TOY_ARM, TOY_ARM_2}) {
    ++version;
    const auto library = must(plugin::open_library(file, {.run_dir = work / "run"}));
    for (const int chunks : {0, 7}) {
      for (const int reader : {0, 1}) {
        std::vector<std::byte> seed = {std::byte(reader), std::byte(version)};
        for (const auto byte : saved_by(*library, chunks)) seed.push_back(byte);
        keep("state",
             "version_" + std::to_string(version) + "_to_" + std::to_string(reader + 1) +
                 "_after_" + std::to_string(chunks),
             seed);
      }
    }
  }
}

void reports(const Keep& keep, const fs::path& work) {
  const auto library = must(plugin::open_library(TOY_ARM, {.run_dir = work / "run"}));
  const runtime::LibraryIdentity toy{library->name(), library->version(), library->sha256()};
  runtime::PolicyReport report{
      .body = must(library->embodiment()), .plugin = toy, .stem_plugin = toy, .head_plugin = toy};
  const auto keep_line = [&](const char* name, const std::string& line) {
    keep("policy_report", name, std::as_bytes(std::span(line)));
  };
  keep_line("body_alone", to_line(report));
  report.has_policy = true;
  report.bundle_sha256 = std::string(64, 'b');
  report.shape = {.tokens = 2, .width = 8, .features = 1, .horizon = 8, .dof = 2};
  report.head_name = "counting";
  report.token_layout = "joint_position (2) by pass: 1; 8 wide; mean pooled";
  report.state = {{.owner = "head:counting", .bytes = std::vector<std::byte>(kMaxStateBytes)}};
  report.body.safe_pose = {0.5, -0.5};
  report.body.jerk_max = {100, 100};
  report.body.axes = {{{0, 0, 0.1}, {0, 0, 1}}, {{0.3, 0, 0.1}, {0, 1, 0}}};
  keep_line("policy", to_line(report));
  keep_line("refused", runtime::to_line(Error{Code::not_found, "no such head"}));
}

// As policy_channel_fuzz.cpp lays the input out: what to do, number and status, sizes of the state,
// numbers, state.
void answers(const Keep& keep) {
  const auto answer = [&](const char* name, unsigned char what, std::uint32_t code, float number) {
    std::vector<std::byte> seed = {std::byte(what)};
    const auto put = [&](const auto& value) {
      for (const auto byte : std::as_bytes(std::span(&value, 1))) seed.push_back(byte);
    };
    using Header = runtime::ChannelHeader;
    std::array<std::uint32_t, (offsetof(Header, why) - offsetof(Header, answered)) / 4> status = {};
    status[(offsetof(Header, code) - offsetof(Header, answered)) / 4] = code;
    put(status);
    put(std::array<std::uint32_t, 4>{1, 16, 2, 5});  // version and size of both parts
    std::array<float, 12> numbers = {};
    numbers.fill(number);
    put(numbers);
    put(std::array<char, 21>{'s', 't', 'a', 't', 'e'});
    keep("policy_channel", name, seed);
  };
  answer("tokens", 1, 0, 0.5F);
  answer("chunk_after_restore", 2, 0, -0.25F);
  answer("refused", 1, 8, 0);
  answer("abandoned", 4 | 2, 0, 1);
}

}  // namespace

void policy_seeds(const Keep& keep, const fs::path& work) {
  states(keep, work);
  reports(keep, work);
  answers(keep);
}

}  // namespace cambium::fuzz
