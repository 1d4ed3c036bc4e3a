#include "examples/tasks/steering.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace cambium::tasks {
namespace {

// Follows the field in small steps of equal length; how near it comes to the centre.
template <class Field>
double nearest_on_the_way(Point at, const Point& goal, const Point& centre, const Field& field) {
  double nearest = distance(at, centre);
  for (int i = 0; i < 2000 && distance(at, goal) > 0.005; ++i) {
    const Point to = field(at);
    const double step = 0.002 / distance(at, to);
    for (std::size_t k = 0; k < 3; ++k) at[k] += step * (to[k] - at[k]);
    nearest = std::min(nearest, distance(at, centre));
  }
  EXPECT_LE(distance(at, goal), 0.005) << "it never arrived";
  return nearest;
}

TEST(Around, GoesStraightWhereNothingIsInTheWay) {
  const Point goal = {1, 0, 0};
  EXPECT_EQ(around({0, 0, 0}, goal, {0.5, 0.3, 0}, 0.2), goal);
  EXPECT_EQ(around({0, 0, 0}, goal, {-0.3, 0, 0}, 0.2), goal) << "it lies behind";
  EXPECT_EQ(around({0, 0, 0}, goal, {1.3, 0, 0}, 0.2), goal) << "it lies beyond";
}

TEST(Around, LeadsPastACylinderOnEitherSide) {
  const Point goal = {1, 0, 0};
  for (const double beside : {0.15, 0.05, 1e-3, 0.0, -1e-3, -0.1}) {
    const Point centre = {0.5, beside, 0};
    EXPECT_GT(nearest_on_the_way({0, 0, 0}, goal, centre,
                                 [&](const Point& at) { return around(at, goal, centre, 0.2); }),
              0.195)
        << beside;
  }
}

TEST(Around, LeadsOutOfACylinderThatOneIsIn) {
  const Point from = {0.45, 0.1, 0}, centre = {0.5, 0, 0};
  const Point to = around(from, {1, 0, 0}, centre, 0.2);
  EXPECT_GT((to[0] - from[0]) * (from[0] - centre[0]) + (to[1] - from[1]) * (from[1] - centre[1]),
            0);
}

TEST(Around, StaysAtTheHeightOfTheGoal) {
  const Point to = around({0, 0, 0.3}, {1, 0, 0.1}, {0.5, 0.05, 0.1}, 0.2);
  EXPECT_NEAR(to[2], 0.1, 1e-12);
  EXPECT_LT(to[1], -0.1);
}

TEST(Over, GoesStraightWhereNothingIsNear) {
  const Point goal = {1, 0, 0};
  const auto straight = [&](const Point& centre) {
    return distance(over({0, 0, 0}, goal, centre, 0.2, false), goal) < 1e-12;
  };
  EXPECT_TRUE(straight({0.5, 0.33, 0}));
  EXPECT_TRUE(straight({-0.3, 0, 0})) << "it lies behind";
  EXPECT_TRUE(straight({1.3, 0, 0})) << "it lies beyond";
}

TEST(Over, LeadsOverABallWhereverTheWayPassesIt) {
  const Point goal = {1, 0, 0};
  for (const double beside : {0.15, 0.05, 1e-3, 0.0, -1e-3, -0.1})
    for (const double above : {0.1, 0.0, -0.12}) {
      const Point centre = {0.5, beside, above};
      EXPECT_GT(
          nearest_on_the_way({0, 0, 0}, goal, centre,
                             [&](const Point& at) { return over(at, goal, centre, 0.2, false); }),
          0.14)
          << beside << ", " << above;
    }
}

TEST(Over, TurnsLittleWhereTheBallMovesLittle) {
  const auto way_past = [](double along, double beside) {
    return over({0, 0, 0}, {1, 0, 0}, {along, beside, 0}, 0.2, false);
  };
  for (double along = 0.25; along < 1; along += 0.05)
    for (double beside = -0.4; beside < 0.4; beside += 0.01)
      EXPECT_LT(distance(way_past(along, beside), way_past(along, beside + 0.01)), 0.2)
          << along << ", " << beside;
}

TEST(Over, LeadsToTheLeftWhereToolsCannotRise) {
  const Point to = over({0, 0, 0}, {1, 0, 0}, {0.5, 0.01, 0}, 0.2, true);
  EXPECT_EQ(to[2], 0);
  EXPECT_GT(to[1], 0.4);
}

TEST(Sizes, KnowWhichBodiesStayAtOneHeight) {
  EXPECT_TRUE(Sizes(make_body("planar3", TaskKind::choose)->embodiment).flat);
  EXPECT_FALSE(Sizes(make_body("scara4", TaskKind::choose)->embodiment).flat);
  EXPECT_FALSE(Sizes(make_body("so101", TaskKind::choose)->embodiment).flat);
}

TEST(TakeAlong, MovesThePuckStraightAwayFromTheTool) {
  const Sizes sizes(make_body("so101", TaskKind::push)->embodiment);
  Scene scene{.puck = {0.5, 0, 0.1}};
  take_along(TaskKind::push, sizes, {0.5 - sizes.contact() - 0.001, 0, 0.1}, scene);
  EXPECT_EQ(scene.puck[0], 0.5) << "not touched";
  take_along(TaskKind::push, sizes, {0.5 - sizes.contact() + 0.01, 0, 0.1}, scene);
  EXPECT_NEAR(scene.puck[0], 0.51, 1e-12);
  EXPECT_EQ(scene.puck[1], 0);
}

}  // namespace
}  // namespace cambium::tasks
