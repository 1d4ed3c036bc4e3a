#include "core/adapters/json/base64.hpp"

#include <gtest/gtest.h>

#include <string>

namespace cambium::adapters {
namespace {

std::string decoded(std::string_view text) {
  std::vector<std::byte> bytes;
  if (!read_base64(text, bytes)) return "refused";
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// RFC 4648, section 10.
TEST(Base64, ReadsTheExamplesOfItsStandard) {
  EXPECT_EQ(decoded(""), "");
  EXPECT_EQ(decoded("Zg=="), "f");
  EXPECT_EQ(decoded("Zm8="), "fo");
  EXPECT_EQ(decoded("Zm9v"), "foo");
  EXPECT_EQ(decoded("Zm9vYg=="), "foob");
  EXPECT_EQ(decoded("Zm9vYmE="), "fooba");
  EXPECT_EQ(decoded("Zm9vYmFy"), "foobar");
  EXPECT_EQ(decoded("+/+/"), "\xfb\xff\xbf");
}

TEST(Base64, RefusesWhatIsNotItsAlphabetOrNotWhole) {
  for (const char* text : {"Zg", "Zg=", "Z===", "====", "Zm9v\n", "Zm 9", "-_-_", "Zm=v",
                           "Zh==", "Zm9=", "Z=9v", "Zg==Zm9v", "=Zm9", "Zm9\xff"})
    EXPECT_EQ(decoded(text), "refused") << text;
}

}  // namespace
}  // namespace cambium::adapters
