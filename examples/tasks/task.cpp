#include "examples/tasks/task.hpp"

#include "core/base/nearest.hpp"

namespace cambium::tasks {
namespace {

constexpr TaskKind kTasks[] = {TaskKind::reach, TaskKind::choose, TaskKind::push};

}  // namespace

const char* to_string(TaskKind kind) noexcept {
  switch (kind) {
    case TaskKind::reach:
      return "reach";
    case TaskKind::choose:
      return "choose";
    case TaskKind::push:
      return "push";
  }
  return "unknown";
}

Result<TaskKind> task_from(std::string_view word) {
  std::vector<std::string> names;
  for (const auto kind : kTasks) {
    if (word == to_string(kind)) return kind;
    names.emplace_back(to_string(kind));
  }
  return Error{Code::bad_argument,
               "no task is called '" + std::string(word) + "'" + base::did_you_mean(word, names)};
}

}  // namespace cambium::tasks
