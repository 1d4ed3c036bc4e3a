#include "core/formats/pickle.hpp"

#include <algorithm>
#include <utility>

#include "core/formats/pickle_machine.hpp"

namespace cambium::formats {
namespace {

/// The tree behind the nodes: every reference is followed and counted, so that what refers to
/// itself, or ten times to what refers ten times, ends at a limit.
class Tree {
 public:
  Tree(const PickleMachine& machine, std::span<const PickleClass> classes, const Limits& limits)
      : machine_(machine), classes_(classes), limits_(limits) {}

  bool make(PickleIndex index, std::uint32_t depth, Value& to) {
    if (++values_ > limits_.values)
      return fail("it has more than " + text(limits_.values) + " values");
    return std::visit([&](const auto& node) { return convert(node, depth, to); },
                      machine_.at(index));
  }
  const std::string& why() const noexcept { return why_; }

 private:
  static std::string text(std::uint32_t number) { return std::to_string(number); }
  bool fail(std::string what) {
    if (why_.empty()) why_ = "pickle: " + std::move(what);
    return false;
  }

  bool may_hold(std::uint32_t depth) {
    return depth < limits_.depth || fail("it is nested deeper than " + text(limits_.depth));
  }

  template <class Plain>
  bool convert(const Plain& plain, std::uint32_t, Value& to) {
    to.is = plain;
    return true;
  }
  bool convert(const PickleSequence& sequence, std::uint32_t depth, Value& to) {
    if (sequence.kind == PickleSequence::Kind::dict)
      return fields(sequence, depth, to.is.emplace<Map>());
    if (!may_hold(depth)) return false;
    auto& list = to.is.emplace<List>();
    for (const PickleIndex item : sequence.items)
      if (!make(item, depth + 1, list.emplace_back())) return false;
    return true;
  }
  bool convert(const PickleArray& array, std::uint32_t, Value& to) {
    if (!array.built) return fail("an array has no elements");
    to.is = array.view;
    return true;
  }
  bool convert(const PickleInstance& instance, std::uint32_t depth, Value& to) {
    const auto& of = classes_[instance.of];
    if (!instance.built) return fail("an object has no fields");
    auto& object = to.is.emplace<Object>(Object{of.module, of.name, {}});
    return fields(std::get<PickleSequence>(machine_.at(instance.state)), depth, object.fields);
  }
  bool convert(const PickleName&, std::uint32_t, Value&) {
    return fail("a class stands where a value should");
  }
  bool convert(const PickleDType&, std::uint32_t, Value&) {
    return fail("a dtype stands where a value should");
  }

  bool fields(const PickleSequence& dict, std::uint32_t depth, Map& to) {
    if (!may_hold(depth)) return false;
    std::vector<std::string_view> keys;
    for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      const auto* key = std::get_if<std::string_view>(&machine_.at(dict.items[i]));
      if (!key) return fail("a key is no text");
      keys.push_back(*key);
      auto& [name, value] = to.emplace_back();
      if (!make(dict.items[i], depth + 1, name) || !make(dict.items[i + 1], depth + 1, value))
        return false;
    }
    std::ranges::sort(keys);
    if (std::ranges::adjacent_find(keys) != keys.end()) return fail("a key is there twice");
    return true;
  }

  const PickleMachine& machine_;
  const std::span<const PickleClass> classes_;
  const Limits limits_;
  std::uint32_t values_ = 0;
  std::string why_;
};

}  // namespace

Result<Value> read_pickle(std::span<const std::byte> bytes, std::span<const PickleClass> classes,
                          const Limits& limits) {
  PickleMachine machine(bytes, classes, limits);
  const auto root = machine.run();
  if (!root) return root.error();
  Tree tree(machine, classes, limits);
  Result<Value> made = Value{};
  if (!tree.make(*root, 0, *made)) made = Error{Code::bad_data, tree.why()};
  return made;
}

}  // namespace cambium::formats
