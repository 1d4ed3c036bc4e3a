#include "core/trunk/snapshots.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <system_error>
#include <utility>

#include "core/base/nearest.hpp"
#include "core/base/session_name.hpp"

namespace cambium::trunk {
namespace {

constexpr std::size_t kMostOrders = 16, kLongestPath = 4096;
// Copied sooner than a thread is woken for it.
constexpr std::uint64_t kSmall = 128 * 1024;  // [B]
// Shorter than any lease: who is idle long enough to leave is in a file.
constexpr base::Nanoseconds kRest = 500 * base::kMillisecond;

SessionFit fit_of(const Lane& lane) {
  return {lane.identity.id, lane.model->info().architecture, lane.sessions.session_bytes()};
}

SessionRecord record_of(const Lane& lane, const Session& session) {
  return {.name = session.name,
          .trunk = lane.identity.id,
          .architecture = lane.model->info().architecture,
          .owner = session.owner,
          .robot_id = session.robot_id,
          .episode = session.episode,
          .steps = session.steps,
          .time_ns = session.time_ns,
          .bytes = lane.sessions.session_bytes()};
}

bool changed(const Session& session) noexcept {
  return session.steps != 0 && session.steps != session.saved_steps;
}

// Over what is a session already, or nothing.
Result<void> check_target(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored) || claims_to_be_session(file)) return {};
  return Error{Code::bad_argument,
               fmt::format("'{}' is there already, and is not a session", file.string())};
}

}  // namespace

Snapshots::Snapshots(Options options, const ModelShelf& shelf, base::Waker& waker)
    : options_(std::move(options)),
      look_(std::min(options_.period, kRest) / 4),
      shelf_(shelf),
      errand_(waker) {}

Result<void> Snapshots::open() {
  if (options_.folder.empty()) return {};
  auto folder = SessionFolder::open(options_.folder);
  if (!folder && folder.error().code == Code::busy) return folder.error();
  opened(std::move(folder));
  return {};
}

void Snapshots::opened(Result<SessionFolder> folder) {
  if (!folder) return complain(folder.error().message);
  folder_ = std::move(*folder);
  complained_ = false;
  const auto& id = shelf_.lanes().front()->identity.id;
  const std::size_t ours = folder_->count(id), others = folder_->count_of_others(id);
  if (ours + others == 0) return;
  log(fmt::format("'{}': sessions of {} robots come back when they ask{}", options_.folder.string(),
                  ours,
                  others == 0 ? "" : fmt::format("; {} of other trunks are left alone", others)));
}

void Snapshots::recall(Lane& lane, Session& session) {
  if (!keeps(lane, session.name)) return;
  hold(lane, session);
  recalls_.push_back({&lane, &session});
}

Result<void> Snapshots::order(SessionOrder order) {
  const std::string& path = order.file.native();
  if (order.verb != SessionOrder::Verb::drop &&
      (path.size() > kLongestPath || !order.file.is_absolute() ||
       path.find('\0') != std::string::npos))
    return Error{Code::bad_argument,
                 fmt::format("'{}': a session's file is named by an absolute path of at most {} "
                             "bytes",
                             path.substr(0, 80), kLongestPath)};
  const bool name_from_file = order.verb == SessionOrder::Verb::load && order.name.empty();
  if (!name_from_file && !base::is_session_name(order.name))
    return Error{Code::bad_argument,
                 fmt::format("'{}' is no session's name: expected 1 to 64 letters, digits, '_', "
                             "'-' or '.', not beginning with '.'",
                             order.name.substr(0, 64))};
  if (orders_.size() >= kMostOrders)
    return Error{Code::busy, fmt::format("{} orders wait already; ask again", orders_.size())};
  orders_.push_back(std::move(order));
  return {};
}

void Snapshots::tend(base::Nanoseconds now) {
  if (errand_.ended()) go_on(now);
  while (!errand_.busy() && next(now)) {
  }
}

std::optional<Snapshots::Done> Snapshots::done() {
  if (done_.empty()) return std::nullopt;
  Done first = std::move(done_.front());
  done_.pop_front();
  return first;
}

base::Nanoseconds Snapshots::time_to_look(base::Nanoseconds now) const noexcept {
  if (options_.folder.empty() || errand_.busy()) return -1;
  return std::max<base::Nanoseconds>(0, wake_at_ - now);
}

