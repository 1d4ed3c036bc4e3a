// core/transport/allow_list.hpp: whose keys may connect, as what; read again whenever its file
// changes.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"
#include "core/base/clock.hpp"
#include "core/base/curve_key.hpp"
#include "core/transport/allow_file.hpp"

namespace cambium::transport {

/// For `status`.
struct AllowStatus {
  std::size_t keys = 0;       ///< on the list
  std::uint64_t denied = 0;   ///< connections of keys that it does not let in
  std::uint64_t dropped = 0;  ///< messages over connections of keys that it lets in no more
  std::string problem;        ///< why the file cannot be read any more: what it said last holds
};

/// Who may connect to the sockets of a process.
///
/// Threads    may() is for every thread and never waits; the rest is for doorkeepers, one at a
/// time. Memory     Bounded: kMostKeys keys in a process's life, revoked ones included.
class AllowList {
 public:
  using Log = std::function<void(const std::string&)>;
  static constexpr std::uint32_t kMostKeys = kMostAllowed + 1;
  static constexpr base::Nanoseconds kLookEvery = 100 * base::kMillisecond;

  /// `own` is always let in, as everything: whoever holds it is this process. An empty path: nobody
  /// else is. [setup]
  static Result<std::unique_ptr<AllowList>> open(std::filesystem::path file,
                                                 const base::PublicKey& own, Log log);

  /// The number by which its messages are told from others', if it may be one of `roles`; else it
  /// is counted, and said once for each key.
  std::optional<std::uint32_t> admit(const base::PublicKey& key, Roles roles,
                                     std::string_view address);
  /// Of the number of an admitted key, now; counts if not. [any, rt]
  bool may(std::uint32_t number, Roles roles) noexcept;
  /// Reads the file again if it has changed; looks at most every kLookEvery.
  void look(base::Nanoseconds now);
  AllowStatus status() const;

 private:
  // The roles of a key that came before; its number is its place, for ever.
  struct Place {
    std::atomic<Roles> roles{0};
    std::atomic<std::uint64_t> dropped{0};
    std::string name;        // guarded by mutex_, as what follows
    std::uint64_t told = 0;  // of dropped, those that were spoken of
  };
  /// Of a file: another one has another stamp.
  struct Stamp {
    std::int64_t changed_s = 0, changed_ns = 0, size = -1;
    std::uint64_t file = 0;
    bool operator==(const Stamp&) const = default;
  };
  using Sentences = std::vector<std::string>;

  AllowList(std::filesystem::path file, Log log) : file_(std::move(file)), log_(std::move(log)) {}
  Stamp stamp() const;
  Sentences take(const std::vector<AllowedKey>& keys);
  void tell_dropped(Sentences& sentences);
  void say(const Sentences& sentences) const;

  const std::filesystem::path file_;
  const Log log_;
  std::array<Place, kMostKeys> places_;
  std::atomic<std::uint32_t> used_{0};  // of places_
  mutable std::mutex mutex_;            // guards what follows; held for moments, and while reading
  std::map<base::PublicKey, std::uint32_t> numbers_;
  std::set<base::PublicKey> strangers_;  // that were spoken of
  std::size_t keys_ = 0;
  std::uint64_t denied_ = 0;
  std::string problem_;
  Stamp stamp_;
  base::Nanoseconds next_look_ = 0;
};

}  // namespace cambium::transport
