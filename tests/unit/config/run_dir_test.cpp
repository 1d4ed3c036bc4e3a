#include "core/config/run_dir.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace cambium::config {
namespace {

class RunDir : public testing::Test {
 protected:
  RunDir() {
    char name[] = "/tmp/cambium_run_dir_XXXXXX";
    directory_ = ::mkdtemp(name);
  }
  ~RunDir() override { std::filesystem::remove_all(directory_); }

  static unsigned mode(const std::filesystem::path& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_mode & 0777;
  }
  std::filesystem::path directory_;
};

TEST_F(RunDir, LiesInTheUsersRuntimeDirectory) {
  ::setenv("XDG_RUNTIME_DIR", directory_.c_str(), 1);
  const auto made = default_run_dir();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(*made, directory_ / "cambium");
  EXPECT_EQ(mode(*made), 0700u);
}

TEST_F(RunDir, CarriesTheUserIdWithoutOne) {
  ::unsetenv("XDG_RUNTIME_DIR");
  EXPECT_EQ(default_run_dir_path(), "/tmp/cambium-" + std::to_string(::getuid()));
  ::setenv("XDG_RUNTIME_DIR", "relative", 1);
  EXPECT_EQ(default_run_dir_path(), "/tmp/cambium-" + std::to_string(::getuid()));
}

TEST_F(RunDir, IsClosedToOthersEvenIfItWasOpen) {
  const auto open = directory_ / "open";
  ASSERT_EQ(::mkdir(open.c_str(), 0777), 0);
  ASSERT_EQ(::chmod(open.c_str(), 0777), 0);
  ASSERT_TRUE(make_run_dir(open));
  EXPECT_EQ(mode(open), 0700u);
}

TEST_F(RunDir, RefusesALinkThatSomebodyPutThere) {
  std::filesystem::create_directory_symlink("/tmp", directory_ / "link");
  const auto made = make_run_dir(directory_ / "link");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message, "run directory '" + (directory_ / "link").string() +
                                      "': is not a directory (links are not followed)");
}

TEST_F(RunDir, RefusesAFile) {
  std::ofstream(directory_ / "file") << "x";
  EXPECT_FALSE(make_run_dir(directory_ / "file"));
  EXPECT_FALSE(make_run_dir(directory_ / "file" / "below"));
}

TEST_F(RunDir, RefusesADirectoryOfAnotherUser) {
  // Only root can give a directory away; for others / is somebody else's.
  auto other = directory_ / "other";
  ASSERT_EQ(::mkdir(other.c_str(), 0700), 0);
  if (::chown(other.c_str(), 65534, 65534) != 0) other = "/";
  const auto made = make_run_dir(other);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, testing::HasSubstr("belongs to user "));
}

}  // namespace
}  // namespace cambium::config
