#include "core/learn/parameters.hpp"

#include <utility>

#include "core/learn/chance.hpp"

namespace cambium::learn {

std::size_t ParameterLayout::add(std::string name, std::vector<std::uint64_t> shape, double spread,
                                 double start) {
  std::size_t size = 1;
  for (const std::uint64_t extent : shape) size *= extent;
  const std::size_t offset = size_;
  places_.push_back({std::move(name), std::move(shape), offset, size, spread, start});
  size_ += size;
  return offset;
}

std::vector<float> ParameterLayout::initial(std::uint64_t seed) const {
  std::vector<float> values(size_);
  for (const ParameterPlace& place : places_)
    for (std::size_t i = 0; i < place.size; ++i)
      values[place.offset + i] = static_cast<float>(
          place.start + place.spread * (2 * uniform(chance({seed, number_of(place.name), i})) - 1));
  return values;
}

}  // namespace cambium::learn
