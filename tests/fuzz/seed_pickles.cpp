#include "tests/fuzz/seeds.hpp"
#include "tests/support/pickle_bytes.hpp"

namespace cambium::fuzz {

void pickle_seeds(const Keep& keep) {
  using namespace test::pickled;
  const auto keep_text = [&](const std::string& name, const std::string& message) {
    keep("pickle", name, test::as_message(message));
  };
  const auto scalar = name("numpy._core.multiarray", "scalar") +
                      tuple({dtype("f4", "<"), bytes(std::string("\0\0\x80\x3f", 4))}) + "R";
  keep_text("observation",
            test::lerobot_observation(
                {.readings = {{"a.pos", real(1.5)},
                              {"b.pos", scalar},
                              {"front", array(dtype("u1", "|"), {1, 2, 3}, "abcdef")},
                              {"wrist", buffer_array(dtype("u2", ">"), {3, 1}, "abcdef", "F")},
                              {"task", text("go")},
                              {"ready", truth(true)},
                              {"base", "N"}}}));
  keep_text("setup", test::lerobot_setup({.numbers = {"a.pos", "b.pos"},
                                          .cameras = {{"front", {4, 6}}},
                                          .renamed = {{"observation.images.front",
                                                       text("observation.images.top")}}}));
  // References, a frame, a list that contains itself.
  keep_text("references", whole_message("\x95" + little(14, 8) + "](" + text("k") + "\x94" +
                                        std::string("h\0j\0\0\0\0e", 8)));
  keep_text("itself", whole_message(std::string("]\x94h\0a", 5)));
}

}  // namespace cambium::fuzz
