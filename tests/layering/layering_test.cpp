// The whole source tree against the tables of rules.hpp, and the checks against what they must
// find.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/layering/checks.hpp"
#include "tests/layering/rules.hpp"

namespace cambium::layering {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

std::string read(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Sources below `folder`, relative to the root. Hidden folders and build trees are not ours.
std::vector<std::string> sources(const std::string& folder) {
  std::vector<std::string> files;
  if (!fs::exists(fs::path(SOURCE_ROOT) / folder)) return files;
  for (fs::recursive_directory_iterator at(fs::path(SOURCE_ROOT) / folder), end; at != end; ++at) {
    const auto name = at->path().filename().string();
    if (at->is_directory() && (name.starts_with(".") || name == "build"))
      at.disable_recursion_pending();
    const auto extension = at->path().extension();
    if (extension == ".cpp" || extension == ".hpp" || extension == ".h" || extension == ".c")
      files.push_back(fs::relative(at->path(), SOURCE_ROOT).generic_string());
  }
  return files;
}

TEST(Layering, EveryIncludeFollowsTheArrowsAndStaysBehindItsDoor) {
  std::size_t checked = 0;
  for (const char* top :
       {"interfaces", "core", "stems", "heads", "plugins", "examples", "tests", "bench"})
    for (const auto& file : sources(top)) {
      // Built outside the tree, against the installed SDK.
      if (file.starts_with("tests/sdk/project/")) continue;
      ++checked;
      for (const auto& finding : check_includes(file, read(fs::path(SOURCE_ROOT) / file)))
        ADD_FAILURE() << finding;
    }
  EXPECT_GT(checked, 40u) << "the tree was not found";
}

TEST(Layering, EveryPublicVirtualSaysWhoMayCallIt) {
  std::size_t functions = 0;
  for (const auto& file : sources("interfaces/cambium")) {
    const std::string text = read(fs::path(SOURCE_ROOT) / file);
    functions += virtual_functions(text).size();
    for (const auto& finding : check_thread_tags(file, text)) ADD_FAILURE() << finding;
  }
  EXPECT_GE(functions, 6u);
}

TEST(Layering, ARobotThatIncludesTheHostIsFound) {
  EXPECT_THAT(check_includes("plugins/arm/plugin.cpp",
                             "#include \"abi/plugin.hpp\"\n#include \"core/base/clock.hpp\"\n"),
              ElementsAre("plugins/arm/plugin.cpp:2: includes core/base/clock.hpp; plugins may "
                          "include itself and interfaces, stems, heads"));
}

TEST(Layering, AHostThatIncludesLearningIsFound) {
  EXPECT_THAT(check_includes("core/runtime/robot.cpp", "\n#include \"core/learn/graft.hpp\"\n"),
              ElementsAre(HasSubstr("core/runtime/robot.cpp:2: includes core/learn/graft.hpp")));
}

TEST(Layering, AContractThatIncludesAnythingElseIsFound) {
  EXPECT_THAT(check_includes("interfaces/cambium/stem.hpp", "#include \"core/nn/mlp.hpp\""),
              ElementsAre(HasSubstr("interfaces may include itself alone")));
  EXPECT_THAT(check_includes("interfaces/cambium/stem.hpp", "#include <Eigen/Core>"),
              ElementsAre(HasSubstr("Eigen/ belongs behind interfaces/cambium/eigen.hpp")));
  EXPECT_THAT(check_includes("interfaces/cambium/eigen.hpp", "#include <Eigen/Core>"), IsEmpty());
}

TEST(Layering, AThirdPartyHeaderOutsideItsDoorIsFound) {
  EXPECT_THAT(check_includes("core/runtime/robot.cpp", "#  include <dlfcn.h>"),
              ElementsAre("core/runtime/robot.cpp:1: includes dlfcn.h; dlfcn.h belongs behind "
                          "core/plugin, examples/reach"));
  EXPECT_THAT(check_includes("core/plugin/plugin_library.cpp", "#include <dlfcn.h>"), IsEmpty());
  EXPECT_THAT(check_includes("tests/unit/plugin/x.cpp", "#include <dlfcn.h>"), IsEmpty());
}

TEST(Layering, AFileNamedFromItsNeighbourIsFound) {
  EXPECT_THAT(check_includes("core/plugin/a.cpp", "#include \"b.hpp\""),
              ElementsAre(HasSubstr("name it from the root of the project")));
}

TEST(Layering, AFolderWithoutARoomIsFound) {
  EXPECT_THAT(check_includes("core/utils/a.cpp", ""),
              ElementsAre(HasSubstr("core/utils/a.cpp:1: lies in no room")));
}

TEST(Layering, AVirtualWithoutATagIsFoundAndAPrivateOneIsNot) {
  const char* text =
      "class Stem {\n public:\n  /// Encodes. [loop & active, rt]\n"
      "  virtual Status encode() noexcept = 0;\n  /// Forgot to say.\n"
      "  virtual void reset() noexcept = 0;\n protected:\n  virtual ~Stem() = default;\n"
      " private:\n  virtual void own() = 0;\n};\n";
  EXPECT_THAT(check_thread_tags("stem.hpp", text),
              ElementsAre(HasSubstr("stem.hpp:6: reset() does not say who may call it")));
}

}  // namespace
}  // namespace cambium::layering
