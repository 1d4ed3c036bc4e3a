// core/formats/pickle.hpp: reads Python pickles and runs nothing: a list of names that are allowed,
// and what each of them means. Protocols 2 to 5.
#pragma once

#include <span>
#include <string_view>

#include "cambium/result.hpp"
#include "core/formats/value.hpp"

namespace cambium::formats {

/// A class whose objects may be in a pickle, built by NEWOBJ without arguments and BUILD with a
/// dictionary. Compared as whole strings.
struct PickleClass {
  std::string_view module, name;
};

/// Names of numpy's arrays, element types and scalars are always allowed, in the places where numpy
/// writes them; every other name but `classes` is refused before anything is made of it.
/// References are resolved: the tree that comes out has bounded depth and number of nodes, and none
/// contains itself. bad_data names the opcode and its place. Borrows `bytes`. [any]
Result<Value> read_pickle(std::span<const std::byte> bytes, std::span<const PickleClass> classes,
                          const Limits& limits = {});

}  // namespace cambium::formats
