// A message of a LeRobot client: a tree within its limits whose arrays lie in the message, or a
// sentence; and what the adapter makes of it.
#include "core/adapters/lerobot/messages.hpp"
#include "core/formats/pickle.hpp"
#include "tests/fuzz/arrays.hpp"
#include "tests/fuzz/target.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cambium;
  static constexpr formats::PickleClass kClasses[] = {
      {"lerobot.async_inference.helpers", "TimedObservation"},
      {"lerobot.async_inference.helpers", "RemotePolicyConfig"}};
  const auto bytes = fuzz::bytes(data, size);
  const formats::Limits limits{.depth = 12, .values = 500};
  const auto tree = formats::read_pickle(bytes, kClasses, limits);
  fuzz::says_why(tree);
  if (tree) {
    std::uint32_t values = 0;
    fuzz::sound(*tree, bytes, limits.depth, values);
    fuzz::promise(values <= limits.values, "a tree has no more values than allowed");
  }
  const auto observation = adapters::read_observation(bytes);
  fuzz::says_why(observation);
  if (observation) {
    fuzz::promise(observation->timestep >= 0, "a timestep is none before the first");
    for (const auto& entry : observation->what.entries) {
      fuzz::promise(!entry.key.empty(), "a reading has a name");
      fuzz::promise(!entry.array.text().empty(), "and can be named");
    }
  }
  const auto setup = adapters::read_setup(bytes);
  fuzz::says_why(setup);
  if (setup) fuzz::promise(setup->rows > 0 && !setup->policy.empty(), "a setup asks for something");
  return 0;
}
