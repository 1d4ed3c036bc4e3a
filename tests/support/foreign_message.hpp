// tests/support/foreign_message.hpp: a client's message in hand, as an adapter would have read it.
#pragma once

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/gateway/observation.hpp"

namespace cambium::test {

/// Owns the bytes that its observation borrows.
class ForeignMessage {
 public:
  /// float32 of this shape; without one a row of numbers.
  ForeignMessage& add(const std::string& key, const std::vector<float>& numbers,
                      std::initializer_list<std::uint64_t> shape = {}) {
    return put(key, formats::Element::f32, std::as_bytes(std::span(numbers)), sizeof(float),
               shape.size() == 0 ? std::vector<std::uint64_t>{numbers.size()}
                                 : std::vector<std::uint64_t>(shape));
  }
  /// uint8 of this shape.
  ForeignMessage& add_bytes(const std::string& key, const std::vector<std::uint8_t>& bytes,
                            std::initializer_list<std::uint64_t> shape) {
    return put(key, formats::Element::u8, std::as_bytes(std::span(bytes)), 1, shape);
  }
  /// One float64 without a shape, as LeRobot sends a joint.
  ForeignMessage& add_number(const std::string& key, double number) {
    return put(key, formats::Element::f64, std::as_bytes(std::span(&number, 1)), sizeof number, {});
  }
  ForeignMessage& task(std::string_view text) {
    observation_.task = text;
    return *this;
  }

  const gateway::Observation& operator*() const noexcept { return observation_; }
  gateway::Observation::Entry& last() { return observation_.entries.back(); }

 private:
  ForeignMessage& put(const std::string& key, formats::Element element,
                      std::span<const std::byte> bytes, std::uint32_t element_bytes,
                      std::vector<std::uint64_t> shape) {
    bytes_->emplace_back(bytes.begin(), bytes.end());
    formats::ArrayView array;
    array.element = element;
    array.element_bytes = element_bytes;
    array.rank = static_cast<std::uint32_t>(shape.size());
    for (std::size_t i = 0; i < shape.size(); ++i) array.shape[i] = shape[i];
    array.data = bytes_->back();
    observation_.entries.push_back({key, array});
    return *this;
  }

  using Blocks = std::deque<std::vector<std::byte>>;
  std::shared_ptr<Blocks> bytes_ = std::make_shared<Blocks>();  // a copy borrows from the same
  gateway::Observation observation_;
};

}  // namespace cambium::test
