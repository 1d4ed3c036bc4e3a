#include "bench/transfer/recordings.hpp"

#include <algorithm>

namespace cambium::transfer {

Recordings::Recordings(std::uint32_t episodes, std::size_t keep, std::function<bool()> stopped)
    : episodes_(episodes), keep_(keep), stopped_(std::move(stopped)) {}

void Recordings::make(Entry& entry) const {
  const auto task = tasks::task_from(entry.task);
  if (!task) return void(entry.error = task.error());
  auto body = tasks::make_body(entry.body, *task);
  if (!body) return void(entry.error = body.error());
  tasks::RecordOptions options;
  options.episodes = episodes_;
  options.seed = entry.seed;
  auto demonstrations =
      tasks::record(*body, options, [this](std::uint32_t) { return !stopped_(); });
  if (!demonstrations) return void(entry.error = demonstrations.error());
  if (stopped_()) return void(entry.error = {Code::failed, "stopped while recording"});
  entry.recording =
      std::make_shared<const Recording>(Recording{std::move(*body), std::move(*demonstrations)});
}

Result<std::shared_ptr<const Recording>> Recordings::get(const std::string& task,
                                                         const std::string& body,
                                                         std::uint64_t seed) {
  std::unique_lock lock(mutex_);
  const auto found = std::ranges::find_if(entries_, [&](const auto& entry) {
    return entry->task == task && entry->body == body && entry->seed == seed;
  });
  std::shared_ptr<Entry> entry;
  if (found != entries_.end()) {
    entry = *found;
    entries_.erase(found);
    entries_.push_back(entry);
    made_.wait(lock, [&] { return entry->ready; });
  } else {
    entry = std::make_shared<Entry>();
    entry->task = task;
    entry->body = body;
    entry->seed = seed;
    entries_.push_back(entry);
    if (entries_.size() > keep_) entries_.pop_front();
    lock.unlock();
    make(*entry);
    lock.lock();
    entry->ready = true;
    made_.notify_all();
  }
  if (entry->recording) return entry->recording;
  return entry->error;
}

}  // namespace cambium::transfer
