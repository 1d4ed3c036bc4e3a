#include "core/base/key_file.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "core/base/loopback.hpp"
#include "tests/support/temporary.hpp"

namespace cambium::base {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string line_of(const std::filesystem::path& file) {
  const std::string text = test::read_bytes(file);
  const std::size_t end = text.size() - 1, begin = text.rfind('\n', end - 1) + 1;
  return text.substr(begin, end - begin);
}

unsigned mode_of(const std::filesystem::path& file) {
  struct stat about = {};
  return ::stat(file.c_str(), &about) == 0 ? about.st_mode & 0777 : 0;
}

class KeyFile : public testing::Test {
 protected:
  NamedKey make(const std::string& name) {
    auto made = write_new_keys(folder_.path(), name);
    EXPECT_TRUE(made) << made.error().message;
    return made ? *made : NamedKey{};
  }
  static std::string refused(const Result<CurveSecret>& read) {
    EXPECT_FALSE(read);
    return read ? "" : read.error().message;
  }
  test::TemporaryFolder folder_;
};

TEST_F(KeyFile, IsReadAsItWasWritten) {
  const auto made = make("left_arm");
  const auto secret = read_curve_secret(folder_ / "left_arm.key");
  ASSERT_TRUE(secret) << secret.error().message;
  EXPECT_EQ(secret->public_key(), made.key);
  const auto shown = read_curve_key(folder_ / "left_arm.pub");
  ASSERT_TRUE(shown) << shown.error().message;
  EXPECT_EQ(shown->name, "left_arm");
  EXPECT_EQ(shown->key, made.key);
}

TEST_F(KeyFile, TellsItsPublicHalfOnly) {
  const auto made = make("host");
  const std::string secret = line_of(folder_ / "host.key").substr(sizeof "host secret " - 1);
  ASSERT_EQ(secret.size(), kKeyDigits);
  bool is_secret = false;
  const auto of_secret = show_key(folder_ / "host.key", is_secret);
  ASSERT_TRUE(of_secret);
  EXPECT_TRUE(is_secret);
  EXPECT_EQ(of_secret->key, made.key);
  EXPECT_NE(of_secret->key.text(), secret);
  EXPECT_THAT(test::read_bytes(folder_ / "host.pub"), Not(HasSubstr(secret)));
}

TEST_F(KeyFile, IsForItsOwnerAlone) {
  make("host");
  EXPECT_EQ(mode_of(folder_ / "host.key"), 0600U);
  for (const auto others : {0640, 0604, 0660, 0644}) {
    ASSERT_EQ(::chmod((folder_ / "host.key").c_str(), static_cast<mode_t>(others)), 0);
    EXPECT_THAT(refused(read_curve_secret(folder_ / "host.key")), HasSubstr("chmod 600"));
    bool is_secret = false;
    EXPECT_FALSE(show_key(folder_ / "host.key", is_secret));
  }
}

TEST_F(KeyFile, IsNeverOverwritten) {
  const auto first = make("host");
  const auto again = write_new_keys(folder_.path(), "host");
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("is left alone"));
  EXPECT_EQ(read_curve_key(folder_ / "host.pub")->key, first.key);
  // One of the two is enough, and no half of a pair is left behind.
  std::filesystem::remove(folder_ / "host.pub");
  EXPECT_FALSE(write_new_keys(folder_.path(), "host"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "host.pub"));
}

TEST_F(KeyFile, SaysWhichHalfWasMeant) {
  make("host");
  EXPECT_THAT(refused(read_curve_secret(folder_ / "host.pub")), HasSubstr("is a public key"));
  const auto wrong = read_curve_key(folder_ / "host.key");
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("is a secret key"));
}

TEST_F(KeyFile, IsRefusedWithoutBeingRepeated) {
  const std::string digits(kKeyDigits, 'z');
  const struct {
    std::string text, why;
  } cases[] = {{"", "is no secret key"},
               {"# only a comment\n", "is no secret key"},
               {"host secret " + digits.substr(1) + "\n", "is not 40 digits of Z85"},
               {"host secret " + digits.substr(1) + "~\n", "is not 40 digits of Z85"},
               // More than 32 bits in a group.
               {"host secret " + std::string(kKeyDigits, '#') + "\n", "is not 40 digits of Z85"},
               {"host secret " + digits + "\nhost secret " + digits + "\n", "is no secret key"},
               {"host secret " + digits + " more\n", "is no secret key"},
               {std::string(5000, 'x'), "is larger than any key file"}};
  for (const auto& [text, why] : cases) {
    test::write_bytes(folder_ / "host.key", text);
    ::chmod((folder_ / "host.key").c_str(), 0600);
    const std::string said = refused(read_curve_secret(folder_ / "host.key"));
    EXPECT_THAT(said, HasSubstr(why)) << text;
    EXPECT_THAT(said, HasSubstr("host.key"));
    EXPECT_THAT(said, Not(HasSubstr("zzzz")));
  }
  EXPECT_THAT(refused(read_curve_secret(folder_ / "none.key")), HasSubstr("cambium keys new"));
  EXPECT_THAT(refused(read_curve_secret(folder_.path())), HasSubstr("is not a file"));
  EXPECT_FALSE(write_new_keys(folder_.path(), "../host"));
}

// The test vector of ZeroMQ's RFC 32 has eight bytes; this is the key pair of RFC 7748, 6.1, in
// Z85.
TEST(CurveKey, IsCurve25519AndZ85) {
  CurveKey::Bytes bytes{0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b};
  EXPECT_EQ(CurveKey(bytes).text().substr(0, 10), "HelloWorld");
  const auto secret_bytes =
      CurveKey::Bytes{0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1,
                      0x72, 0x51, 0xb2, 0x66, 0x45, 0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0,
                      0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a};
  const auto secret = CurveSecret::parse(CurveKey(secret_bytes).text());
  ASSERT_TRUE(secret);
  const auto public_bytes =
      CurveKey::Bytes{0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54, 0x74, 0x8b, 0x7d,
                      0xdc, 0xb4, 0x3e, 0xf7, 0x5a, 0x0d, 0xbf, 0x3a, 0x0d, 0x26, 0x38,
                      0x1a, 0xf4, 0xeb, 0xa4, 0xa9, 0x8e, 0xaa, 0x9b, 0x4e, 0x6a};
  EXPECT_EQ(secret->public_key(), CurveKey(public_bytes));
  EXPECT_EQ(CurveKey::parse(CurveKey(public_bytes).text()), CurveKey(public_bytes));
}

TEST(CurveKey, IsGoneFromWhereItWasMovedFrom) {
  auto first = CurveSecret::random();
  const auto key = first.public_key();
  auto second = std::move(first);
  EXPECT_EQ(second.public_key(), key);
  // NOLINTNEXTLINE(bugprone-use-after-move): what is left is the question.
  EXPECT_TRUE(std::ranges::all_of(first.bytes(), [](unsigned char byte) { return byte == 0; }));
}

TEST(Loopback, IsThisMachineAndNothingThatLooksLikeIt) {
  for (const char* host : {"127.0.0.1", "127.255.1.0", "[::1]"}) EXPECT_TRUE(is_loopback(host));
  for (const char* host : {"0.0.0.0", "*", "", "128.0.0.1", "127.0.0", "127.0.0.256", "127.0.0.1.x",
                           "127.0.0.1 ", "::1", "[::]", "localhost", "127.0.0.1;10.0.0.1"})
    EXPECT_FALSE(is_loopback(host)) << host;
}

}  // namespace
}  // namespace cambium::base
