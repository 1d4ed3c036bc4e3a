#include "core/runtime/policy_child.hpp"

#include <cxxabi.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <memory>
#include <new>
#include <thread>

#include "core/base/realtime.hpp"
#include "core/plugin/plugin_library.hpp"
#include "core/runtime/local_policy.hpp"
#include "core/runtime/policy_channel.hpp"
#include "core/runtime/policy_report.hpp"

namespace cambium::runtime {
namespace {

using namespace child_descriptor;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kShadowMemory = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kShadowMemory = true;
#else
constexpr bool kShadowMemory = false;
#endif
#else
constexpr bool kShadowMemory = false;
#endif

std::uint32_t memory_limit_mb = 0;  // for the last words; set before any code of a plugin runs

/// What was loaded, in the order in which it must go: the policy's code lies in the libraries.
struct Loaded {
  PolicyReport report;
  std::shared_ptr<const plugin::PluginLibrary> library, stem_library, head_library;
  std::unique_ptr<Policy> policy;
};

bool is_kind(int descriptor, mode_t kind) {
  struct stat facts {};
  return ::fstat(descriptor, &facts) == 0 && (facts.st_mode & S_IFMT) == kind;
}

// Ends this process when the host lets go of it, whatever the other thread does.
void watch_the_host() {
  base::name_thread("cambium-life");
  pollfd line{.fd = kLifeLine, .events = 0, .revents = 0};
  while (::poll(&line, 1, -1) < 0) {
  }
  ::_exit(0);
}

// The limit counts addresses, so what the program itself has mapped is added to it.
void limit_memory(std::uint32_t memory_mb) {
  memory_limit_mb = memory_mb;
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  if (kShadowMemory) return;  // a sanitizer maps terabytes
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  statm >> pages;
  const rlim_t bytes =
      pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + (static_cast<rlim_t>(memory_mb) << 20);
  const rlimit limit{bytes, bytes};
  ::setrlimit(RLIMIT_AS, &limit);
}

// What a noexcept function let out ends here; the host tells it to people.
[[noreturn]] void say_last_words() noexcept {
  char text[512] = "ended itself by std::terminate";
  if (const std::type_info* type = abi::__cxa_current_exception_type()) {
    int status = 0;
    char* readable = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
    const char* name = readable != nullptr ? readable : type->name();
    try {
      throw;
    } catch (const std::bad_alloc&) {
      std::snprintf(text, sizeof text, "threw std::bad_alloc: memory limit %u MB", memory_limit_mb);
    } catch (const std::exception& error) {
      std::snprintf(text, sizeof text, "threw %s: %s", name, error.what());
    } catch (...) {
      std::snprintf(text, sizeof text, "threw %s", name);
    }
  }
  [[maybe_unused]] const auto written = ::write(kReport, text, std::strlen(text));
  std::abort();
}

void say(const std::string& line) {
  std::string_view rest = line;
  while (!rest.empty()) {
    const auto put = ::write(kReport, rest.data(), rest.size());
    if (put <= 0) ::_exit(1);  // nobody listens any more
    rest.remove_prefix(static_cast<std::size_t>(put));
  }
}

std::string sha_of_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  base::Sha256 sha;
  sha.update(bytes);
  return base::to_hex(sha.finish());
}

LibraryIdentity identity_of(const plugin::PluginLibrary& library) {
  return {library.name(), library.version(), library.sha256()};
}

// In the order, and so with the sentences, of a host that loads the plugin itself.
Result<Loaded> load(const PolicySource& source) {
  Loaded loaded;
  const auto open = [&](const std::filesystem::path& file,
                        std::shared_ptr<const plugin::PluginLibrary>& library) -> Result<void> {
    auto opened = plugin::open_library(
        file, {.run_dir = source.run_dir, .check = source.trust.of(base::FileKind::plugin)});
    if (!opened) return opened.error();
    library = std::move(*opened);
    return {};
  };
  if (auto opened = open(source.plugin, loaded.library); !opened) return opened.error();
  loaded.stem_library = loaded.head_library = loaded.library;
  if (!source.stem_plugin.empty())
    if (auto opened = open(source.stem_plugin, loaded.stem_library); !opened) return opened.error();
  if (!source.head_plugin.empty())
    if (auto opened = open(source.head_plugin, loaded.head_library); !opened) return opened.error();

  PolicyReport& report = loaded.report;
  auto body = loaded.library->embodiment(source.embodiment);
  if (!body) return body.error();
  report.body = std::move(*body);
  report.plugin = identity_of(*loaded.library);
  report.stem_plugin = identity_of(*loaded.stem_library);
  report.head_plugin = identity_of(*loaded.head_library);
  if (source.bundle.empty()) return loaded;

  if (!std::filesystem::exists(source.stock)) {
    return Error{Code::incompatible, "a bundle needs the stock it was made for, and '" +
                                         source.stock.string() +
                                         "' is not there: set 'stock' in [trunk]"};
  }
  const auto stock = source.stock_identity.stems.empty()
                         ? nn::Stock::open(source.stock, source.trust.of(base::FileKind::stock))
                         : nn::Stock::open_stems(source.stock, source.stock_identity);
  if (!stock) return stock.error();
  const auto bundle = nn::Bundle::open(source.bundle, source.trust.of(base::FileKind::bundle));
  if (!bundle) return bundle.error();
  auto policy = LocalPolicy::make({.embodiment = report.body,
                                   .stock = *stock,
                                   .bundle = *bundle,
                                   .stem_library = *loaded.stem_library,
                                   .head_library = *loaded.head_library,
                                   .head = source.head});
  if (!policy) return policy.error();
  loaded.policy = std::move(*policy);
  report.has_policy = true;
  report.bundle_sha256 = sha_of_file(source.bundle);
  report.shape = loaded.policy->shape();
  report.head_name = loaded.policy->head_name();
  report.token_layout = loaded.policy->token_layout();
  report.state = loaded.policy->state();
  return loaded;
}

void wait_for_job() {
  pollfd job{.fd = kJob, .events = POLLIN, .revents = 0};
  while (::poll(&job, 1, -1) < 0) {
  }
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(kJob, &count, sizeof count);
}

}  // namespace

int run_policy_child(const PolicySource& source) {
  if (!is_kind(kMemory, S_IFREG) || !is_kind(kReport, S_IFIFO) || !is_kind(kLifeLine, S_IFIFO)) {
    std::fprintf(stderr,
                 "cambium policy: hosts start this for robots with `isolate = true`; it does "
                 "nothing without one\n");
    return 2;
  }
  // Ctrl-C at a terminal and a service manager's stop reach all processes, but are for the host: it
  // lets go of the life line when it is done.
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGTERM, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  std::thread(watch_the_host).detach();
  base::name_thread("cambium-policy");
  limit_memory(source.memory_mb);
  std::set_terminate(say_last_words);

  const auto loaded = load(source);
  if (!loaded) {
    say(to_line(loaded.error()));
    ::_exit(1);
  }
  say(to_line(loaded->report));
  if (!loaded->policy) ::_exit(0);

  wait_for_job();  // the first one says: the memory has its size
  auto channel = ChildEnd::open(
      kMemory, channel_sizes(loaded->report.shape, loaded->report.body, loaded->report.state),
      loaded->report.state);
  if (!channel) {
    std::fprintf(stderr, "cambium policy: %s\n", channel.error().message.c_str());
    ::_exit(1);
  }
  for (;;) {
    if (!(*channel)->serve(*loaded->policy)) {
      wait_for_job();
      continue;
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(kWake, &one, sizeof one);
  }
}

}  // namespace cambium::runtime
