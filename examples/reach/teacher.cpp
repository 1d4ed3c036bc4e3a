#include "examples/reach/teacher.hpp"

#include <algorithm>
#include <cmath>

namespace cambium::reach {

Teacher::Teacher(const ArmModel& model, TeacherOptions options)
    : model_(&model),
      options_(options),
      expert_(model),
      noise_(model, options.noise, options.noise_memory),
      random_(options.seed),
      velocity_(model.dof()),
      command_(model.dof()),
      label_(model.dof()) {}

Status Teacher::show(Client& client, std::span<const double> q, const Point& goal) {
  expert_.velocity(q, goal, velocity_);
  double scale = 1;  // slower as a whole, so that the tool still goes straight
  for (std::size_t j = 0; j < velocity_.size(); ++j)
    scale = std::max(scale,
                     std::abs(velocity_[j]) / (options_.most * model_->joints()[j].velocity_max));
  for (double& v : velocity_) v /= scale;
  std::ranges::transform(velocity_, label_.begin(), [](double v) { return static_cast<float>(v); });
  if (disturbed_) noise_.add_to(velocity_, random_);
  for (std::size_t j = 0; j < velocity_.size(); ++j) {
    const double most = model_->joints()[j].velocity_max;
    command_[j] = static_cast<float>(std::clamp(velocity_[j], -most, most));
  }
  return client.demonstrate(command_, label_);
}

void Teacher::next_episode() {
  disturbed_ = !disturbed_;
  noise_.restart();
}

}  // namespace cambium::reach
