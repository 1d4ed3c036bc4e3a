// tests/support/toy_files.hpp: a real stock and real bundles for the toy robots.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace cambium::test {

inline constexpr unsigned kToyWidth = 8, kToyHorizon = 8;

/// A stock with an HPT trunk of one block and two heads, random weights of this seed; no shared
/// stems. Its trunk id.
std::string write_toy_stock(const std::filesystem::path& file, unsigned seed = 0);

/// A stock whose trunk remembers: two blocks of selective state spaces, random weights of this
/// seed. Its trunk id.
std::string write_toy_mamba_stock(const std::filesystem::path& file, unsigned seed = 0);

struct ToyBundle {
  std::string embodiment = "toy_arm";
  unsigned dof = 2;
  std::string trunk_id;
  std::vector<float> value = {0.1F, -0.05F};  ///< every action, per second
  std::string head = "constant";
  double control_hz = 100;
  unsigned width = kToyWidth;
  bool goal_first = false;  ///< another layout of the same tokens
};

/// A bundle for a body of toy_bodies.cpp ("toy_aloha", "toy_aloha_sim", "toy_droid", "toy_libero"):
/// every number of every action is `value`.
void write_body_bundle(const std::filesystem::path& file, const std::string& embodiment,
                       const std::string& trunk_id, float value, unsigned horizon);

/// A bundle whose head says `value`.
void write_toy_bundle(const std::filesystem::path& file, const ToyBundle& bundle);

}  // namespace cambium::test
