#include "core/trunk/memories.hpp"

#include <cstring>

namespace cambium::trunk {

std::byte* Memories::enter(Request& request) noexcept {
  if (!any()) return nullptr;
  Session* const session = request.session;
  request.begins = session == nullptr || session->steps == 0 ||
                   (!request.peek && session->episode != request.episode);
  request.recall = request.begins      ? Recall::began
                   : session->restored ? Recall::restored
                                       : Recall::kept;
  request.steps = (request.begins ? 0 : session->steps) + 1;
  if (session != nullptr) session->held = true;
  if (needs_scratch(request)) return scratch_.data + used_++ * scratch_.stride;
  session->episode = request.episode;
  session->time_ns = request.time_ns;
  session->steps = request.steps;
  if (request.begins) session->saved_steps = 0;
  session->restored = false;
  return session->memory;
}

void Memories::prepare(const TrunkModel& model, const Request& request,
                       std::byte* memory) const noexcept {
  if (request.begins)
    model.begin(memory);
  else if (request.peek)
    std::memcpy(memory, request.session->memory, scratch_.bytes);
}

void Memories::leave(const Request& request, Status status) noexcept {
  Session* const session = request.session;
  if (session == nullptr) return;
  session->held = false;
  if (!status.ok() && !request.peek) session->steps = session->saved_steps = 0;
}

}  // namespace cambium::trunk
