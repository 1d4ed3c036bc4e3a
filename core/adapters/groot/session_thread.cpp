#include "core/adapters/groot/session_thread.hpp"

#include <exception>
#include <utility>

#include "core/adapters/groot/modality_config.hpp"
#include "core/adapters/groot/observation.hpp"
#include "core/adapters/groot/reply.hpp"
#include "core/base/realtime.hpp"
#include "core/gateway/mapping.hpp"

namespace cambium::groot {

SessionThread::SessionThread(gateway::Gateway& gateway, std::string client,
                             std::function<void()> wake)
    : gateway_(gateway),
      client_(std::move(client)),
      wake_(std::move(wake)),
      thread_([this] { run(); }) {}

SessionThread::~SessionThread() {
  leave();
  thread_.join();
}

void SessionThread::give(std::unique_ptr<Job> job) {
  {
    const std::lock_guard lock(mutex_);
    given_ = std::move(job);
    busy_ = true;
  }
  changed_.notify_one();
}

std::unique_ptr<SessionThread::Done> SessionThread::take() {
  const std::lock_guard lock(mutex_);
  if (done_) busy_ = false;
  return std::move(done_);
}

bool SessionThread::idle() const {
  const std::lock_guard lock(mutex_);
  return !busy_;
}

void SessionThread::leave() {
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
  }
  changed_.notify_one();
}

bool SessionThread::left() const {
  const std::lock_guard lock(mutex_);
  return left_;
}

void SessionThread::run() {
  base::name_thread("cambium-groot+");
  for (;;) {
    auto done = std::make_unique<Done>();
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return given_ || leaving_; });
      done->job = std::move(given_);
    }
    if (!done->job) break;
    try {
      serve(*done);
    } catch (const std::exception& error) {  // out of memory
      done->reply.clear();
      write_error(done->reply, error.what());
    }
    {
      const std::lock_guard lock(mutex_);
      done_ = std::move(done);
    }
    wake_();
  }
  session_.reset();  // the seat is free before anybody hears of it
  {
    const std::lock_guard lock(mutex_);
    left_ = true;
  }
  wake_();
}

void SessionThread::serve(Done& done) {
  if (done.job->new_client && session_) session_->start_episode();
  switch (done.job->endpoint) {
    case Endpoint::get_action:
      return get_action(done);
    case Endpoint::get_modality_config:
      return get_modality_config(done);
    case Endpoint::reset:
      if (session_) session_->start_episode();
      return write_done(done.reply);
    case Endpoint::ping:
    case Endpoint::kill:
      break;
  }
  write_error(done.reply, "not a question for a session");
}

void SessionThread::refuse(Done& done, const std::string& why) {
  gateway_.refuse(client_, why);
  write_error(done.reply, why);
}

void SessionThread::get_action(Done& done) {
  const Job& job = *done.job;
  Asked asked;
  if (auto read = read_observation(job.request.data, job.request.dialect, asked); !read)
    return refuse(done, read.error().message);
  if (!session_) {
    auto session = gateway::Session::open(gateway_, "", client_);
    if (!session) {
      done.no_robot = session.error().code == Code::busy;
      if (done.no_robot)
        done.why = session.error().message;
      else
        refuse(done, session.error().message);
      return;
    }
    session_ = std::move(*session);
    seated_ = true;
  }
  gateway::Answer answer;
  if (auto inferred = session_->infer(asked.observation, answer); !inferred)
    return write_error(done.reply, inferred.error().message);
  write_actions(done.reply, answer, asked.manner);
}

void SessionThread::get_modality_config(Done& done) {
  const auto& config = gateway_.config();
  const auto write = [&](const gateway::Mapping& mapping, const RobotInfo& robot) {
    write_modality_config(done.reply, mapping.expected(), mapping.parts(),
                          config.rows != 0 ? config.rows : robot.horizon, config.modality_text);
  };
  if (session_) return write(session_->mapping(), session_->robot());
  // No robot is taken for a question: the first stands for all.
  const auto robot = gateway_.door().describe(config.robots.front());
  if (!robot) return write_error(done.reply, robot.error().message);
  const auto mapping =
      gateway::Mapping::make(config, *robot, gateway::Gateway::default_action(config.protocol));
  if (!mapping) return write_error(done.reply, mapping.error().message);
  write(*mapping, *robot);
}

}  // namespace cambium::groot
