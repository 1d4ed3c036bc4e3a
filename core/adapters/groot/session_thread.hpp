// core/adapters/groot/session_thread.hpp: one client's session on a thread of its own, so that no
// client waits for another's robot.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/adapters/groot/request.hpp"
#include "core/gateway/session.hpp"

namespace cambium::groot {

/// A message with all that lies in it.
struct Job {
  std::vector<std::byte> bytes;
  formats::MsgpackMessage message;
  Request request;
  Endpoint endpoint = Endpoint::get_action;
  bool new_client = false;  ///< the session was another client's until now
};

/// Threads    All calls are the listener's; the session lives on the thread that this owns.
/// Queue      1:1, one job; who gives a second one before the first came back is wrong.
class SessionThread {
 public:
  /// `wake` is called when a job or the thread has come to its end, on that thread.
  SessionThread(gateway::Gateway& gateway, std::string client, std::function<void()> wake);
  ~SessionThread();  ///< waits for the job under way

  void give(std::unique_ptr<Job> job);

  struct Done {
    std::unique_ptr<Job> job;
    formats::MsgpackWriter reply;
    bool no_robot = false;  ///< all are driven: the same job may be given again
    std::string why;        ///< by whom
  };
  /// The job, once it is done; null while it is not. Never waits for it.
  std::unique_ptr<Done> take();

  bool idle() const;                                ///< no job was given that did not come back
  bool seated() const noexcept { return seated_; }  ///< it drives a robot
  void leave();                                     ///< ends the session, after the job under way
  bool left() const;  ///< the session has ended: the destructor does not wait

 private:
  void run();
  void serve(Done& done);
  void refuse(Done& done, const std::string& why);
  void get_action(Done& done);
  void get_modality_config(Done& done);

  gateway::Gateway& gateway_;
  const std::string client_;
  const std::function<void()> wake_;
  std::unique_ptr<gateway::Session> session_;  // the thread's
  std::atomic<bool> seated_{false};

  mutable std::mutex mutex_;  // guards the five below
  std::condition_variable changed_;
  std::unique_ptr<Job> given_;
  std::unique_ptr<Done> done_;
  bool busy_ = false, leaving_ = false, left_ = false;
  std::thread thread_;
};

}  // namespace cambium::groot
