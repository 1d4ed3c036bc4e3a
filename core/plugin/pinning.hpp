// core/plugin/pinning.hpp: whether a library may be unmapped once nothing of it is in use, judged
// by what its file says.
#pragma once

#include <string>

namespace cambium::plugin {

struct ElfFacts;

/// Why the library has to stay mapped for ever, as the end of a sentence: "can start threads
/// ('pthread_create')". Empty: dlclose() is safe when its last object is gone, because it has no
/// way to leave a pointer to its code or data outside. Judges `needed`, `imports`, `thread_locals`
/// and `nodelete`. This is about what a compiler makes of honest code: assembler that makes its own
/// system calls is not seen. [setup]
std::string why_pinned(const ElfFacts& facts);

}  // namespace cambium::plugin
