#include "core/adapters/json/line_reader.hpp"

#include <gtest/gtest.h>

namespace cambium::adapters {
namespace {

using Found = LineReader::Found;

/// Everything that is found after these bytes: lines, "(long)", "(endless)".
std::string all(LineReader& reader, std::string_view bytes) {
  reader.add(bytes);
  std::string out;
  for (;;) {
    std::string_view line;
    switch (reader.next(line)) {
      case Found::nothing:
        return out;
      case Found::line:
        out += "[" + std::string(line) + "]";
        break;
      case Found::too_long:
        out += "(long)";
        break;
      case Found::endless:
        return out + "(endless)";
    }
  }
}

TEST(LineReader, CutsWhatComesTogetherAndJoinsWhatComesInPieces) {
  LineReader reader(100);
  EXPECT_EQ(all(reader, "one\ntwo\nth"), "[one][two]");
  EXPECT_TRUE(reader.begun());
  EXPECT_EQ(all(reader, "r"), "");
  EXPECT_EQ(all(reader, "ee\n"), "[three]");
  EXPECT_FALSE(reader.begun());
}

TEST(LineReader, SkipsEmptyLinesAndTakesBothEnds) {
  LineReader reader(100);
  EXPECT_EQ(all(reader, "\n\r\n  \na\r\n\nb\n"), "[a][b]");
}

TEST(LineReader, ThrowsALongLineAwayAndGoesOn) {
  LineReader reader(4);
  EXPECT_EQ(all(reader, "1234\n12345\nabc\n"), "[1234](long)[abc]");
  EXPECT_EQ(all(reader, "12345"), "");
  EXPECT_TRUE(reader.begun());
  EXPECT_EQ(all(reader, "67\nok\n"), "(long)[ok]");
}

TEST(LineReader, AwaitsNoEndForEver) {
  LineReader reader(4);
  EXPECT_EQ(all(reader, "1234567"), "");
  EXPECT_EQ(all(reader, "1234567"), "");
  EXPECT_EQ(all(reader, "1234567"), "(endless)");
}

}  // namespace
}  // namespace cambium::adapters
