#include "core/runtime/memory_desk.hpp"

#include <utility>

#include "core/base/realtime.hpp"

namespace cambium::runtime {
namespace {

// Nobody waits for it: it is only how long the pages of a dead controller stay.
constexpr base::Nanoseconds kLookEvery = base::kSecond;

}  // namespace

MemoryDesk::~MemoryDesk() {
  stop_ = true;
  waker_.wake();
  thread_.join();
}

bool MemoryDesk::open(std::uint32_t robot_id, std::uint64_t number, const MemoryOffer& offer,
                      std::uint64_t most) {
  Job* job = jobs_.loan();
  if (job == nullptr) return false;
  *job = {.robot_id = robot_id, .number = number, .most = most, .offer = offer, .spent = nullptr};
  jobs_.publish();
  waker_.wake();
  return true;
}

bool MemoryDesk::close(std::unique_ptr<FrameMemory>& memory) {
  Job* job = jobs_.loan();
  if (job == nullptr) return false;
  job->spent = std::move(memory);
  jobs_.publish();
  waker_.wake();
  return true;
}

void MemoryDesk::run() {
  base::make_thread_ordinary();  // it may wait, and maps megabytes
  base::name_thread("cambium-memory");
  while (!stop_) {
    while (Job* job = jobs_.front()) {
      serve(*job);
      jobs_.pop();
    }
    look_for_abandoned();
    waker_.sleep(watched_.empty() ? -1 : kLookEvery);
  }
}

void MemoryDesk::serve(Job& job) {
  if (job.spent) {
    std::erase_if(watched_, [&](const Watched& one) { return one.number == job.spent->number; });
    job.spent.reset();
    return;
  }
  Report* report = reports_.loan();
  if (report == nullptr) return;  // cannot be: a robot has one offer at a time
  auto memory = FrameMemory::open(job.offer, job.most);
  *report = {.robot_id = job.robot_id, .number = job.number, .memory = nullptr, .why = {}};
  if (memory) {
    (*memory)->number = job.number;
    watched_.push_back(
        {.robot_id = job.robot_id, .number = job.number, .holder = (*memory)->holder()});
    report->kind = Report::Kind::opened;
    report->memory = std::move(*memory);
  } else {
    report->code = memory.error().code;
    report->why = memory.error().message;
  }
  reports_.publish();
  io_.wake();
}

// Told once: what the io thread does about it, it does until it is done.
void MemoryDesk::look_for_abandoned() {
  std::erase_if(watched_, [&](const Watched& one) {
    if (one.holder.still_holds()) return false;
    Report* report = reports_.loan();
    if (report == nullptr) return false;
    *report = {.kind = Report::Kind::abandoned,
               .robot_id = one.robot_id,
               .number = one.number,
               .memory = nullptr,
               .why = {}};
    reports_.publish();
    io_.wake();
    return true;
  });
}

}  // namespace cambium::runtime
