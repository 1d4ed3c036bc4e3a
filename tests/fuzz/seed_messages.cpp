#include <flatbuffers/flatbuffers.h>

#include <cstring>
#include <string>
#include <vector>

#include "cambium/status.hpp"
#include "cambium/version.hpp"
#include "core/base/shared_slot.hpp"
#include "core/transport/verify.hpp"
#include "tests/fuzz/seeds.hpp"
#include "tests/support/toy_files.hpp"
#include "wire/action_generated.h"
#include "wire/admin_generated.h"
#include "wire/chunk_generated.h"
#include "wire/features_generated.h"
#include "wire/hello_generated.h"
#include "wire/memory_generated.h"
#include "wire/notice_generated.h"
#include "wire/observation_generated.h"
#include "wire/session_generated.h"
#include "wire/tokens_generated.h"
#include "wire/trunk_info_generated.h"
#include "wire/trunk_load_generated.h"
#include "wire/welcome_generated.h"

namespace cambium::fuzz {
namespace {

using Builder = flatbuffers::FlatBufferBuilder;
using Floats = std::vector<float>;

template <class Write>
void seed(const Keep& keep, const std::vector<std::string>& targets, const std::string& name,
          Write write) {
  Builder builder;
  write(builder);
  for (const auto& target : targets) keep(target, name, transport::bytes_of(builder));
}

void from_controllers(const Keep& keep) {
  const auto hello = [&](const char* name, const char* robot, const char* embodiment) {
    seed(keep, {"host_control", "trunk_server"}, name, [&](Builder& b) {
      wire::FinishHelloBuffer(
          b, wire::CreateHelloDirect(b, kWireProtocol, "a controller, pid 7", robot, embodiment));
    });
  };
  hello("hello", "left", "toy_arm");
  hello("hello_to_nobody", "lfet", "");
  const auto observation = [&](const char* name, wire::Want want, const Floats& joints) {
    seed(keep, {"host_control"}, name, [&](Builder& b) {
      const Floats goal(3, 0.2F);
      const std::vector readings = {wire::CreateReadingDirect(b, &joints),
                                    wire::CreateReadingDirect(b, &goal)};
      wire::FinishObservationBuffer(
          b, wire::CreateObservationDirect(b, 0, 1, 1, 5, want, true, &readings));
    });
  };
  observation("observation", wire::Want::action, {0.1F, -0.1F});
  observation("observation_lockstep", wire::Want::chunk, {0.1F, -0.1F});
  observation("observation_short", wire::Want::action, {0.1F});
  seed(keep, {"host_control"}, "observation_demonstrated", [&](Builder& b) {
    const Floats joints = {0.1F, -0.1F}, goal = {0, 0, 0}, command = {0.2F, 9}, label = {0.1F, 0};
    const std::vector readings = {wire::CreateReadingDirect(b, &joints),
                                  wire::CreateReadingDirect(b, &goal)};
    wire::FinishObservationBuffer(
        b, wire::CreateObservationDirect(b, 0, 1, 1, 5, wire::Want::action, false, &readings, false,
                                         0, &command, &label));
  });
  seed(keep, {"host_control"}, "observation_in_memory", [&](Builder& b) {
    const Floats joints = {0.1F, -0.1F};
    const wire::Place place(64, 2, 3);
    const std::vector readings = {wire::CreateReadingDirect(b, &joints),
                                  wire::CreateReading(b, 0, &place)};
    wire::FinishObservationBuffer(
        b, wire::CreateObservationDirect(b, 0, 1, 1, 5, wire::Want::action, false, &readings));
  });
  seed(keep, {"host_control"}, "memory", [&](Builder& b) {
    const std::vector<std::uint8_t> token(16, 0xab);
    const auto offer = wire::CreateMemoryOfferDirect(b, 1, 3, 1024, &token);
    wire::FinishMemoryBuffer(b, wire::CreateMemory(b, 0, 1, offer));
  });
}

// A 1 in sequence, request or generation stands for those of the message that is answered.
void from_hosts(const Keep& keep) {
  const Floats two = {0.1F, -0.1F}, four(4, 0.1F);
  seed(keep, {"client"}, "action", [&](Builder& b) {
    wire::FinishActionBuffer(
        b, wire::CreateActionDirect(b, 0, 1, 2, 1, wire::Drive::hold, 3, 2, 1, &two));
  });
  seed(keep, {"client"}, "chunk", [&](Builder& b) {
    wire::FinishChunkBuffer(b, wire::CreateChunkDirect(b, 0, 1, 2, 1, 2, 2, 0, &four, 80));
  });
  seed(keep, {"client"}, "notice", [&](Builder& b) {
    wire::FinishNoticeBuffer(b,
                             wire::CreateNoticeDirect(b, 5, "the robot was removed", 0, 1, 1, 1));
  });
  seed(keep, {"client"}, "welcome", [&](Builder& b) {
    const std::vector joints = {wire::CreateJointDirect(b, "a", true, -1, 1, 1, 2, 0),
                                wire::CreateJointDirect(b, "b", false, -2, 2, 1, 2, 0)};
    const std::vector<std::uint32_t> shape = {2, 2};
    const std::vector sensors = {wire::CreateSensorDirect(b, "camera", "1", "base", &shape)};
    wire::FinishWelcomeBuffer(
        b, wire::CreateWelcomeDirect(b, 0, "left", "toy", 3, 2, &joints, &sensors, 1, 50, 8));
  });
  seed(keep, {"client"}, "welcome_to_share", [&](Builder& b) {
    const std::vector joints = {wire::CreateJointDirect(b, "a", true, -1, 1, 1, 2, 0)};
    const std::vector<std::uint32_t> shape = {64, 64, 3};
    const std::vector sensors = {wire::CreateSensorDirect(b, "camera", "1", "base", &shape)};
    wire::FinishWelcomeBuffer(b, wire::CreateWelcomeDirect(b, 0, "left", "toy", 3, 2, &joints,
                                                           &sensors, 1, 50, 8, true, 262144));
  });
  seed(keep, {"client"}, "memory", [&](Builder& b) {
    const auto answer = wire::CreateMemoryAnswerDirect(b, 10, "it is on another machine");
    wire::FinishMemoryBuffer(b, wire::CreateMemory(b, 0, 1, 0, answer));
  });
  const auto tokens = [&](const char* name, wire::Pooling pooling, std::uint32_t pooled) {
    seed(keep, {"trunk_server"}, name, [&](Builder& b) {
      const std::vector<std::uint8_t> trunk(32, 0xab);
      const Floats values(8, 0.3F);
      wire::FinishTokensBuffer(
          b, wire::CreateTokensDirect(b, 1, 7, 3, &trunk, 4000, pooling, pooled, 2, 4, &values));
    });
  };
  seed(keep, {"trunk_server"}, "hello_with_needs", [&](Builder& b) {
    const std::vector<std::uint8_t> ids(64, 0xab);
    wire::FinishHelloBuffer(b, wire::CreateHelloDirect(b, kWireProtocol, "a host", "", "", &ids));
  });
  seed(keep, {"trunk_server"}, "load", [&](Builder& b) {
    const std::vector<std::uint8_t> id(32, 0x01);
    wire::FinishTrunkLoadBuffer(
        b, wire::CreateTrunkLoad(b, wire::CreateTrunkLoadRequestDirect(
                                        b, kWireProtocol, 5, "/models/stock.safetensors", &id)));
  });
  const auto step = [&](const char* name, const char* session, std::int64_t time, bool peek) {
    seed(keep, {"trunk_server"}, name, [&](Builder& b) {
      const std::vector<std::uint8_t> trunk(32, 0xab);
      const Floats values(8, 0.3F);
      wire::FinishTokensBuffer(
          b, wire::CreateTokensDirect(b, 1, 7, 3, &trunk, 0, wire::Pooling::last, 0, 2, 4, &values,
                                      session, 77, 1, time, peek));
    });
  };
  step("step_of_a_session", "arm_1", 1'000'000, false);
  step("step_of_another", "arm_2", 2'000'000, false);
  step("peek_at_a_session", "arm_1", 1'000'001, true);
  step("step_of_no_name", "../arm", 1, false);
  const auto session = [&](const char* name, wire::SessionVerb verb, const char* file) {
    seed(keep, {"trunk_server"}, name, [&](Builder& b) {
      wire::FinishSessionBuffer(
          b, wire::CreateSession(
                 b, wire::CreateSessionRequestDirect(b, kWireProtocol, 5, verb, "arm_1", file)));
    });
  };
  session("session_list", wire::SessionVerb::list, "");
  session("session_save", wire::SessionVerb::save, "nowhere/arm_1.safetensors");
  session("session_load", wire::SessionVerb::load, "nowhere/arm_1.safetensors");
  session("session_drop", wire::SessionVerb::drop, "");
  tokens("tokens", wire::Pooling::mean, 0);
  tokens("tokens_of_actions", wire::Pooling::action_token, 1);
}

void from_trunks(const Keep& keep) {
  const Floats values(test::kToyWidth, 0.5F);
  seed(keep, {"host_features", "trunk_link"}, "features", [&](Builder& b) {
    wire::FinishFeaturesBuffer(
        b, wire::CreateFeaturesDirect(b, 1, 0, 1, 0, 1, test::kToyWidth, &values, 10, 70, 2));
  });
  seed(keep, {"host_features", "trunk_link"}, "features_refused", [&](Builder& b) {
    wire::FinishFeaturesBuffer(
        b, wire::CreateFeatures(b, 1, 0, 1, static_cast<std::uint16_t>(Code::busy)));
  });
  seed(keep, {"host_features", "trunk_link"}, "trunk_info", [&](Builder& b) {
    const std::vector<std::uint8_t> id(32, 0xab);
    wire::FinishTrunkInfoBuffer(
        b, wire::CreateTrunkInfoDirect(b, kWireProtocol, &id, "hpt", test::kToyWidth, 1, 2, 256,
                                       "eigen", 9, 4096, 12));
  });
  seed(keep, {"host_features", "trunk_link"}, "trunk_info_of_two", [&](Builder& b) {
    const std::vector<std::uint8_t> id(32, 0xab), ids(64, 0xab);
    wire::FinishTrunkInfoBuffer(
        b, wire::CreateTrunkInfoDirect(b, kWireProtocol, &id, "hpt", test::kToyWidth, 1, 2, 256,
                                       "eigen", 9, 4096, 12, &ids));
  });
  seed(keep, {"host_features", "trunk_link"}, "loaded", [&](Builder& b) {
    const std::vector<std::uint8_t> id(32, 0xcd);
    wire::FinishTrunkLoadBuffer(
        b, wire::CreateTrunkLoad(b, 0,
                                 wire::CreateTrunkLoadReplyDirect(b, 5, 0, "", &id, "hpt",
                                                                  test::kToyWidth, 1, 2, 12, "")));
  });
  seed(keep, {"host_features", "trunk_link"}, "not_loaded", [&](Builder& b) {
    wire::FinishTrunkLoadBuffer(
        b, wire::CreateTrunkLoad(
               b, 0, wire::CreateTrunkLoadReplyDirect(b, 5, 7, "the trunk is loading '/a'")));
  });
  seed(keep, {"trunk_server", "host_features", "trunk_link"}, "notice", [&](Builder& b) {
    wire::FinishNoticeBuffer(b, wire::CreateNoticeDirect(b, 4, "not finite", 0, 1, 1, 0));
  });
}

void from_the_command_line(const Keep& keep) {
  const auto request = [&](const char* verb, const char* robot, const char* plugin) {
    seed(keep, {"admin_request"}, verb, [&](Builder& b) {
      const auto asked = wire::CreateAdminRequestDirect(b, kWireProtocol, verb, robot, plugin);
      wire::FinishAdminBuffer(b, wire::CreateAdmin(b, asked));
    });
  };
  request("status", "", "");
  request("swap", "left", TOY_ARM_2);
  request("add", "right", TOY_CART);
  request("remove", "left", "");
  request("reload", "left", "");
  request("record", "left", "");
  request("record-take", "left", "");
  seed(keep, {"admin_request"}, "trunk-swap", [&](Builder& b) {
    const auto bundles = b.CreateVectorOfStrings({"left=/models/arm.safetensors"});
    const auto verb = b.CreateString("trunk-swap"), stock = b.CreateString("/models/stock");
    wire::AdminRequestBuilder asked(b);
    asked.add_protocol(kWireProtocol);
    asked.add_verb(verb);
    asked.add_stock(stock);
    asked.add_bundles(bundles);
    asked.add_keep_old_s(1);
    wire::FinishAdminBuffer(b, wire::CreateAdmin(b, asked.Finish()));
  });
  seed(keep, {"admin_reply"}, "ok", [](Builder& b) {
    const auto said = wire::CreateAdminReplyDirect(b, 0, "1 robots", "{\"robots\":[]}");
    wire::FinishAdminBuffer(b, wire::CreateAdmin(b, 0, said));
  });
}

// A place, the numbers that the sensor has, and what lies in the memory from its first slot on.
void from_controllers_memory(const Keep& keep) {
  for (const std::size_t size : {5, 40}) {
    std::vector<std::byte> bytes(25 + base::slot_bytes(size));
    const std::uint64_t place[] = {base::kSlotGrain, 2, size}, sequence = 2;
    std::memcpy(bytes.data(), place, sizeof place);
    bytes[24] = static_cast<std::byte>(size);
    std::memcpy(bytes.data() + 25, &sequence, sizeof sequence);
    const Floats values(size, 0.5F);
    std::memcpy(bytes.data() + 25 + base::kSlotGrain, values.data(), size * sizeof(float));
    keep("frame_memory", "slot_of_" + std::to_string(size), bytes);
  }
}

}  // namespace

void message_seeds(const Keep& keep) {
  from_controllers(keep);
  from_controllers_memory(keep);
  from_hosts(keep);
  from_trunks(keep);
  from_the_command_line(keep);
}

}  // namespace cambium::fuzz
