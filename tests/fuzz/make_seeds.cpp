// Writes the seeds of all targets: make_seeds FOLDER gives FOLDER/<target>/<name>.
#include <cstdio>
#include <exception>
#include <fstream>

#include "tests/fuzz/seeds.hpp"
#include "tests/support/temporary.hpp"

int main(int argc, char** argv) {
  using namespace cambium;
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_seeds FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  int count = 0;
  const auto keep = [&](const std::string& target, const std::string& name,
                        std::span<const std::byte> bytes) {
    std::filesystem::create_directories(folder / target);
    std::ofstream out(folder / target / name, std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    if (!out.flush()) throw std::runtime_error("cannot write " + (folder / target / name).string());
    ++count;
  };
  try {
    const test::TemporaryFolder work;
    fuzz::message_seeds(keep);
    fuzz::format_seeds(keep);
    fuzz::pickle_seeds(keep);
    fuzz::file_seeds(keep, work.path());
    fuzz::policy_seeds(keep, work.path());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make_seeds: %s\n", error.what());
    return 1;
  }
  std::printf("%d seeds in %s\n", count, folder.c_str());
  return 0;
}
