// bench/plugin/mark.hpp: digits that the bench writes over, so that the same code is another file
// each time.
#pragma once

namespace cambium::bench {
namespace {  // each library has its own

__attribute__((section("bench_mark"), used)) constexpr char kMark[] = "bench mark 0000000000000000";

}  // namespace
}  // namespace cambium::bench
