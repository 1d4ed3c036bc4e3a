// What the original clients of GR00T's generations sent, against a whole host.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/integration/groot_fixture.hpp"

namespace cambium {
namespace {

using formats::ArrayDialect;
using formats::ArrayView;
using test::Message;
using test::Read;

// Where the numbers of arrays lie in a message.
void find_numbers(const formats::Value& value, std::vector<std::span<const std::byte>>& to) {
  if (const auto* array = value.as<ArrayView>()) to.push_back(array->data);
  if (const auto* list = value.as<formats::List>())
    for (const auto& one : *list) find_numbers(one, to);
  if (const auto* map = value.as<formats::Map>())
    for (const auto& [key, inner] : *map) find_numbers(inner, to);
}

// All but the numbers, which only a policy knows.
Message without_numbers(Message bytes) {
  const auto message = formats::read_msgpack(bytes);
  if (!message) return {};
  std::vector<std::span<const std::byte>> numbers;
  find_numbers(message->root, numbers);
  for (const auto span : numbers)
    std::fill_n(bytes.begin() + (span.data() - bytes.data()), span.size(), std::byte{0});
  return bytes;
}

class GrootCaptures : public test::GrootTest {
 protected:
  void SetUp() override {
    if (!have_golden()) GTEST_SKIP() << "no captures at " << golden();
    add_robot("so100", "toy_so100", 6, 16);
    add_robot("webcam", "toy_webcam", 6, 16);
    add_robot("gr1", "toy_gr1", 29, 16);
    add_robot("droid", "toy_droid", 8, 32);
    add_robot("four", "toy_four", 4, 16);
    add_robot("odd", "toy_four", 4, 16);
    start();
    so100_ = listen(so100());
    auto webcam = so100();
    webcam.robots = {"webcam"};
    webcam.sensors.resize(1);
    webcam.sensors.push_back(sensor("webcam", {"video.webcam"}));
    webcam_ = listen(webcam);
    auto gr1 = listener({"gr1"});
    gr1.sensors = {sensor("joint_position", {"state.left_arm", "state.right_arm", "state.left_hand",
                                             "state.right_hand", "state.waist"}),
                   sensor("ego_view", {"video.ego_view"})};
    gr1.actions = {action("left_arm", 0, 7), action("right_arm", 7, 14),
                   action("left_hand", 14, 20), action("right_hand", 20, 26),
                   action("waist", 26, 29)};
    gr1_ = listen(gr1);
    auto droid = listener({"droid"});
    droid.sensors = {sensor("joint_position", {"state.joint_position", "state.gripper_position"}),
                     sensor("exterior", {"video.exterior_image_1_left"}),
                     sensor("wrist", {"video.wrist_image_left"})};
    droid.actions = {action("action.joint_position", 0, 7),
                     action("action.gripper_position", 7, 8)};
    droid_ = listen(droid);
    four_ = listen(four({"four"}));
    auto odd = four({"odd"});
    odd.sensors[0].keys = {"neg"};
    odd.sensors[0].take = {0, 1, 2, 3};
    odd_ = listen(odd);
    auto closed = so100();
    std::ofstream(folder_ / "token") << "tok-public-42\n";
    std::filesystem::permissions(folder_ / "token", std::filesystem::perms::owner_read);
    closed.token_file = folder_ / "token";
    closed_ = listen(closed);
  }

  std::string endpoint_for(const std::string& name) const {
    const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
    if (has("odd_arrays")) return odd_;
    if (has("token") && !has("bad_")) return closed_;
    if (has("droid")) return droid_;
    if (has("gr1") || has("sim_flat")) return gr1_;
    if (has("action_eval_so100")) return webcam_;
    if (has("npy_") || has("forged")) return four_;
    return so100_;
  }
  Read ask(const std::string& name) { return ask(endpoint_for(name), name); }
  Read ask(const std::string& endpoint, const std::string& name) {
    auto client = requester(endpoint);
    return Read(client.ask(golden(name + ".req")));
  }

  // By the policy, as soon as the machine has time for it.
  Read driven(const std::string& endpoint, const std::string& name) {
    Read reply = ask(endpoint, name);
    EXPECT_TRUE(eventually([&] {
      if (reply.info("drive") != "policy") reply = ask(endpoint, name);
      return reply.info("drive") == "policy";
    })) << reply.error()
        << reply.info("why");
    return reply;
  }

