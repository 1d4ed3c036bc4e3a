// core/trunk/snapshots.hpp: a trunk's sessions to files and back, beside the passes.
#pragma once

#include <atomic>
#include <deque>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "core/base/clock.hpp"
#include "core/trunk/errand.hpp"
#include "core/trunk/session_file.hpp"
#include "core/trunk/session_folder.hpp"
#include "core/trunk/shelf.hpp"

namespace cambium::trunk {

/// What somebody wants done with one session and one file.
struct SessionOrder {
  enum class Verb : std::uint8_t { save, load, drop };
  Verb verb = Verb::save;
  std::string name;            ///< of the session; load: empty for the name in the file
  std::filesystem::path file;  ///< save, load: absolute
  // For the answer.
  transport::Peer from;
  std::uint64_t request = 0;
};

/// Written and read one at a time. Who has to wait for a copy of his bytes is the robot whose they
/// are: his session is held, the others compute. Files are written from the copy.
///
/// A session is written when it has changed and its last copy is `period` old, or when it rests:
/// so what may have to leave for a newcomer is in a file by then. A robot that comes with a name of
/// which there is a file but no session gets its memory from there: its request waits so long.
///
/// Threads    The io thread's; an Errand copies, writes and reads.
class Snapshots {
 public:
  struct Options {
    std::filesystem::path folder;  ///< empty: none; only orders are carried out
    base::Nanoseconds period = base::kSecond;
    base::Nanoseconds lease = 2 * base::kSecond;  ///< Sessions::Limits
    std::function<void(const std::string&)> log = {};
  };
  /// How an order ended: what was done, in words, or why nothing was.
  struct Done {
    SessionOrder order;
    Result<std::string> said = Error{};
    std::string name;  ///< of the session that it was about
  };

  /// Borrows the shelf, and `waker`, which is woken when there is something to tend. [setup]
  Snapshots(Options options, const ModelShelf& shelf, base::Waker& waker);
  /// Takes the folder. busy: another process has it. One that cannot be written to is complained
  /// about in the log and tried again. [setup]
  Result<void> open();

  /// A session was just made: if there is a file of it, it is held until that was read. [io]
  void recall(Lane& lane, Session& session);
  /// busy: too many wait. [io]
  Result<void> order(SessionOrder order);
  /// Goes on with what has ended, begins what is next. Call it when no pass holds a session: else
  /// one that computes without pause is never copied. [io]
  void tend(base::Nanoseconds now);
  /// An order that has ended since the last call. [io]
  std::optional<Done> done();
  /// [ns] until tend() has to be called anyway; negative: not at all. [io, rt]
  base::Nanoseconds time_to_look(base::Nanoseconds now) const noexcept;
  /// Writes what is not in a file yet. Nothing computes any more. [io]
  void finish();

  /// Files of the folder written, and not written. [any]
  std::uint64_t written() const noexcept { return written_; }
  std::uint64_t failed() const noexcept { return failed_; }
  /// The folder has a file of that session. [io]
  bool keeps(const Lane& lane, std::string_view name) const;
  /// Sessions that the folder has of that lane. [io]
  std::size_t in_files(const Lane& lane) const;

 private:
  enum class Stage : std::uint8_t {
    idle,
    opening,
    recalling,
    copying,
    writing,
    reading,
    filling,
    removing
  };
  /// What is under way. `lane` and `session` only while the session is held.
  struct Job {
    Stage stage = Stage::idle;
    Lane* lane = nullptr;
    Session* session = nullptr;
    std::filesystem::path file;
    SessionRecord record;
    std::uint64_t saved_before = 0;
    std::optional<SessionOrder> order;
    std::vector<SessionFit> fits;  ///< reading: which trunks are served
    Result<void> result;
  };
  struct Recall {
    Lane* lane;
    Session* session;
  };

  template <class Work>
  void begin(Stage stage, Work work);
  void go_on(base::Nanoseconds now);
  bool next(base::Nanoseconds now);

  void begin_opening();
  void opened(Result<SessionFolder> folder);
  void begin_recall(const Recall& recall);
  void recalled();
  void begin_copy(Lane& lane, Session& session, std::filesystem::path file, base::Nanoseconds now);
  void begin_writing();
  void wrote();
  bool begin_order(base::Nanoseconds now);
  void begin_load();
  void place(base::Nanoseconds now);
  void filled(base::Nanoseconds now);
  void begin_drop(Lane* lane, Session* session);
  bool begin_due(base::Nanoseconds now);

  void hold(Lane& lane, Session& session);
  void let_go();
  void end_order(Result<std::string> said, std::string name);
  Lane* find(const base::Digest& trunk) const;
  Error no_session(const std::string& name) const;
  void complain(const std::string& what);
  void log(const std::string& text) const;

  const Options options_;
  const base::Nanoseconds look_;  ///< between two looks at who is due
  const ModelShelf& shelf_;
  std::optional<SessionFolder> folder_;
  std::deque<Recall> recalls_;
  std::deque<SessionOrder> orders_;
  std::deque<Done> done_;
  Job job_;
  std::vector<std::byte> buffer_;  ///< the job's
  Result<SessionFolder> opening_ = Error{};
  base::Nanoseconds next_look_ = 0, wake_at_ = 0;
  bool complained_ = false;
  std::atomic<std::uint64_t> written_{0}, failed_{0};
  Errand errand_;  // last: works on the others
};

}  // namespace cambium::trunk
