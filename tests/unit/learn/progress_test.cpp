#include <gmock/gmock.h>
#include <signal.h>

#include <limits>

#include "core/learn/curve.hpp"
#include "core/learn/interrupt.hpp"
#include "core/learn/progress_line.hpp"

namespace cambium::learn {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

std::string shown(bool terminal, std::uint32_t steps) {
  std::FILE* file = std::tmpfile();
  {
    ProgressLine line(file, terminal);
    ProgressLine::Clock::time_point now;
    for (std::uint32_t step = 1; step <= steps; ++step, now += std::chrono::milliseconds(20))
      line.show({step, steps, 0.5, kNone}, now);
  }
  std::string text(static_cast<std::size_t>(std::ftell(file)), '\0');
  std::rewind(file);
  EXPECT_EQ(std::fread(text.data(), 1, text.size(), file), text.size());
  std::fclose(file);
  return text;
}

TEST(ProgressLine, SaysHowFarAndHowLong) {
  EXPECT_EQ(progress_line({2500, 5000, 0.02131, 0.025}, std::chrono::seconds(81)),
            "[############............]  50%  2500/5000  loss 0.0213  held out 0.0250  1:21 left");
  EXPECT_EQ(progress_line({1, 5000, 0.5, kNone}, std::chrono::seconds(-1)),
            "[........................]   0%  1/5000  loss 0.5000");
}

TEST(ProgressLine, IsALineEveryTenthWhereNobodyWatches) {
  const std::string text = shown(false, 1000);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 10);
  EXPECT_THAT(text, AllOf(Not(HasSubstr("\r")), HasSubstr("100%"), HasSubstr("0:10 left")));
}

TEST(ProgressLine, RedrawsTenTimesASecondOnATerminal) {
  const std::string text = shown(true, 101);  // 2 s
  EXPECT_EQ(std::count(text.begin(), text.end(), '\r'), 21);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

TEST(Interrupt, TurnsASignalIntoAQuestionAndBack) {
  {
    const Interrupt interrupt;
    EXPECT_FALSE(interrupt.asked());
    ::raise(SIGINT);
    EXPECT_TRUE(interrupt.asked());
  }
  const Interrupt fresh;
  EXPECT_FALSE(fresh.asked());
}

TEST(Curve, IsDrawnForOnePointForNoneAndWithoutValidation) {
  const std::vector<LossPoint> one = {{10, 0.5, kNone}};
  EXPECT_THAT(draw_curve("a < b & c", one),
              AllOf(HasSubstr("a &lt; b &amp; c"), HasSubstr("training"), Not(HasSubstr("nan")),
                    Not(HasSubstr("held-out"))));
  EXPECT_THAT(draw_curve("none", {}), HasSubstr("</svg>"));
}

}  // namespace
}  // namespace cambium::learn