  std::string so100_, webcam_, gr1_, droid_, four_, odd_, closed_;
};

TEST_F(GrootCaptures, EveryCaptureIsAnsweredAsItsFileSays) {
  int seen = 0, actions = 0, refused = 0;
  for (const auto& entry : std::filesystem::directory_iterator(golden())) {
    const std::string file = entry.path().filename().string();
    if (!file.ends_with(".req.json")) continue;
    const std::string name = file.substr(0, file.size() - 9);
    SCOPED_TRACE(name);
    const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
    std::ifstream text(entry.path());
    const std::string expect = nlohmann::json::parse(text).at("expect");
    const Read reply = ask(name);
    ++seen;
    ASSERT_FALSE(reply.bytes.empty()) << "no answer";
    if (name.starts_with("n1_")) {
      EXPECT_EQ(reply.bytes, golden("n1_refusal.rep"));
      continue;
    }
    EXPECT_FALSE(reply.message.root.as<std::monostate>()) << "nil, or not msgpack";
    if (has("_b2") || has("batch2")) {  // one client, one robot
      EXPECT_NE(reply.error().find("send batches of 1"), std::string::npos) << reply.error();
    } else if (has("nil_data") || has("bad_no_endpoint") || has("unknown_kwarg")) {
      EXPECT_FALSE(reply.error().empty());
    } else if (expect.starts_with("accept or refuse")) {
      EXPECT_TRUE(reply.message.root.as<formats::Map>() || reply.message.root.as<formats::List>());
    } else if (!expect.starts_with("accept")) {
      EXPECT_FALSE(reply.error().empty()) << "expected: " << expect;
      ++refused;
    } else {
      EXPECT_EQ(reply.error(), "") << "expected: " << expect;
      if (has("get_action") || has("sample_action") || has("npy_ok") || has("odd_arrays")) {
        ASSERT_NE(reply.actions(), nullptr);
        ++actions;
      }
    }
  }
  EXPECT_GT(seen, 90);
  EXPECT_GT(actions, 15);
  EXPECT_GT(refused, 45);
  // Nothing of it has hurt anybody.
  for (const auto& endpoint : {so100_, webcam_, gr1_, droid_, four_, odd_})
    EXPECT_EQ(Read(requester(endpoint).ask(test::request_for("ping"))).bytes,
              golden("n16_ping.rep"));
}

TEST_F(GrootCaptures, WhatIsDeterminedIsByteForByteWhatTheOriginalServersSay) {
  for (const char* name :
       {"n15_ping", "n16_ping", "n17_ping", "n15_ping_token", "n15_ping_token_wrong",
        "n15_ping_token_missing", "n16_get_action_token_wrong", "n17_ping_token_wrong", "n16_reset",
        "n16_reset_options", "n17_reset", "n17_reset_options", "droid_n16_reset"})
    EXPECT_EQ(ask(name).bytes, golden(std::string(name) + ".rep")) << name;
  EXPECT_EQ(ask("n1_ping").bytes, golden("n1_refusal.rep"));
  EXPECT_EQ(ask("n1_get_action").bytes, golden("n1_refusal.rep"));
}

TEST_F(GrootCaptures, ActionsAreWrittenAsTheOriginalServersWriteThemButForTheNumbers) {
  for (const char* name :
       {"n15_get_action_eval_lerobot", "n15_get_action_eval_so100", "n15_sample_action_eval_so100"})
    EXPECT_EQ(without_numbers(ask(name).bytes), without_numbers(golden(std::string(name) + ".rep")))
        << name;
  for (const char* name : {"n16_get_action_so100", "n16_get_action_so100_empty_options",
                           "n17_get_action_so100", "n17_get_action_so100_empty_options",
                           "droid_n16_get_action_flat", "droid_n17_get_action_nested_t2"}) {
    auto expected = without_numbers(golden(std::string(name) + ".rep"));
    ASSERT_EQ(expected.back(), std::byte{0x80}) << "an empty info map, where ours says who drives";
    expected.pop_back();
    auto actual = without_numbers(ask(name).bytes);
    ASSERT_GT(actual.size(), expected.size()) << name;
    actual.resize(expected.size());
    EXPECT_EQ(actual, expected) << name;
  }
}

TEST_F(GrootCaptures, ThePolicysActionsReachTheirJointsUnderTheirKeys) {
  const Read reply = driven(so100_, "n17_get_action_so100");
  EXPECT_EQ(reply.info("drive"), "policy") << reply.info("why");
  EXPECT_EQ(reply.message.dialect, ArrayDialect::msgpack_numpy);
  const auto arm = reply.numbers("single_arm"), gripper = reply.numbers("gripper");
  ASSERT_EQ(arm.size(), 16U * 5);
  ASSERT_EQ(gripper.size(), 16U);
  for (std::size_t joint = 0; joint < 5; ++joint)
    EXPECT_FLOAT_EQ(arm[15 * 5 + joint], velocity_of(joint));
  EXPECT_FLOAT_EQ(gripper[15], velocity_of(5));
}

TEST_F(GrootCaptures, OneModalityConfigIsForAllGenerationsButTheFirst) {
  const Read reply = ask("n16_get_modality_config_so100");
  // The original's toys move relative to a state; ours are worked out before they leave.
  Message expected = golden("combined_modality_config.rep");
  const auto relative = test::bytes_of("RELATIVE"), absolute = test::bytes_of("ABSOLUTE");
  for (auto found = expected.begin(); (found = std::search(found, expected.end(), relative.begin(),
                                                           relative.end())) != expected.end();)
    std::ranges::copy(absolute, found);
  EXPECT_EQ(reply.bytes, expected);
  EXPECT_EQ(ask("n17_get_modality_config_so100").bytes, expected);

  auto text = so100();
  text.modality_text = true;
  EXPECT_EQ(ask(listen(text), "n15_get_modality_config").bytes,
            golden("n15_get_modality_config.rep"));
  auto short_rows = so100();
  short_rows.rows = 4;
  const Read four = ask(listen(short_rows), "n16_get_modality_config_so100");
  ASSERT_NE(four.message.root.find("action"), nullptr);
  EXPECT_EQ(four.message.root.find("action")
                ->find("as_dict")
                ->find("delta_indices")
                ->as<formats::List>()
                ->size(),
            4U);
}

TEST_F(GrootCaptures, ARefusalNamesWhatIsWrongAndTheNearestName) {
  auto client = requester(so100_);
  const auto error = [&](std::span<const std::byte> request) {
    return Read(client.ask(request)).error();
  };
  EXPECT_EQ(error(test::request_for("get_actoin")),
            "Unknown endpoint: 'get_actoin' (did you mean 'get_action'?)");
  EXPECT_NE(error(golden("n16_get_action_unknown_kwarg.req")).find("'surprise'"),
            std::string::npos);
  EXPECT_NE(error(golden("n15_get_action_eval_so100.req")).find("video.front"), std::string::npos)
      << "another camera's name";
  EXPECT_NE(error(test::request_for("kill")).find("refused"), std::string::npos);
  // All on one socket, which goes on.
  EXPECT_EQ(drive(client, golden("n16_get_action_so100.req")), "policy");
  const auto status = listeners_.front()->status();
  EXPECT_EQ(status.protocol, "groot");
  EXPECT_EQ(status.refused, 3U);
  ASSERT_EQ(status.clients.size(), 1U);
  EXPECT_EQ(status.clients[0].robot, "so100");
  EXPECT_EQ(status.clients[0].client, "groot 127.0.0.1 #1");
  EXPECT_GE(status.clients[0].answers, 1U);
  EXPECT_EQ(status.clients[0].refused, 1U);
}

// 180 degrees are pi, and the gripper's hundredths are those of its range, in and out.
TEST_F(GrootCaptures, TheListenerOfTheDocumentsIsServedInItsUnits) {
  auto config = config::load_config(std::filesystem::path(TEST_DATA) / "groot_listener.toml");
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->listeners.size(), 1U);
  config->listeners[0].endpoint = "tcp://127.0.0.1:0";
  config->listeners[0].answer_within = std::chrono::seconds(5);
  const Read reply = driven(listen(config->listeners[0]), "n16_get_action_so100");
  EXPECT_EQ(reply.info("drive"), "policy") << reply.error() << reply.info("why");
  ASSERT_EQ(reply.numbers("single_arm").size(), 16U * 5);
  EXPECT_NEAR(reply.numbers("single_arm").back(), velocity_of(4) * 180 / 3.14159265, 1e-4);
  EXPECT_NEAR(reply.numbers("gripper").back(), velocity_of(5) / 2000 * 100, 1e-5);
}

TEST_F(GrootCaptures, NothingOfAClientWithAWrongTokenIsLookedAt) {
  for (const char* endpoint :
       {"get_action", "get_modality_config", "reset", "ping", "kill", "nil"}) {
    auto client = requester(closed_);
    EXPECT_EQ(Read(client.ask(test::request_for(endpoint, "tok-public-43"))).error(),
              "Unauthorized: Invalid API token");
    EXPECT_EQ(Read(client.ask(test::request_for(endpoint))).error(),
              "Unauthorized: Invalid API token");
  }
  EXPECT_TRUE(listeners_.back()->status().clients.empty());
  EXPECT_EQ(log().find("tok-public"), std::string::npos) << log();
  auto client = requester(closed_);
  EXPECT_EQ(Read(client.ask(test::request_for("reset", "tok-public-42"))).error(), "");
}

}  // namespace
}  // namespace cambium
