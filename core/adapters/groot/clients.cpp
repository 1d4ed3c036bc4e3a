#include "core/adapters/groot/clients.hpp"

#include <algorithm>
#include <utility>

#include "core/adapters/groot/reply.hpp"

namespace cambium::groot {
namespace {

using base::kMillisecond;
using base::Nanoseconds;

// How soon somebody who waits for a robot is tried again, and how soon silence is noticed.
constexpr Nanoseconds kTryAgain = 20 * kMillisecond, kLookRound = 250 * kMillisecond;
// Each look at whether a client is there is a message that waits in its queue until it asks again.
// libzmq ends the connection of a REQ socket whose queue overflows, at 1000.
constexpr std::uint32_t kMaxLooks = 200;

}  // namespace

Clients::~Clients() {
  for (auto& client : clients_)
    if (client.thread) client.thread->leave();
}

Clients::Client* Clients::find(const transport::Peer& peer) {
  const auto found = std::ranges::find_if(clients_, [&](const Client& client) {
    return client.peer == peer && !client.leaving && !client.gone;
  });
  return found == clients_.end() ? nullptr : &*found;
}

void Clients::heard(const transport::Peer& from, Nanoseconds now) {
  Client* client = find(from);
  if (!client) return;
  client->heard = now;
  client->looks = 0;
}

Result<void> Clients::give(const transport::Peer& from, std::string_view address,
                           std::unique_ptr<Job>& job, Nanoseconds now) {
  Client* client = find(from);
  if (client && (client->waiting || (client->thread && !client->thread->idle())))
    return Error{Code::busy, "your last request is not answered yet; wait for its reply"};
  const Nanoseconds answer_by = now + gateway_.config().answer_within.count() * kMillisecond;
  if (client && client->thread) {
    client->answer_by = answer_by;
    client->thread->give(std::move(job));
    return {};
  }
  look_who_is_gone();
  const auto places =
      std::ranges::count_if(clients_, [](const Client& one) { return !one.leaving && !one.gone; });
  if (places >= gateway_.config().max_clients)
    return Error{Code::busy, "all " + std::to_string(gateway_.config().max_clients) +
                                 " places of this listener are taken (max_clients)"};
  client = &clients_.emplace_back();
  client->peer = from;
  client->address = address;
  client->name = "groot " + (address.empty() ? std::string("client") : client->address) + " #" +
                 std::to_string(++count_);
  client->heard = now;
  client->answer_by = answer_by;
  client->why = "the client that went away is still being answered; try again";
  client->waiting = std::move(job);
  seat(*client, now);
  return {};
}

void Clients::look_who_is_gone() {
  for (auto& client : clients_)
    if (!client.gone && !client.leaving && client.looks++ < kMaxLooks)
      client.gone = !ways_.reaches(client.peer);
}

// Whose session it goes on with: the one client from the same machine that went without a word.
// Of several nobody knows whose robot this one would get.
Clients::Client* Clients::heir_of(const Client& client) {
  Client* only = nullptr;
  for (auto& other : clients_) {
    if (!other.gone || other.leaving || !other.thread || !other.thread->seated() ||
        other.address != client.address)
      continue;
    if (only) return nullptr;
    only = &other;
  }
  return only;
}

// A client that waits goes on with the session of one that is gone, or tries for a robot that is
// free.
void Clients::seat(Client& client, Nanoseconds now) {
  client.try_again = now + kTryAgain;
  if (Client* before = heir_of(client)) {
    if (!before->thread->idle()) return;  // its last request is still being worked at
    std::swap(client.thread, before->thread);
    client.waiting->new_client = true;
    leave(*before);
  }
  for (auto& other : clients_)
    if (other.gone && !other.leaving && other.thread && other.thread->idle()) leave(other);
  if (!client.thread)
    client.thread = std::make_unique<SessionThread>(gateway_, client.name, ways_.wake);
  client.thread->give(std::move(client.waiting));
}

void Clients::answer(Client& client, const formats::MsgpackWriter& reply) {
  if (!ways_.send(client.peer, reply.bytes())) client.gone = true;
}

void Clients::refuse(Client& client) {
  gateway_.refuse(client.name, client.why);
  formats::MsgpackWriter reply;
  write_error(reply, client.why + "; a client that is silent for " +
                         std::to_string(gateway_.config().silent_after.count()) +
                         " ms gives its robot up (silent_after_ms)");
  answer(client, reply);
}

void Clients::leave(Client& client) {
  client.leaving = true;
  if (client.thread) client.thread->leave();
}

Nanoseconds Clients::come(Nanoseconds now, std::unique_ptr<Job>& spare) {
  for (auto& client : clients_) {
    if (!client.thread) continue;
    const auto done = client.thread->take();
    if (!done) continue;
    client.heard = now;  // what took its time here is not its silence
    if (done->no_robot && !client.gone) {
      client.why = std::move(done->why);
      client.try_again = now + kTryAgain;
      client.waiting = std::move(done->job);
      continue;
    }
    answer(client, done->reply);
    spare = std::move(done->job);
  }

  const auto waits = [](const Client& client) { return client.waiting && !client.leaving; };
  if (std::ranges::any_of(
          clients_, [&](const Client& client) { return waits(client) && now >= client.try_again; }))
    look_who_is_gone();
  const Nanoseconds patience = gateway_.config().silent_after.count() * kMillisecond;
  for (auto& client : clients_) {
    if (client.leaving) continue;
    if (client.waiting && client.gone) {
      leave(client);
    } else if (client.waiting && now >= client.answer_by) {
      refuse(client);
      spare = std::move(client.waiting);
    } else if (client.waiting) {
      if (now >= client.try_again) seat(client, now);
    } else if (now - client.heard > patience && (!client.thread || client.thread->idle())) {
      leave(client);
    }
  }
  std::erase_if(clients_, [](const Client& client) {
    return client.leaving && (!client.thread || client.thread->left());
  });
  return std::ranges::any_of(clients_, waits) ? kTryAgain : kLookRound;
}

}  // namespace cambium::groot
