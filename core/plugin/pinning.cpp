#include "core/plugin/pinning.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "core/plugin/elf_file.hpp"

namespace cambium::plugin {
namespace {

/// The system's own libraries: the host stands on them too, so they outlive any plugin, and what
/// they can keep of a plugin is the table below. Of any other library nobody knows that: it may
/// have a thread pool or a list of callbacks, and the loader counts references to libraries, not to
/// functions.
constexpr std::string_view kSystemLibraries[] = {
    "libc.so.",     "libm.so.",       "libmvec.so.", "libstdc++.so.",
    "libgcc_s.so.", "libpthread.so.", "libdl.so.",   "librt.so.",  // empty since glibc 2.34
    "ld-linux",
};

/// Compilers put these weak imports into every library; they are called, not told anything.
constexpr std::string_view kToolchain[] = {
    "_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable", "__gmon_start__", "__cxa_finalize"};

/// A function of those libraries by which code or data of a plugin can be kept beyond its objects.
/// Not here: __cxa_atexit, which names the library, so that its static destructors run in
/// dlclose().
struct Keeper {
  std::string_view symbol;  ///< as imported
  std::string_view does;    ///< of the plugin: "can start threads"
  std::string_view shown;   ///< name for people, if not `symbol`
};

constexpr std::string_view kThreads = "can start threads";
constexpr std::string_view kThreadEnd = "runs code when a thread ends";
constexpr std::string_view kProcessEnd = "runs code when the process ends";
constexpr std::string_view kFork = "runs code when the process forks";
constexpr std::string_view kSignals = "can install a signal handler";
constexpr std::string_view kNotified = "can have itself called when something is done";
constexpr std::string_view kHandlers = "can replace a handler of the whole process";
constexpr std::string_view kStreams = "can put its code behind a stream that others use";
constexpr std::string_view kPointers = "can leave a pointer to its data with the C library";
constexpr std::string_view kLoader = "can reach functions that it does not name";

constexpr Keeper kKeepers[] = {
    // A thread that is never joined executes the code, or returns into it.
    {"pthread_create", kThreads, {}},
    {"thrd_create", kThreads, {}},
    {"clone", kThreads, {}},
    {"_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE",
     kThreads, "std::thread"},  // and std::jthread, std::async
    {"_ZNSt6thread15_M_start_threadESt10shared_ptrINS_10_Impl_baseEE", kThreads, "std::thread"},
    {"_ZNSt6thread15_M_start_threadESt10shared_ptrINS_10_Impl_baseEEPFvvE", kThreads,
     "std::thread"},
    // Destructors of thread_locals and of pthread keys: called by every thread that used them.
    {"__cxa_thread_atexit", kThreadEnd, {}},
    {"__cxa_thread_atexit_impl", kThreadEnd, {}},
    {"pthread_key_create", kThreadEnd, {}},
    {"__pthread_key_create", kThreadEnd, {}},
    {"tss_create", kThreadEnd, {}},
    {"_ZSt25notify_all_at_thread_exitRSt18condition_variableSt11unique_lockISt5mutexE", kThreadEnd,
     "std::notify_all_at_thread_exit"},
    // Without a library's handle: dlclose() does not know that they are its.
    {"atexit", kProcessEnd, {}},
    {"on_exit", kProcessEnd, {}},
    {"at_quick_exit", kProcessEnd, {}},
    {"__cxa_at_quick_exit", kProcessEnd, {}},
    {"pthread_atfork", kFork, {}},
    {"__register_atfork", kFork, {}},
    // The kernel keeps the address of a signal handler.
    {"signal", kSignals, {}},
    {"sigaction", kSignals, {}},
    {"__sigaction", kSignals, {}},
    {"__sysv_signal", kSignals, {}},
    {"sysv_signal", kSignals, {}},
    {"bsd_signal", kSignals, {}},
    {"ssignal", kSignals, {}},
    {"sigset", kSignals, {}},
    // SIGEV_THREAD: a thread of the C library calls back.
    {"timer_create", kNotified, {}},
    {"mq_notify", kNotified, {}},
    {"aio_read", kNotified, {}},
    {"aio_read64", kNotified, {}},
    {"aio_write", kNotified, {}},
    {"aio_write64", kNotified, {}},
    {"aio_fsync", kNotified, {}},
    {"aio_fsync64", kNotified, {}},
    {"lio_listio", kNotified, {}},
    {"lio_listio64", kNotified, {}},
    {"getaddrinfo_a", kNotified, {}},
    // One for the whole process.
    {"_ZSt13set_terminatePFvvE", kHandlers, "std::set_terminate"},
    {"_ZSt14set_unexpectedPFvvE", kHandlers, "std::set_unexpected"},
    {"_ZSt15set_new_handlerPFvvE", kHandlers, "std::set_new_handler"},
    {"_ZNSt3pmr20set_default_resourceEPNS_15memory_resourceE", kHandlers,
     "std::pmr::set_default_resource"},
    {"_ZNSt6locale6globalERKS_", kHandlers, "std::locale::global"},
    {"obstack_alloc_failed_handler", kHandlers, {}},
    {"error_print_progname", kHandlers, {}},
    // std::cout and stdout belong to all; a FILE is flushed through its cookie at exit.
    {"_ZNSt8ios_base17register_callbackEPFvNS_5eventERS_iEi", kStreams,
     "std::ios_base::register_callback"},
    {"_ZNSt9basic_iosIcSt11char_traitsIcEE5rdbufEPSt15basic_streambufIcS1_E", kStreams,
     "std::ios::rdbuf"},
    {"_ZNSt9basic_iosIwSt11char_traitsIwEE5rdbufEPSt15basic_streambufIwS1_E", kStreams,
     "std::wios::rdbuf"},
    {"fopencookie", kStreams, {}},
    {"register_printf_function", kStreams, {}},
    {"register_printf_specifier", kStreams, {}},
    {"register_printf_modifier", kStreams, {}},
    {"register_printf_type", kStreams, {}},
    // They keep what they are given, a literal of the plugin too.
    {"setvbuf", kPointers, {}},
    {"setbuf", kPointers, {}},
    {"setbuffer", kPointers, {}},
    {"putenv", kPointers, {}},
    {"openlog", kPointers, {}},
    {"initstate", kPointers, {}},
    {"setstate", kPointers, {}},
    // Whatever comes through these is not among the imports.
    {"dlopen", kLoader, {}},
    {"dlmopen", kLoader, {}},
    {"dlsym", kLoader, {}},
    {"dlvsym", kLoader, {}},
    {"syscall", kLoader, {}},
};

template <class List>
bool holds(const List& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

}  // namespace

std::string why_pinned(const ElfFacts& facts) {
  if (facts.nodelete) return "is linked with -z nodelete";
  if (facts.thread_locals) return "has thread_local variables";
  for (const auto& needed : facts.needed)
    if (std::none_of(std::begin(kSystemLibraries), std::end(kSystemLibraries),
                     [&](std::string_view known) { return needed.starts_with(known); }))
      return fmt::format("needs '{}', which may keep pointers into it", needed);
  for (const auto& [symbol, does, shown] : kKeepers)
    for (const auto& import : facts.imports)
      if (import.name == symbol)
        return fmt::format("{} ('{}')", does, shown.empty() ? symbol : shown);
  // The version of a symbol says which of the needed libraries has it; without one, whatever the
  // host happens to have loaded is taken.
  for (const auto& import : facts.imports)
    if (!import.versioned && !holds(kToolchain, import.name))
      return fmt::format("takes '{}' from a library that it does not name", import.name);
  return {};
}

}  // namespace cambium::plugin
