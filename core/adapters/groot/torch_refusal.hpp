// core/adapters/groot/torch_refusal.hpp: the one thing that is ever said to generation N1, in its
// own tongue.
#pragma once

#include <cstddef>
#include <span>

namespace cambium::groot {

/// What torch.save({"error": "…"}) writes: an N1 client raises the sentence instead of hanging on
/// an answer that it cannot read. Constant; nothing of the client's message goes into it. [any]
std::span<const std::byte> torch_refusal();

}  // namespace cambium::groot