void Snapshots::finish() {
  const auto now = base::monotonic_ns();
  for (; !recalls_.empty(); recalls_.pop_front()) {
    recalls_.front().session->held = false;
    --recalls_.front().lane->borrowed;
  }
  for (errand_.wait(); errand_.ended(); errand_.wait()) go_on(now);
  if (!folder_) return;
  for (const auto& lane : shelf_.lanes())
    for (const Session* session : lane->sessions.list()) {
      if (session->held || !changed(*session)) continue;
      const auto bytes = lane->sessions.session_bytes();
      const auto written = write_session(folder_->file(lane->identity.id, session->name),
                                         record_of(*lane, *session), {session->memory, bytes});
      if (!written)
        complain(written.error().message);
      else
        ++written_;
    }
}

bool Snapshots::keeps(const Lane& lane, std::string_view name) const {
  return folder_ && folder_->has(lane.identity.id, name);
}

std::size_t Snapshots::in_files(const Lane& lane) const {
  return folder_ ? folder_->count(lane.identity.id) : 0;
}

template <class Work>
void Snapshots::begin(Stage stage, Work work) {
  job_.stage = stage;
  errand_.begin([this, work = std::move(work)] {
    try {
      job_.result = work();
    } catch (const std::exception& what) {
      job_.result = Error{Code::limit, fmt::format("'{}': {}", job_.file.string(), what.what())};
    }
  });
}

void Snapshots::go_on(base::Nanoseconds now) {
  switch (std::exchange(job_.stage, Stage::idle)) {
    case Stage::idle:
      return;
    case Stage::opening:
      return opened(std::exchange(opening_, Error{}));
    case Stage::recalling:
      return recalled();
    case Stage::copying:
      return begin_writing();
    case Stage::writing:
      return wrote();
    case Stage::reading:
      return place(now);
    case Stage::filling:
      return filled(now);
    case Stage::removing:
      if (!job_.result) return end_order(job_.result.error(), job_.record.name);
      folder_->note_gone(job_.record.trunk, job_.record.name);
      return end_order(fmt::format("session '{}' is gone, and its file", job_.record.name),
                       job_.record.name);
  }
}

// Who waits first; what can wait last. True: something was begun or has ended.
bool Snapshots::next(base::Nanoseconds now) {
  job_ = {};
  if (!recalls_.empty()) {
    const Recall first = recalls_.front();
    recalls_.pop_front();
    begin_recall(first);
    return true;
  }
  if (!orders_.empty() && begin_order(now)) return true;
  return begin_due(now);
}

void Snapshots::begin_recall(const Recall& recall) {
  job_.lane = recall.lane;
  job_.session = recall.session;
  job_.file = folder_->file(recall.lane->identity.id, recall.session->name);
  begin(Stage::recalling, [this, fit = fit_of(*recall.lane)]() -> Result<void> {
    auto record = read_session(job_.file, fit, {job_.session->memory, fit.bytes});
    if (record && record->name != job_.session->name)
      record = Error{Code::bad_data, fmt::format("'{}' is session '{}'; it was renamed",
                                                 job_.file.string(), record->name)};
    if (record) {
      job_.record = std::move(*record);
      return {};
    }
    const auto aside = set_aside(job_.file);
    return Error{record.error().code, fmt::format("{}; {}", record.error().message,
                                                  aside ? "it is now '" + aside->string() + "'"
                                                        : aside.error().message)};
  });
}

void Snapshots::recalled() {
  Session& session = *job_.session;
  const auto id = job_.lane->identity.id;
  let_go();
  if (!job_.result) {
    folder_->note_gone(id, session.name);
    return log(
        fmt::format("session '{}' begins anew: {}", session.name, job_.result.error().message));
  }
  const SessionRecord& record = job_.record;
  const bool own = session.owner == record.owner && session.robot_id == record.robot_id;
  // Another owner goes on only where he says that he does not know what was before.
  if (!own && session.episode != 0) return;
  if (own) {
    session.episode = record.episode;
    session.time_ns = record.time_ns;
  }
  session.steps = session.saved_steps = record.steps;
  session.restored = true;
}

void Snapshots::begin_copy(Lane& lane, Session& session, std::filesystem::path file,
                           base::Nanoseconds now) {
  job_.file = std::move(file);
  job_.record = record_of(lane, session);
  // Said before it is true, so that whatever the session does meanwhile is noticed.
  if (!job_.order || !folder_) {
    job_.saved_before = std::exchange(session.saved_steps, session.steps);
    session.saved = now;
  }
  hold(lane, session);
  job_.lane = &lane;
  job_.session = &session;
  const auto copy = [this]() -> Result<void> {
    buffer_.assign(job_.session->memory, job_.session->memory + job_.record.bytes);
    return {};
  };
  if (job_.record.bytes > kSmall) return begin(Stage::copying, copy);
  job_.result = copy();
  begin_writing();
}

