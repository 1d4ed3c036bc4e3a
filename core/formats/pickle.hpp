// core/formats/pickle.hpp: reads Python pickles and runs nothing: a list of names that are allowed,
// and what each of them means. Protocols 4 and 5, the defaults since Python 3.8.
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
/// writes them; every other name but `classes` is refused before anything is made of it. Numpy's
/// scalars have become numbers. Keys are texts, each once in a dictionary.
/// References are resolved: the tree that comes out has bounded depth and number of nodes, and none
/// contains itself. No length or index of the message is believed: memory grows with what was read,
/// and with `limits`. bad_data names the opcode and its place. Borrows `bytes`. [any]
Result<Value> read_pickle(std::span<const std::byte> bytes, std::span<const PickleClass> classes,
                          const Limits& limits = {});

}  // namespace cambium::formats
