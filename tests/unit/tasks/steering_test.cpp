#include "examples/tasks/steering.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace cambium::tasks {
namespace {

// Follows the field in small steps of equal length; how near it comes to the centre.
double nearest_on_the_way(Point at, const Point& goal, const Point& centre, double keep_out) {
  double nearest = distance(at, centre);
  for (int i = 0; i < 2000 && distance(at, goal) > 0.005; ++i) {
    const Point to = around(at, goal, centre, keep_out, false);
    const double step = 0.002 / distance(at, to);
    for (std::size_t k = 0; k < 3; ++k) at[k] += step * (to[k] - at[k]);
    nearest = std::min(nearest, distance(at, centre));
  }
  EXPECT_LE(distance(at, goal), 0.005) << "it never arrived";
  return nearest;
}

TEST(Around, GoesStraightWhereNothingIsInTheWay) {
  const Point goal = {1, 0, 0};
  EXPECT_EQ(around({0, 0, 0}, goal, {0.5, 0.3, 0}, 0.2, false), goal);
  EXPECT_EQ(around({0, 0, 0}, goal, {-0.3, 0, 0}, 0.2, false), goal) << "it lies behind";
  EXPECT_EQ(around({0, 0, 0}, goal, {1.3, 0, 0}, 0.2, false), goal) << "it lies beyond";
}

TEST(Around, LeadsPastABallOnEverySide) {
  for (const double beside : {0.15, 0.05, 1e-3, 0.0, -1e-3, -0.1})
    for (const double above : {0.1, 0.0, -0.12})
      EXPECT_GT(nearest_on_the_way({0, 0, 0}, {1, 0, 0}, {0.5, beside, above}, 0.2), 0.195)
          << beside << ", " << above;
}

TEST(Around, LeadsOutOfABallThatOneIsIn) {
  const Point from = {0.45, 0.1, 0}, centre = {0.5, 0, 0};
  const Point to = around(from, {1, 0, 0}, centre, 0.2, false);
  EXPECT_GT((to[0] - from[0]) * (from[0] - centre[0]) + (to[1] - from[1]) * (from[1] - centre[1]),
            0);
}

TEST(Around, KeepsAWayAroundACylinderFlat) {
  const Point to = around({0, 0, 0.3}, {1, 0, 0.1}, {0.5, 0.05, 0.1}, 0.2, true);
  EXPECT_NEAR(to[2], 0.1, 1e-12);
  EXPECT_LT(to[1], -0.1);
}

TEST(TakeAlong, MovesThePuckStraightAwayFromTheTool) {
  const Sizes sizes(1.0);
  Scene scene{.puck = {0.5, 0, 0.1}};
  take_along(TaskKind::push, sizes, {0.5 - sizes.contact() - 0.001, 0, 0.1}, scene);
  EXPECT_EQ(scene.puck[0], 0.5) << "not touched";
  take_along(TaskKind::push, sizes, {0.5 - sizes.contact() + 0.01, 0, 0.1}, scene);
  EXPECT_NEAR(scene.puck[0], 0.51, 1e-12);
  EXPECT_EQ(scene.puck[1], 0);
}

}  // namespace
}  // namespace cambium::tasks
