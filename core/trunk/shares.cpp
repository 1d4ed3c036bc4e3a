#include "core/trunk/shares.hpp"

#include <algorithm>

namespace cambium::trunk {
namespace {

// FNV-1a: spares the comparison of ids, which may have 255 bytes.
std::uint64_t hash_of(const transport::Peer& peer, std::uint32_t robot_id) noexcept {
  std::uint64_t hash = 14695981039346656037u ^ robot_id;
  for (std::size_t i = 0; i < peer.size; ++i)
    hash = (hash ^ std::to_integer<std::uint64_t>(peer.bytes[i])) * 1099511628211u;
  return hash;
}

}  // namespace

Shares::Shares(std::size_t waiting, std::uint32_t share)
    : share_(std::max(1u, share)), capacity_(2 * waiting + 1) {
  meters_.reserve(capacity_);
}

std::uint64_t Shares::had(const Meter& meter) const noexcept {
  return std::max(meter.had, floor_);
}

std::uint32_t Shares::find(const transport::Peer& peer, std::uint32_t robot_id) const noexcept {
  const std::uint64_t hash = hash_of(peer, robot_id);
  for (std::size_t i = 0; i < meters_.size(); ++i) {
    const Meter& meter = meters_[i];
    if (meter.hash == hash && meter.robot_id == robot_id && meter.peer == peer)
      return static_cast<std::uint32_t>(i);
  }
  return kNobody;
}

std::uint32_t Shares::meter_of(const transport::Peer& peer, std::uint32_t robot_id) noexcept {
  if (const auto known = find(peer, robot_id); known != kNobody) return known;
  // Whoever is even is as good as new, so his meter may be another's.
  Meter* chosen = nullptr;
  for (Meter& meter : meters_) {
    if (meter.waiting == 0 && (chosen == nullptr || had(meter) < had(*chosen))) chosen = &meter;
  }
  if (chosen == nullptr || (had(*chosen) > floor_ && meters_.size() < capacity_))
    chosen = &meters_.emplace_back();
  chosen->hash = hash_of(peer, robot_id);
  chosen->had = floor_;
  chosen->pass = 0;
  chosen->in_pass = 0;
  chosen->robot_id = robot_id;
  chosen->peer = peer;
  return static_cast<std::uint32_t>(chosen - meters_.data());
}

std::uint32_t Shares::counted(std::uint32_t rows) const noexcept {
  return std::max({rows, share_ / 4, 1u});
}

std::uint64_t Shares::round(std::uint32_t meter, std::uint64_t counted) const noexcept {
  return ((meter == kNobody ? floor_ : had(meters_[meter])) + counted) / share_;
}

bool Shares::may_join(std::uint32_t meter, std::uint32_t counted) const noexcept {
  const Meter& one = meters_[meter];
  return one.pass != pass_ || counted + std::uint64_t{one.in_pass} <= share_;
}

void Shares::charge(std::uint32_t meter, std::uint32_t counted) noexcept {
  Meter& one = meters_[meter];
  one.in_pass = (one.pass == pass_ ? one.in_pass : 0) + counted;
  one.pass = pass_;
  floor_ = had(one) / share_ * share_;
  one.had = had(one) + counted;
}

void Shares::forget() noexcept {
  meters_.clear();
  floor_ = 0;
}

}  // namespace cambium::trunk
