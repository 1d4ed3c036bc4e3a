#include "core/check/runner.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>
#include <poll.h>

#include <algorithm>
#include <map>
#include <optional>

#include "core/check/child.hpp"

namespace cambium::check {
namespace {

/// Why a check cannot be tried with what was given; empty if it can.
std::string missing(const Check& check, const Subject& subject) {
  std::vector<const char*> files;
  if (check.needs.plugin && subject.plugin.empty()) files.push_back("--plugin FILE");
  if (check.needs.bundle && subject.bundle.empty()) files.push_back("--bundle FILE");
  if (check.needs.stock && subject.stock.empty()) files.push_back("--stock FILE");
  return files.empty() ? "" : fmt::format("needs {}", fmt::join(files, " and "));
}

/// One run over the table.
class Run {
 public:
  Run(const Subject& subject, const RunOptions& options, const Watch& watch)
      : subject_(subject),
        options_(options),
        watch_(watch),
        checks_(chosen(subject.kind, options.only)),
        outcomes_(checks_.size()),
        end_(base::monotonic_ns() + nanoseconds(options.budget)) {}

  Result<std::vector<Outcome>> all() {
    while (told_ < checks_.size()) {
      if (options_.stop()) return Error{Code::failed, "stopped"};
      if (auto started = start_more(); !started) return started.error();
      wait();
      collect();
      tell();
    }
    std::vector<Outcome> outcomes;
    for (auto& one : outcomes_) outcomes.push_back(std::move(*one));
    return outcomes;
  }

 private:
  struct Running {
    std::size_t index;
    Child child;
  };

  static base::Nanoseconds nanoseconds(double seconds) {
    return static_cast<base::Nanoseconds>(seconds * base::kSecond);
  }

  void set(std::size_t index, Finding finding, double seconds = 0) {
    outcomes_[index] = Outcome{checks_[index].name, std::move(finding), seconds};
  }

  /// What the check comes after, if that was chosen too.
  struct Before {
    bool known = true;
    std::string problem;  ///< why the check makes no sense now
  };
  Before before(const Check& check) const {
    if (check.after == nullptr) return {};
    for (std::size_t i = 0; i < checks_.size(); ++i) {
      if (std::string_view(checks_[i].name) != check.after) continue;
      if (!outcomes_[i]) return {.known = false, .problem = {}};
      const auto& [verdict, message] = outcomes_[i]->finding;
      if (verdict == Verdict::skip) return {.problem = message};
      if (verdict > Verdict::skip)
        return {.problem = fmt::format("'{}' has to pass first", check.after)};
    }
    return {};
  }

  bool may_start(std::size_t index) const {
    if (outcomes_[index] ||
        std::ranges::any_of(running_, [&](const Running& one) { return one.index == index; }))
      return false;
    if (!before(checks_[index]).known) return false;
    if (!checks_[index].alone) return true;
    // Last of all: others would have to wait for a quiet machine.
    return running_.empty() && std::ranges::all_of(checks_, [&](const Check& other) {
             return other.alone || outcomes_[static_cast<std::size_t>(&other - checks_.data())];
           });
  }

  Result<void> start(std::size_t index) {
    const Check& check = checks_[index];
    const auto left = end_ - base::monotonic_ns();
    if (auto why = missing(check, subject_); !why.empty()) {
      set(index, skip(std::move(why)));
    } else if (auto earlier = before(check).problem; !earlier.empty()) {
      set(index, skip(std::move(earlier)));
    } else if (left <= 0) {
      set(index, fail(fmt::format("was not run: the {:.3g} s for all checks are used up (--budget)",
                                  options_.budget)));
    } else {
      auto child = Child::start(child_arguments(check, subject_, options_),
                                std::min(left, nanoseconds(options_.timeout)));
      if (!child) return child.error();
      running_.push_back({index, std::move(*child)});
    }
    return {};
  }

  Result<void> start_more() {
    for (std::size_t i = 0; i < checks_.size() && running_.size() < options_.jobs; ++i) {
      if (!running_.empty() && checks_[running_.front().index].alone) break;
      if (!may_start(i)) continue;
      if (auto started = start(i); !started) return started;
    }
    return {};
  }

  void wait() const {
    if (running_.empty()) return;
    watch_.progress(told_, checks_.size(), checks_[running_.front().index].name);
    std::vector<pollfd> list;
    for (const auto& one : running_) one.child.add_to(list);
    ::poll(list.data(), list.size(), 50);  // deadlines and stop() are looked at this often
  }

  void collect() {
    const auto now = base::monotonic_ns();
    std::erase_if(running_, [&](Running& one) {
      if (!one.child.done(now)) return false;
      set(one.index, one.child.finding(), one.child.seconds());
      return true;
    });
  }

  void tell() {
    for (; told_ < checks_.size() && outcomes_[told_]; ++told_) watch_.outcome(*outcomes_[told_]);
  }

  const Subject& subject_;
  const RunOptions& options_;
  const Watch& watch_;
  std::vector<Check> checks_;
  std::vector<std::optional<Outcome>> outcomes_;
  base::Nanoseconds end_;
  std::size_t told_ = 0;
  std::vector<Running> running_;
};

}  // namespace

std::vector<Check> chosen(Kind kind, const std::vector<std::string>& only) {
  std::vector<Check> list;
  for (const auto& check : checks_of(kind)) {
    const bool wanted =
        only.empty() || std::ranges::any_of(only, [&](const std::string& pattern) {
          const bool glob = pattern.find_first_of("*?[") != std::string::npos;
          return glob ? ::fnmatch(pattern.c_str(), check.name, 0) == 0
                      : std::string_view(check.name).find(pattern) != std::string_view::npos;
        });
    if (wanted) list.push_back(check);
  }
  return list;
}

std::vector<std::string> child_arguments(const Check& check, const Subject& subject,
                                         const RunOptions& options) {
  std::vector<std::string> arguments = {subject.file().string(),
                                        "--child",
                                        check.name,
                                        "--kind",
                                        to_string(subject.kind),
                                        "--scratch",
                                        options.scratch.string(),
                                        "--seed",
                                        std::to_string(options.seed)};
  const std::pair<const char*, std::string> others[] = {
      {"--plugin", subject.plugin.string()},
      {"--head-plugin", subject.head_plugin.string()},
      {"--stem-plugin", subject.stem_plugin.string()},
      {"--bundle", subject.bundle.string()},
      {"--stock", subject.stock.string()},
      {"--embodiment", subject.embodiment},
      {"--head", subject.head}};
  for (const auto& [option, value] : others)
    if (!value.empty()) arguments.insert(arguments.end(), {option, value});
  for (const auto& key : subject.trust)
    arguments.insert(arguments.end(), {"--trust", key.string()});
  return arguments;
}

Result<std::vector<Outcome>> run_checks(const Subject& subject, const RunOptions& options,
                                        const Watch& watch) {
  return Run(subject, options, watch).all();
}

}  // namespace cambium::check
