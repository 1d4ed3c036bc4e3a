#include "core/adapters/openpi/client_thread.hpp"

#include <exception>
#include <utility>

#include "core/adapters/openpi/dialogue.hpp"
#include "core/base/realtime.hpp"

namespace cambium::openpi {
namespace {

// Codes of RFC 6455 and its registry: what a client shows beside the sentence.
std::uint16_t close_code_of(Code code) {
  switch (code) {
    case Code::busy:
    case Code::unavailable:
    case Code::timeout:
      return 1013;  // try again later
    case Code::not_found:
      return 1008;  // policy violation: asked for what is not here
    default:
      return 1011;  // internal error
  }
}

std::vector<std::byte> copy(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

}  // namespace

ClientThread::ClientThread(gateway::Gateway& gateway, std::string robot, std::string client,
                           Give give)
    : gateway_(gateway),
      give_(std::move(give)),
      thread_(
          [this, robot = std::move(robot), client = std::move(client)] { run(robot, client); }) {}

ClientThread::~ClientThread() {
  end();
  thread_.join();
}

void ClientThread::post(std::span<const std::byte> message) {
  {
    const std::lock_guard lock(mutex_);
    message_ = message;
  }
  changed_.notify_one();
}

void ClientThread::end() {
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  changed_.notify_one();
}

void ClientThread::run(const std::string& robot, const std::string& client) {
  base::make_thread_ordinary();
  base::name_thread("cambium-openpi+");
  try {
    serve(robot, client);
  } catch (const std::exception& error) {  // memory is what is left to fail
    const std::string_view what = error.what();
    give_({Order::Kind::refuse, copy(std::as_bytes(std::span(what))), 1011});
  }
  give_({Order::Kind::ended});
}

void ClientThread::serve(const std::string& robot, const std::string& client) {
  const auto give = [&](const Frame& frame) {
    give_({frame.text ? Order::Kind::text : Order::Kind::binary, copy(frame.bytes)});
  };
  auto dialogue = Dialogue::open(gateway_, robot, client);
  if (!dialogue) {
    const auto& [code, sentence] = dialogue.error();
    // By whom it is driven is another word each time, and each would be a line of the log.
    gateway_.refuse(client, code == Code::busy ? "its robot is driven already" : sentence);
    give_({Order::Kind::refuse, copy(std::as_bytes(std::span(sentence))), close_code_of(code)});
    return;
  }
  give((*dialogue)->metadata());
  std::span<const std::byte> message;
  News news = News::message;
  while ((news = wait(news == News::silence, message)) != News::end) {
    if (news == News::silence)
      (*dialogue)->rest();
    else
      give((*dialogue)->answer(message));
  }
}

ClientThread::News ClientThread::wait(bool silent, std::span<const std::byte>& message) {
  std::unique_lock lock(mutex_);
  const auto news = [&] { return end_ || message_; };
  if (silent)
    changed_.wait(lock, news);
  else if (!changed_.wait_for(lock, gateway_.config().silent_after, news))
    return News::silence;
  if (end_) return News::end;
  message = *message_;
  message_.reset();
  return News::message;
}

}  // namespace cambium::openpi
