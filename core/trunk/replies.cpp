#include "core/trunk/replies.hpp"

#include <algorithm>
#include <limits>

#include "cambium/version.hpp"
#include "core/base/realtime.hpp"
#include "core/transport/verify.hpp"
#include "wire/features_generated.h"
#include "wire/notice_generated.h"
#include "wire/trunk_info_generated.h"
#include "wire/trunk_load_generated.h"

namespace cambium::trunk {
namespace {

float microseconds(base::Nanoseconds time) noexcept {
  return static_cast<float>(static_cast<double>(time) * 1e-3);
}

std::uint32_t whole_microseconds(base::Nanoseconds time) noexcept {
  constexpr base::Nanoseconds kMost = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::clamp<base::Nanoseconds>((time + 999) / 1000, 0, kMost));
}

static_assert(static_cast<int>(Bound::none) == static_cast<int>(wire::Bound::none) &&
              static_cast<int>(Bound::robot) == static_cast<int>(wire::Bound::robot) &&
              static_cast<int>(Bound::queue) == static_cast<int>(wire::Bound::queue) &&
              static_cast<int>(Bound::time) == static_cast<int>(wire::Bound::time));

static_assert(static_cast<int>(Recall::none) == static_cast<int>(wire::Recall::none) &&
              static_cast<int>(Recall::kept) == static_cast<int>(wire::Recall::kept) &&
              static_cast<int>(Recall::began) == static_cast<int>(wire::Recall::began) &&
              static_cast<int>(Recall::restored) == static_cast<int>(wire::Recall::restored));

}  // namespace

std::span<const std::byte> Replies::features(const Request& request, Status status,
                                             const FeaturesView& values, const Cost& cost,
                                             const Busy& busy) {
  builder_.Clear();
  flatbuffers::Offset<flatbuffers::Vector<float>> vector;
  if (status.ok())
    vector = builder_.CreateVector(values.data, std::size_t{values.count} * values.width);
  wire::FeaturesBuilder features(builder_);
  features.add_request(request.request);
  features.add_robot_id(request.robot_id);
  features.add_generation(request.generation);
  features.add_code(static_cast<std::uint16_t>(status.code()));
  if (status.ok()) {
    features.add_count(values.count);
    features.add_width(values.width);
    features.add_values(vector);
    features.add_recall(static_cast<wire::Recall>(request.recall));
    features.add_steps(request.steps);
  }
  features.add_queue_us(microseconds(cost.queued));
  features.add_compute_us(microseconds(cost.computed));
  features.add_batch(cost.batch);
  features.add_bound(static_cast<wire::Bound>(busy.bound));
  features.add_retry_us(whole_microseconds(busy.retry));
  wire::FinishFeaturesBuffer(builder_, features.Finish());
  return transport::bytes_of(builder_);
}

std::span<const std::byte> Replies::refusal(const Request& request, Code code, const Busy& busy) {
  return features(request, code, {}, {}, busy);
}

std::span<const std::byte> Replies::notice(const Error& error, const Request* request) {
  builder_.Clear();
  const auto text = builder_.CreateString(error.message);
  wire::NoticeBuilder notice(builder_);
  notice.add_code(static_cast<std::uint16_t>(error.code));
  notice.add_text(text);
  if (request != nullptr) {
    notice.add_robot_id(request->robot_id);
    notice.add_sequence(request->request);
    notice.add_generation(request->generation);
  }
  wire::FinishNoticeBuffer(builder_, notice.Finish());
  return transport::bytes_of(builder_);
}

std::span<const std::byte> Replies::notice(const Error& error, std::uint32_t robot_id) {
  Request about;
  about.robot_id = robot_id;
  return notice(error, &about);
}

std::span<const std::byte> Replies::trunk_info(const ServerIdentity& identity,
                                               const ModelInfo& model, std::uint64_t served,
                                               std::span<const std::uint8_t> ids,
                                               std::uint32_t sessions) {
  builder_.Clear();
  const auto all = builder_.CreateVector(ids.data(), ids.size());
  const auto id = builder_.CreateVector(identity.id.data(), identity.id.size());
  const auto architecture = builder_.CreateString(model.architecture);
  const auto backend = builder_.CreateString(identity.backend);
  wire::TrunkInfoBuilder info(builder_);
  info.add_protocol(kWireProtocol);
  info.add_id(id);
  info.add_architecture(architecture);
  info.add_width(model.width);
  info.add_blocks(model.blocks);
  info.add_heads(model.heads);
  info.add_max_tokens(identity.max_tokens);
  info.add_backend(backend);
  info.add_served(served);
  info.add_resident_kb(base::resident_kb());
  info.add_weights_kb(model.weight_bytes / 1024);
  info.add_ids(all);
  info.add_session_bytes(model.session_bytes);
  info.add_sessions(sessions);
  wire::FinishTrunkInfoBuffer(builder_, info.Finish());
  return transport::bytes_of(builder_);
}

std::span<const std::byte> Replies::loaded(std::uint64_t request, const ServerIdentity& identity,
                                           const ModelInfo& model) {
  builder_.Clear();
  const auto id = builder_.CreateVector(identity.id.data(), identity.id.size());
  const auto architecture = builder_.CreateString(model.architecture);
  const auto chosen = builder_.CreateString(model.chosen);
  const auto reply = wire::CreateTrunkLoadReply(
      builder_, request, static_cast<std::uint16_t>(Code::ok), 0, id, architecture, model.width,
      model.blocks, model.heads, model.weight_bytes / 1024, chosen);
  wire::FinishTrunkLoadBuffer(builder_, wire::CreateTrunkLoad(builder_, 0, reply));
  return transport::bytes_of(builder_);
}

std::span<const std::byte> Replies::not_loaded(std::uint64_t request, const Error& error) {
  builder_.Clear();
  const auto text = builder_.CreateString(error.message);
  const auto reply =
      wire::CreateTrunkLoadReply(builder_, request, static_cast<std::uint16_t>(error.code), text);
  wire::FinishTrunkLoadBuffer(builder_, wire::CreateTrunkLoad(builder_, 0, reply));
  return transport::bytes_of(builder_);
}

}  // namespace cambium::trunk
