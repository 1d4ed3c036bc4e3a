// A main for fuzz targets without libFuzzer: every seed, every input that once crashed, and a fixed
// number of mutations of them. The input that ends the process is written to a file.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "tests/fuzz/mutate.hpp"
#include "tests/fuzz/target.hpp"

// The sanitizers' own; without one it is absent.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*)());

namespace {

using cambium::fuzz::Input;
namespace fs = std::filesystem;

constexpr unsigned kSecondsForOneInput = 20;

// For the handler, which may call nothing that allocates.
const Input* current = nullptr;
char crash_file[4096] = {};

void save_current() {
  const Input* input = std::exchange(current, nullptr);
  if (input == nullptr || crash_file[0] == '\0') return;
  const int file = ::open(crash_file, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  const bool whole = file >= 0 && ::write(file, input->data(), input->size()) ==
                                      static_cast<::ssize_t>(input->size());
  for (const char* part : {whole ? "\nThe input is in " : "\nThe input could not be written to ",
                           static_cast<const char*>(crash_file), "\n"})
    if (::write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
}

extern "C" void on_signal(int number) {
  if (number == SIGALRM) {
    constexpr char kText[] = "\nOne input took too long.\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kText, sizeof kText - 1);
  }
  save_current();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

// A stack that overflows leaves no room for a handler.
void catch_signals() {
  static char stack[64 * 1024];
  stack_t other = {};
  other.ss_sp = stack;
  other.ss_size = sizeof stack;
  ::sigaltstack(&other, nullptr);
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_ONSTACK | SA_NODEFER;
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(save_current);
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM}) {
    // A sanitizer reports more than we could.
    if (__sanitizer_set_death_callback != nullptr && number != SIGABRT && number != SIGALRM)
      continue;
    ::sigaction(number, &action, nullptr);
  }
}

void run(const Input& input) {
  // A copy of its own size, so that AddressSanitizer sees a read of one byte too many.
  const Input exact(input);
  current = &exact;
  ::alarm(kSecondsForOneInput);
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  current = nullptr;
}

std::vector<Input> read_all(const std::vector<std::string>& paths) {
  std::vector<fs::path> files;
  for (const auto& path : paths) {
    if (fs::is_regular_file(path)) files.emplace_back(path);
    if (!fs::is_directory(path)) continue;
    for (const auto& entry : fs::directory_iterator(path))
      if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Input> inputs;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return inputs;
}

}  // namespace

// fuzz_TARGET --mutations N --crash FILE PATH…
int main(int argc, char** argv) {
  std::size_t mutations = 0;
  std::vector<std::string> paths;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--mutations" && i + 1 < argc)
      mutations = std::stoul(argv[++i]);
    else if (word == "--crash" && i + 1 < argc)
      std::strncpy(crash_file, argv[++i], sizeof crash_file - 1);
    else
      paths.push_back(word);
  }
  const auto inputs = read_all(paths);
  if (inputs.empty()) {
    std::fprintf(stderr, "no inputs; `ctest -R fuzz.seeds` makes them\n");
    return 2;
  }
  catch_signals();
  std::size_t longest = 4096;
  for (const auto& input : inputs) {
    run(input);
    longest = std::max(longest, input.size());
  }
  run({});
  std::mt19937 random(1);
  for (std::size_t i = 0; i < mutations; ++i)
    run(cambium::fuzz::mutate(inputs[i % inputs.size()], inputs[random() % inputs.size()],
                              2 * longest, random));
  ::alarm(0);
  std::printf("%zu inputs, %zu mutations\n", inputs.size(), mutations);
  return 0;
}
