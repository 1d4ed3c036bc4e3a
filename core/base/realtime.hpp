// core/base/realtime.hpp: asks the system for real-time priority and locked memory.
#pragma once

#include <string>

#include "cambium/result.hpp"

namespace cambium::base {

/// Gives the calling thread SCHED_FIFO at `priority` (1..99). The error says what the
/// system lacks and how to permit it. [setup]
Result<void> make_thread_realtime(int priority);
/// Undoes that, and the next but one, for a thread that a real-time one has started: ordinary
/// priority, and the cores of the program's first thread. [setup]
void make_thread_ordinary();
/// Keeps all present and future memory of the process from being paged out, as it is touched.
/// [setup]
Result<void> lock_memory();
/// Keeps the calling thread, and those that it starts, on one core: the last that it may use, for
/// the first has most of the interrupts. [setup]
void stay_on_one_core();
/// Lets other threads go before the calling one and those that it starts, for good: an ordinary
/// program may not take it back. [setup]
void step_back();
/// The calling thread and those that it starts have only what nothing else wants of a core; where
/// that is not permitted, they are as nice as can be. For good. [setup]
void run_when_idle();
/// At most 15 letters; shown by top and gdb. [setup]
void name_thread(const std::string& name);
/// Resident memory of the process [kB]. [setup]
std::size_t resident_kb();

}  // namespace cambium::base