void Snapshots::begin_writing() {
  let_go();
  if (!job_.result) return wrote();
  begin(Stage::writing, [this]() -> Result<void> {
    if (job_.order)
      if (auto free = check_target(job_.file); !free) return free;
    return write_session(job_.file, job_.record, buffer_);
  });
}

void Snapshots::wrote() {
  const SessionRecord& record = job_.record;
  if (!job_.result) {
    Lane* const lane = find(record.trunk);
    Session* const session = lane == nullptr ? nullptr : lane->sessions.find(record.name);
    if (session != nullptr && session->saved_steps == record.steps && (!job_.order || !folder_))
      session->saved_steps = job_.saved_before;
  }
  if (job_.order) {
    if (!job_.result) return end_order(job_.result.error(), record.name);
    return end_order(fmt::format("session '{}', {} steps, is in '{}'", record.name, record.steps,
                                 job_.file.string()),
                     record.name);
  }
  if (!job_.result) return complain(job_.result.error().message);
  if (std::exchange(complained_, false)) log("snapshots are written again");
  ++written_;
  folder_->note_written(record.trunk, record.name);
}

bool Snapshots::begin_order(base::Nanoseconds now) {
  const auto take = [this] {
    job_.order = std::move(orders_.front());
    orders_.pop_front();
  };
  switch (orders_.front().verb) {
    case SessionOrder::Verb::load:
      take();
      begin_load();
      return true;
    case SessionOrder::Verb::save:
    case SessionOrder::Verb::drop:
      break;
  }
  const std::string name = orders_.front().name;
  Lane* lane = nullptr;
  Session* session = nullptr;
  // While robots change over there may be one of each trunk: the newer counts.
  for (const auto& one : shelf_.lanes())
    if (Session* const found = one->sessions.find(name);
        found != nullptr && (session == nullptr || found->used > session->used)) {
      lane = one.get();
      session = found;
    }
  if (session != nullptr && session->held) return false;  // a pass, and soon over
  take();
  if (job_.order->verb == SessionOrder::Verb::drop) {
    begin_drop(lane, session);
  } else if (session == nullptr) {
    end_order(no_session(name), name);
  } else if (session->steps == 0) {
    end_order(Error{Code::stale, fmt::format("session '{}' holds nothing yet", name)}, name);
  } else {
    begin_copy(*lane, *session, job_.order->file, now);
  }
  return true;
}

void Snapshots::begin_load() {
  for (const auto& lane : shelf_.lanes())
    if (lane->sessions.session_bytes() > 0) job_.fits.push_back(fit_of(*lane));
  const std::string& file = job_.order->file.native();
  if (job_.fits.empty())
    return end_order(
        Error{Code::incompatible, fmt::format("'{}': this trunk remembers nothing ('{}')", file,
                                              shelf_.lanes().front()->model->info().architecture)},
        job_.order->name);
  job_.file = job_.order->file;
  begin(Stage::reading, [this]() -> Result<void> {
    std::optional<Error> why;
    for (const auto& fit : job_.fits) {
      buffer_.resize(fit.bytes);
      auto record = read_session(job_.file, fit, buffer_);
      if (record) {
        job_.record = std::move(*record);
        return {};
      }
      if (!why) why = record.error();  // the first trunk is the one that people know
    }
    return *why;
  });
}

// The file is sound and for a trunk that is served: where do its bytes go?
void Snapshots::place(base::Nanoseconds now) {
  const std::string name = job_.order->name.empty() ? job_.record.name : job_.order->name;
  if (!job_.result) return end_order(job_.result.error(), name);
  Lane* const lane = find(job_.record.trunk);
  if (lane == nullptr)
    return end_order(Error{Code::unavailable, "the trunk has left meanwhile; ask again"}, name);
  Session* session = lane->sessions.find(name);
  if (session != nullptr &&
      (session->held || session->waiting > 0 || now - session->used < options_.lease))
    return end_order(
        Error{Code::busy,
              fmt::format("session '{}' is that of robot {}, heard {} ms ago; load it "
                          "under another name, or stop the robot",
                          name, session->robot_id, (now - session->used) / base::kMillisecond)},
        name);
  if (session == nullptr) {
    const auto added = lane->sessions.add(name);
    if (!added) return end_order(added.error(), name);
    session = *added;
  }
  job_.lane = lane;
  job_.session = session;
  hold(*lane, *session);
  begin(Stage::filling, [this]() -> Result<void> {
    std::memcpy(job_.session->memory, buffer_.data(), buffer_.size());
    return {};
  });
}

