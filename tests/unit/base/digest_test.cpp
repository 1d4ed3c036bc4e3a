#include <gtest/gtest.h>

#include "core/base/sha256.hpp"

namespace cambium::base {
namespace {

TEST(Digest, IsTheSameAfterHexAndBack) {
  Sha256 sha;
  sha.update("abc");
  const Digest digest = sha.finish();
  // FIPS 180-2, appendix B.1.
  EXPECT_EQ(to_hex(digest), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(from_hex(to_hex(digest)), digest);
}

TEST(Digest, OfTextThatIsNoneIsZero) {
  EXPECT_EQ(from_hex(""), Digest{});
  EXPECT_EQ(from_hex(std::string(63, '1')), Digest{});
  EXPECT_EQ(from_hex(std::string(63, '1') + "x"), Digest{});
  EXPECT_EQ(from_hex("-1" + std::string(62, '1')), Digest{});
}

}  // namespace
}  // namespace cambium::base
