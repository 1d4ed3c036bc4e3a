#include "core/base/mapped_file.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <thread>

#include "tests/support/temporary.hpp"

namespace cambium::base {
namespace {

using test::write_bytes;
using testing::HasSubstr;

std::string text_of(const MappedFile& file) {
  const auto bytes = file.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Polled for at most ten seconds.
template <class Condition>
bool comes_true(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition())
    if (std::chrono::steady_clock::now() > end) return false;
  return true;
}

class MappedFileOf : public testing::Test {
 protected:
  void SetUp() override {
    write_bytes(file_, content_);
    // Not every file system has leases.
    const Descriptor probe(::open(file_.c_str(), O_RDONLY | O_CLOEXEC));
    leases_ = ::fcntl(probe.get(), F_SETLEASE, F_RDLCK) == 0;
  }
  Descriptor try_to_write() const {
    return Descriptor(::open(file_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  }

  test::TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_ / "weights";
  const std::string content_ = std::string(10'000, 'w') + "end";
  bool leases_ = false;
};

TEST_F(MappedFileOf, HoldsTheBytesOfTheFile) {
  const auto file = MappedFile::open(file_);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(text_of(*file), content_);
  EXPECT_EQ(file->mapped(), leases_);
  EXPECT_TRUE(file->unchanged());
}

TEST_F(MappedFileOf, RefusesAWriterUntilItIsLetGo) {
  if (!leases_) GTEST_SKIP() << "no leases here";
  std::optional<MappedFile> file(std::move(*MappedFile::open(file_)));
  EXPECT_FALSE(file->wanted());
  EXPECT_FALSE(try_to_write());
  EXPECT_EQ(errno, EWOULDBLOCK);
  EXPECT_TRUE(file->wanted());
  EXPECT_TRUE(file->unchanged());
  EXPECT_TRUE(Descriptor(::open(file_.c_str(), O_RDONLY | O_CLOEXEC))) << "readers may";
  file.reset();
  EXPECT_TRUE(try_to_write());
}

TEST_F(MappedFileOf, SurvivesATruncationBecauseItWaits) {
  if (!leases_) GTEST_SKIP() << "no leases here";
  std::optional<MappedFile> file(std::move(*MappedFile::open(file_)));
  std::thread other([&] { EXPECT_EQ(::truncate(file_.c_str(), 0), 0); });
  EXPECT_TRUE(comes_true([&] { return file->wanted(); }));
  EXPECT_EQ(text_of(*file), content_);
  EXPECT_TRUE(file->unchanged());
  file.reset();
  other.join();
  EXPECT_EQ(std::filesystem::file_size(file_), 0U);
}

TEST_F(MappedFileOf, IsNotInTheWayOfARename) {
  const auto file = MappedFile::open(file_);
  write_bytes(folder_ / "new", "new");
  std::filesystem::rename(folder_ / "new", file_);
  EXPECT_EQ(text_of(*file), content_);
  EXPECT_EQ(text_of(*MappedFile::open(file_)), "new");
}

TEST_F(MappedFileOf, IsReadWhereSomebodyHasItOpenForWriting) {
  const Descriptor writer = try_to_write();
  const auto file = MappedFile::open(file_);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_FALSE(file->mapped());
  EXPECT_EQ(text_of(*file), content_);
  EXPECT_EQ(::ftruncate(writer.get(), 0), 0);
  EXPECT_EQ(text_of(*file), content_) << "a copy stays whole";
  EXPECT_TRUE(file->unchanged());
}

TEST_F(MappedFileOf, IsReadWhereASharedMappingCanStillWriteToIt) {
  void* at = MAP_FAILED;
  {
    const Descriptor writer(::open(file_.c_str(), O_RDWR | O_CLOEXEC));
    at = ::mmap(nullptr, content_.size(), PROT_READ | PROT_WRITE, MAP_SHARED, writer.get(), 0);
  }
  ASSERT_NE(at, MAP_FAILED);
  const auto file = MappedFile::open(file_);
  EXPECT_FALSE(file->mapped());
  static_cast<char*>(at)[0] = 'x';
  EXPECT_EQ(text_of(*file), content_);
  ::munmap(at, content_.size());
}

TEST_F(MappedFileOf, MovesWithItsBytes) {
  auto file = MappedFile::open(file_);
  const auto* const data = file->bytes().data();
  const MappedFile other(std::move(*file));
  EXPECT_EQ(other.bytes().data(), data);
  EXPECT_EQ(text_of(other), content_);
  EXPECT_TRUE(file->bytes().empty());
}

TEST_F(MappedFileOf, NothingIsEmpty) {
  write_bytes(file_, "");
  const auto file = MappedFile::open(file_);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_FALSE(file->mapped());
  EXPECT_TRUE(file->bytes().empty());
}

TEST_F(MappedFileOf, WhatIsNoFileIsRefusedByName) {
  EXPECT_EQ(MappedFile::open(folder_ / "absent").error().code, Code::not_found);
  EXPECT_THAT(MappedFile::open(folder_ / "absent").error().message,
              HasSubstr("absent': cannot open"));
  EXPECT_THAT(MappedFile::open(folder_.path()).error().message, HasSubstr("not a regular file"));
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(MappedFile::open(folder_ / "pipe").error().message, HasSubstr("not a regular file"));
}

}  // namespace
}  // namespace cambium::base