void Snapshots::filled(base::Nanoseconds now) {
  Session& session = *job_.session;
  const SessionRecord& record = job_.record;
  let_go();
  session.owner = record.owner;
  session.robot_id = record.robot_id;
  session.episode = record.episode;
  session.time_ns = record.time_ns;
  session.steps = record.steps;
  // The folder does not have it yet.
  session.saved_steps = folder_ ? 0 : record.steps;
  session.restored = true;
  // Nobody has it, so that every robot may come; but it is not the first that has to leave.
  session.used = now - options_.lease;
  end_order(fmt::format("session '{}', {} steps, is back from '{}'", session.name, session.steps,
                        job_.file.string()),
            session.name);
}

void Snapshots::begin_drop(Lane* lane, Session* session) {
  const std::string name = job_.order->name;
  if (session == nullptr) {
    const auto lanes = shelf_.lanes();
    const auto found =
        std::ranges::find_if(lanes, [&](const auto& one) { return keeps(*one, name); });
    if (found == lanes.end()) return end_order(no_session(name), name);
    lane = found->get();
  } else {
    const std::uint32_t waiting = session->waiting;
    const std::uint64_t steps = session->steps;
    if (!lane->sessions.drop(*session))
      return end_order(Error{Code::busy, fmt::format("session '{}': {} requests of its robot are "
                                                     "under way; ask again",
                                                     name, waiting)},
                       name);
    if (!keeps(*lane, name))
      return end_order(fmt::format("session '{}' and its {} steps are gone", name, steps), name);
  }
  job_.record = {.name = name, .trunk = lane->identity.id};
  job_.file = folder_->file(lane->identity.id, name);
  begin(Stage::removing, [this]() -> Result<void> {
    std::error_code failure;
    std::filesystem::remove(job_.file, failure);
    if (!failure) return {};
    return Error{Code::failed,
                 fmt::format("'{}': cannot be removed: {}", job_.file.string(), failure.message())};
  });
}

bool Snapshots::begin_due(base::Nanoseconds now) {
  if (options_.folder.empty() || now < next_look_) return false;
  next_look_ = wake_at_ = now + look_;
  if (!folder_) {
    next_look_ = wake_at_ = now + options_.period;
    begin(Stage::opening, [this]() -> Result<void> {
      opening_ = SessionFolder::open(options_.folder);
      return {};
    });
    return true;
  }
  Lane* lane = nullptr;
  Session* oldest = nullptr;
  for (const auto& one : shelf_.lanes())
    for (const Session* listed : one->sessions.list()) {
      if (!changed(*listed)) continue;
      const auto since = now - listed->saved;
      const bool rests = listed->waiting == 0 && now - listed->used >= kRest && since >= kRest;
      if (!rests && since < options_.period - look_ / 2) continue;
      if (listed->held) {
        next_look_ = now;  // as soon as its pass is over
      } else if (oldest == nullptr || listed->saved < oldest->saved) {
        lane = one.get();
        oldest = one->sessions.find(listed->name);
      }
    }
  if (oldest == nullptr) return false;
  next_look_ = now;  // there may be more
  begin_copy(*lane, *oldest, folder_->file(lane->identity.id, oldest->name), now);
  return true;
}

void Snapshots::hold(Lane& lane, Session& session) {
  session.held = true;
  ++lane.borrowed;
}

void Snapshots::let_go() {
  std::exchange(job_.session, nullptr)->held = false;
  --std::exchange(job_.lane, nullptr)->borrowed;
}

void Snapshots::end_order(Result<std::string> said, std::string name) {
  done_.push_back({std::move(*job_.order), std::move(said), std::move(name)});
}

Lane* Snapshots::find(const base::Digest& trunk) const {
  return shelf_.find(trunk);
}

Error Snapshots::no_session(const std::string& name) const {
  std::vector<std::string> names;
  for (const auto& lane : shelf_.lanes())
    for (const Session* session : lane->sessions.list()) names.push_back(session->name);
  return {Code::not_found, fmt::format("no session '{}'{}", name, base::did_you_mean(name, names))};
}

void Snapshots::complain(const std::string& what) {
  ++failed_;
  if (!std::exchange(complained_, true))
    log(fmt::format("no snapshot was written: {}; it is tried again", what));
}

void Snapshots::log(const std::string& text) const {
  if (options_.log) options_.log(text);
}

}  // namespace cambium::trunk
