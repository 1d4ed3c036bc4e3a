#include "core/transport/allow_list.hpp"

#include <sys/stat.h>

namespace cambium::transport {
namespace {

constexpr std::size_t kMostStrangers = 256;  // that are told apart; more are only counted

}  // namespace

Result<std::unique_ptr<AllowList>> AllowList::open(std::filesystem::path file,
                                                   const base::PublicKey& own, Log log) {
  std::unique_ptr<AllowList> list(new AllowList(std::move(file), std::move(log)));
  list->places_[0].name = "this process itself";
  list->places_[0].roles = kEveryRole;
  list->numbers_.emplace(own, 0);
  list->used_ = 1;
  if (list->file_.empty()) return list;
  list->stamp_ = list->stamp();  // before: what is written meanwhile is read again
  auto keys = read_allow_file(list->file_);
  if (!keys) return keys.error();
  (void)list->take(*keys);
  return list;
}

std::optional<std::uint32_t> AllowList::admit(const base::PublicKey& key, Roles roles,
                                              std::string_view address) {
  std::string sentence;
  {
    const std::lock_guard lock(mutex_);
    const auto known = numbers_.find(key);
    if (known != numbers_.end() && (places_[known->second].roles.load() & roles) != 0)
      return known->second;
    ++denied_;
    if (strangers_.size() >= kMostStrangers || !strangers_.insert(key).second) return std::nullopt;
    const Roles has = known == numbers_.end() ? 0 : places_[known->second].roles.load();
    sentence = "key " + key.fingerprint() + "… at " + std::string(address.substr(0, 64)) +
               " is not let in as " + to_text(roles) + ": " +
               (has == 0 ? "it is not allowed"
                         : "'" + places_[known->second].name + "' is only " + to_text(has));
  }
  say({sentence});
  return std::nullopt;
}

bool AllowList::may(std::uint32_t number, Roles roles) noexcept {
  if (number >= used_.load(std::memory_order_acquire)) return false;
  Place& place = places_[number];
  if ((place.roles.load(std::memory_order_relaxed) & roles) != 0) return true;
  place.dropped.fetch_add(1, std::memory_order_relaxed);
  return false;
}

AllowList::Stamp AllowList::stamp() const {
  struct stat about = {};
  if (::stat(file_.c_str(), &about) != 0) return {};
  return {about.st_ctim.tv_sec, about.st_ctim.tv_nsec, about.st_size, about.st_ino};
}

void AllowList::look(base::Nanoseconds now) {
  Sentences sentences;
  {
    const std::lock_guard lock(mutex_);
    if (now < next_look_) return;
    next_look_ = now + kLookEvery;
    tell_dropped(sentences);
    const Stamp there = file_.empty() ? stamp_ : stamp();
    if (there != stamp_) {
      stamp_ = there;
      if (const auto keys = read_allow_file(file_)) {
        problem_.clear();
        for (auto& sentence : take(*keys)) sentences.push_back(std::move(sentence));
      } else {
        problem_ = keys.error().message + "; the list before it holds";
        sentences.push_back(problem_);
      }
    }
  }
  say(sentences);
}

void AllowList::tell_dropped(Sentences& sentences) {
  for (std::uint32_t i = 0; i < used_; ++i) {
    Place& place = places_[i];
    const std::uint64_t dropped = place.dropped.load(std::memory_order_relaxed);
    // Once: whoever goes on does so a hundred times a second.
    if (dropped == 0 || place.told != 0) continue;
    place.told = dropped;
    sentences.push_back("key '" + place.name + "' still sends over a connection from before it " +
                        "was revoked: nothing of it is read");
  }
}

// Under mutex_.
AllowList::Sentences AllowList::take(const std::vector<AllowedKey>& keys) {
  Sentences sentences;
  std::map<std::uint32_t, Roles> roles;
  for (const auto& allowed : keys) {
    const auto next = static_cast<std::uint32_t>(numbers_.size());
    if (next == kMostKeys && !numbers_.contains(allowed.key)) {
      sentences.push_back("key '" + allowed.name +
                          "' is one too many since this process began: start it anew");
      continue;
    }
    const auto [at, is_new] = numbers_.emplace(allowed.key, next);
    if (at->second == 0) continue;  // our own
    Place& place = places_[at->second];
    place.name = allowed.name;
    roles[at->second] = allowed.roles;
    strangers_.erase(allowed.key);
    if (is_new) used_.store(next + 1, std::memory_order_release);
  }
  for (std::uint32_t i = 1; i < used_; ++i) {
    const auto at = roles.find(i);
    const Roles now = at == roles.end() ? Roles{0} : at->second;
    const Roles before = places_[i].roles.exchange(now);
    if (now == before) continue;
    sentences.push_back("key '" + places_[i].name + "' is " +
                        (now == 0 ? "revoked" : "allowed as " + to_text(now)));
  }
  keys_ = roles.size();
  return sentences;
}

void AllowList::say(const Sentences& sentences) const {
  if (!log_) return;
  for (const auto& sentence : sentences) log_("keys: " + sentence);
}

AllowStatus AllowList::status() const {
  const std::lock_guard lock(mutex_);
  AllowStatus status{.keys = keys_, .denied = denied_, .dropped = 0, .problem = problem_};
  for (std::uint32_t i = 0; i < used_; ++i) status.dropped += places_[i].dropped;
  return status;
}

}  // namespace cambium::transport
