#include <gmock/gmock.h>
#include <sched.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "core/nn/product.hpp"
#include "core/nn/safetensors.hpp"
#include "core/nn/stock.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/tokens.hpp"
#include "tests/support/toy_files.hpp"
#include "tests/support/trunk_caller.hpp"
#include "tests/support/weights.hpp"

namespace cambium {
namespace {

using test::ChildProcess;
using testing::AllOf;
using testing::HasSubstr;

class TrunkVerb : public testing::Test {
 protected:
  TrunkVerb() {
    ::setenv("XDG_RUNTIME_DIR", directory_.c_str(), 1);
    id_ = test::write_toy_stock(directory_ / "stock.safetensors");
  }

  std::vector<std::string> command(std::vector<std::string> arguments) const {
    std::vector<std::string> all{CAMBIUM_PROGRAM, "trunk"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }
  std::string socket() const { return (directory_ / "cambium/trunk").string(); }

  test::TemporaryFolder folder_;
  const std::filesystem::path directory_ = folder_.path();
  std::string id_;
};

TEST_F(TrunkVerb, ServesAStockUntilItIsToldToStopAndLeavesNoFile) {
  for (const int number : {SIGTERM, SIGINT}) {
    ChildProcess trunk(command({"--stock", "stock.safetensors"}), directory_);
    EXPECT_EQ(trunk.line(), "trunk " + id_.substr(0, 16) +
                                ": hpt, 1 x 8 wide, 0.0 MB, f32, onednn on 1 thread, at ipc://" +
                                socket());
    test::TrunkCaller caller("ipc://" + socket());
    caller.send_hello();
    ASSERT_TRUE(caller.receive());
    ASSERT_NE(caller.trunk_info(), nullptr);
    const auto* id = caller.trunk_info()->id();
    auto message = test::tokens_message(5, 3, test::kToyWidth);
    message.trunk.assign(id->begin(), id->end());
    message.pooling = 1;
    caller.send(message.bytes());
    const auto* features = caller.receive_features();
    EXPECT_EQ(features->code(), 0u);
    EXPECT_EQ(features->values()->size(), test::kToyWidth);
    trunk.signal(number);
    EXPECT_EQ(trunk.line(),
              "stopped: 1 requests in 1 passes, 0 refused as busy, 0 too late, 0 refused");
    EXPECT_EQ(trunk.wait(), 0);
    EXPECT_EQ(trunk.error(), "");
    EXPECT_TRUE(std::filesystem::is_empty(directory_ / "cambium"));
  }
}

TEST_F(TrunkVerb, BackendsAgree) {
  std::vector<std::vector<float>> results;
  for (const char* backend : {"onednn", "eigen"}) {
    ChildProcess trunk(command({"--stock", "stock.safetensors", "--backend", backend}), directory_);
    EXPECT_THAT(trunk.line(), HasSubstr(backend));
    test::TrunkCaller caller("ipc://" + socket());
    auto message = test::tokens_message(5, 7, test::kToyWidth);
    const auto id = base::from_hex(id_);
    message.trunk.assign(id.begin(), id.end());
    caller.send(message.bytes());
    results.push_back(test::values(*caller.receive_features()));
  }
  EXPECT_THAT(results[0], testing::Pointwise(testing::FloatNear(1e-4f), results[1]));
}

TEST_F(TrunkVerb, ExplainsWhatThisMachineComputesInAndWhy) {
  ChildProcess trunk(command({"--stock", "stock.safetensors", "--backend", "eigen", "--precision",
                              "bf16", "--explain"}),
                     directory_);
  std::string last;
  for (std::string line = trunk.line(); !line.empty(); line = trunk.line()) last = line;
  EXPECT_EQ(
      last,
      "computes                    f32 instead of bf16: backend 'eigen' computes in f32 only");
  EXPECT_EQ(trunk.wait(), 0);
}

// oneDNN believes what it is told of the processor, as long as that is less than it is.
TEST_F(TrunkVerb, AMachineWithoutFastProductsTakesTheBestThatItHas) {
  if (nn::choose_precision(nn::default_backend(), nn::Precision::bf16).precision !=
      nn::Precision::bf16)
    GTEST_SKIP() << "this one has none itself";
  struct Machine {
    const char *isa, *wanted, *chosen;
  };
  for (const auto& [isa, wanted, chosen] :
       {Machine{"AVX2", "bf16", "f32 instead of bf16: AVX2 has no fast product in bf16"},
        Machine{"AVX2", "int8", "f32 instead of int8: AVX2 has no fast product in int8"},
        Machine{"AVX512_CORE_VNNI", "bf16",
                "f32 instead of bf16: AVX-512 with VNNI has no fast product in bf16"},
        Machine{"AVX512_CORE_VNNI", "int8", "int8 on AVX-512 with VNNI, as wanted"}}) {
    ::setenv("ONEDNN_MAX_CPU_ISA", isa, 1);
    ChildProcess trunk(command({"--stock", "stock.safetensors", "--precision", wanted, "--json"}),
                       directory_);
    ::unsetenv("ONEDNN_MAX_CPU_ISA");
    EXPECT_THAT(trunk.line(), HasSubstr(std::string("\"chosen\":\"") + chosen)) << isa;
    test::TrunkCaller caller("ipc://" + socket());
    auto message = test::tokens_message(5, 7, test::kToyWidth);
    const auto id = base::from_hex(id_);
    message.trunk.assign(id.begin(), id.end());
    caller.send(message.bytes());
    EXPECT_EQ(caller.receive_features()->code(), 0u) << isa;
  }
}

TEST_F(TrunkVerb, RefusesAnotherNumberOfCoresThanThreads) {
  ChildProcess trunk(
      command({"--stock", "stock.safetensors", "--threads", "2", "--cores", "0", "--explain"}),
      directory_);
  EXPECT_NE(trunk.wait(), 0);
  EXPECT_THAT(trunk.error(), HasSubstr("1 cores for 2 threads, expected one for each"));
}

// As the kernel tells it of every thread of the process.
TEST_F(TrunkVerb, ItsThreadsStayOnTheirCores) {
  cpu_set_t allowed;
  ASSERT_EQ(::sched_getaffinity(0, sizeof allowed, &allowed), 0);
  std::vector<std::string> cores;
  for (int core = 0; core < CPU_SETSIZE && cores.size() < 2; ++core)
    if (CPU_ISSET(core, &allowed)) cores.push_back(std::to_string(core));
  if (cores.size() < 2) GTEST_SKIP() << "this machine has one core";
  ChildProcess trunk(command({"--stock", "stock.safetensors", "--threads", "2", "--cores",
                              cores[1] + "," + cores[0]}),
                     directory_);
  ASSERT_NE(trunk.line(), "");
  std::map<std::string, std::string> found;  // name of a thread: where it may run
  const std::string tasks = "/proc/" + std::to_string(trunk.pid()) + "/task";
  // A thread names itself when it first runs.
  for (int look = 0;
       look < 100000 && (found.count("trunk part 0") == 0 || found.count("trunk part 1") == 0);
       ++look)
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
      std::ifstream status(task.path() / "status");
      std::string name;
      for (std::string line; std::getline(status, line);) {
        if (line.starts_with("Name:\t")) name = line.substr(6);
        if (line.starts_with("Cpus_allowed_list:\t")) found[name] = line.substr(19);
      }
    }
  EXPECT_EQ(found["trunk part 0"], cores[1]);
  EXPECT_EQ(found["trunk part 1"], cores[0]);
}

TEST_F(TrunkVerb, PrecisionsAgreeOnTwoThreads) {
  std::vector<std::vector<float>> results;
  for (const char* precision : {"f32", "bf16", "int8"}) {
    ChildProcess trunk(
        command({"--stock", "stock.safetensors", "--precision", precision, "--threads", "2"}),
        directory_);
    ASSERT_NE(trunk.line(), "");
    test::TrunkCaller caller("ipc://" + socket());
    auto message = test::tokens_message(5, 7, test::kToyWidth);
    const auto id = base::from_hex(id_);
    message.trunk.assign(id.begin(), id.end());
    caller.send(message.bytes());
    results.push_back(test::values(*caller.receive_features()));
  }
  EXPECT_THAT(results[1], testing::Pointwise(testing::FloatNear(0.02f), results[0]));
  EXPECT_THAT(results[2], testing::Pointwise(testing::FloatNear(0.05f), results[0]));
}

TEST_F(TrunkVerb, TakesTheConfigAndLetsOptionsWin) {
  std::ofstream(directory_ / "cambium.toml")
      << "[trunk]\nstock = 'stock.safetensors'\nendpoint = 'ipc://here'\nbackend = 'eigen'\n";
  ChildProcess trunk(command({"--endpoint", "ipc://there", "--json"}), directory_);
  const std::string line = trunk.line();
  EXPECT_THAT(line, HasSubstr(R"("event":"ready")"));
  EXPECT_THAT(line, HasSubstr("\"trunk\":\"" + id_ + "\""));
  EXPECT_THAT(line, HasSubstr(R"("backend":"eigen")"));
  EXPECT_THAT(line, HasSubstr(R"("precision":"f32")"));
  EXPECT_THAT(line, testing::ContainsRegex(R"("load_ms":\{"all":[0-9.]+,"hash":[0-9.]+,"open":)"));
  EXPECT_THAT(line, HasSubstr("\"endpoint\":\"ipc://" + (directory_ / "there").string() + "\""));
  trunk.signal(SIGTERM);
  EXPECT_THAT(trunk.line(), HasSubstr(R"("event":"stopped")"));
  EXPECT_EQ(trunk.wait(), 0);
}

TEST_F(TrunkVerb, ThePrecisionOfTheConfigKeepsTheIdOfTheTrunk) {
  std::ofstream(directory_ / "cambium.toml")
      << "[trunk]\nstock = 'stock.safetensors'\nprecision = 'bf16'\n";
  ChildProcess trunk(command({"--json"}), directory_);
  const auto chosen = nn::choose_precision(nn::default_backend(), nn::Precision::bf16).precision;
  EXPECT_THAT(trunk.line(),
              AllOf(HasSubstr("\"trunk\":\"" + id_ + "\""),
                    HasSubstr(std::string("\"precision\":\"") + to_string(chosen) + "\"")));
}

TEST_F(TrunkVerb, ExplainsWhoSetWhatAndRunsNothing) {
  std::ofstream(directory_ / "cambium.toml") << "[trunk]\nqueue = 7\n";
  ChildProcess trunk(command({"--explain", "--threads", "2"}), directory_);
  EXPECT_EQ(trunk.line(), "endpoint           default  ipc://" + socket());
  EXPECT_EQ(trunk.line(),
            "stock              default  " + (directory_ / "models/stock.safetensors").string());
  EXPECT_EQ(trunk.line(), "backend            default  onednn");
  EXPECT_EQ(trunk.line(), "precision          default  stock");
  EXPECT_EQ(trunk.line(), "threads            option   2");
  EXPECT_EQ(trunk.line(), "cores              default  ");
  EXPECT_EQ(trunk.line(), "queue              config   7");
  EXPECT_EQ(trunk.wait(), 0);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "cambium"));
}

TEST_F(TrunkVerb, ExplainsWhatTheModelKeepsOfARobot) {
  ChildProcess trunk(
      command({"--stock", "stock.safetensors", "--session-memory", "5", "--explain", "--json"}),
      directory_);
  EXPECT_THAT(trunk.line(), AllOf(HasSubstr(R"("session_memory_mb":{"from":"option","value":"5"})"),
                                  HasSubstr(R"("sessions":"none: hpt remembers nothing")"),
                                  HasSubstr(R"("session_bytes":0)")));
  EXPECT_EQ(trunk.wait(), 0);
}

// One block of two heads of four numbers each that remembers its first tokens and the newest eight.
void write_remembering_stock(const std::filesystem::path& file) {
  constexpr std::uint32_t w = test::kToyWidth;
  test::WeightSet set;
  const std::string block = "trunk.model.layers.0.";
  for (const char* norm : {"input_layernorm", "post_attention_layernorm"})
    set.add(block + norm + ".weight", {w});
  set.add("trunk.model.norm.weight", {w});
  for (const char* square : {"q_proj", "k_proj", "v_proj", "o_proj"})
    set.linear(block + "self_attn." + square, w, w, false);
  set.linear(block + "mlp.gate_proj", w, 4 * w, false);
  set.linear(block + "mlp.up_proj", w, 4 * w, false);
  set.linear(block + "mlp.down_proj", 4 * w, w, false);
  std::vector<nn::TensorToWrite> tensors;
  for (const auto& view : set.views())
    tensors.push_back({view.name, nn::DType::f32, {view.shape, view.shape + view.rank}, view.data});
  ASSERT_TRUE(nn::write_stock(file,
                              {.architecture = "streaming",
                               .width = w,
                               .blocks = 1,
                               .heads = 2,
                               .hyper_parameters = {{"recent_size", "8"}}},
                              {}, tensors, "random"));
}

TEST_F(TrunkVerb, SaysBeforehandWhatASessionTakesAndHowManyThereMayBe) {
  write_remembering_stock(directory_ / "remembers.safetensors");
  const auto with = [&](const char* memory, const char* how) {
    return command({"--stock", "remembers.safetensors", "--session-memory", memory, how});
  };
  std::string sessions;
  {
    ChildProcess explained(with("1", "--explain"), directory_);
    for (std::string line = explained.line(); !line.empty(); line = explained.line())
      if (line.starts_with("sessions ")) sessions = line;
    EXPECT_EQ(explained.wait(), 0);
  }
  ChildProcess trunk(with("1", "--json"), directory_);
  const std::string ready = trunk.line();
  test::TrunkCaller caller("ipc://" + socket());
  caller.send_hello();
  ASSERT_TRUE(caller.receive());
  ASSERT_NE(caller.trunk_info(), nullptr);
  const std::uint64_t bytes = caller.trunk_info()->session_bytes();
  ASSERT_GT(bytes, 0U);
  const auto size = std::to_string(bytes), count = std::to_string((1 << 20) / bytes);
  EXPECT_EQ(sessions,
            "sessions                    " + size + " bytes each, " + count + " of them in 1 MB");
  EXPECT_THAT(ready, AllOf(HasSubstr("\"session_bytes\":" + size),
                           HasSubstr("\"session_capacity\":" + count)));
  auto message = test::tokens_message(5, 3, test::kToyWidth);
  message.trunk.assign(caller.trunk_info()->id()->begin(), caller.trunk_info()->id()->end());
  message.session = "arm";
  for (message.time_ns = 1; message.time_ns < 4; ++message.time_ns) {
    caller.send(message.bytes());
    EXPECT_EQ(caller.receive_features()->steps(), static_cast<std::uint64_t>(message.time_ns));
  }
  trunk.signal(SIGTERM);
  EXPECT_THAT(trunk.line(),
              AllOf(HasSubstr("\"sessions_made\":1"), HasSubstr("\"sessions_evicted\":0"),
                    HasSubstr("\"sessions_refused\":0")));
  EXPECT_EQ(trunk.wait(), 0);
}

TEST_F(TrunkVerb, LetsItsStockBeWrittenToWhileItRuns) {
  ChildProcess trunk(command({"--stock", "stock.safetensors"}), directory_);
  ASSERT_NE(trunk.line(), "");
  std::filesystem::resize_file(directory_ / "stock.safetensors", 0);
  test::TrunkCaller caller("ipc://" + socket());
  caller.settle();
  trunk.signal(SIGTERM);
  EXPECT_THAT(trunk.line(), HasSubstr("stopped"));
  EXPECT_EQ(trunk.wait(), 0);
}

TEST_F(TrunkVerb, EndpointOfARunningTrunkIsRefused) {
  ChildProcess first(command({"--stock", "stock.safetensors"}), directory_);
  ASSERT_NE(first.line(), "");
  ChildProcess second(command({"--stock", "stock.safetensors"}), directory_);
  EXPECT_EQ(second.wait(), 1);
  EXPECT_EQ(second.error(), "cambium trunk: endpoint 'ipc://" + socket() +
                                "' is taken by a running process; stop it or choose another "
                                "endpoint\n");
  test::TrunkCaller caller("ipc://" + socket());
  caller.settle();
}

TEST_F(TrunkVerb, AKilledTrunkIsInNobodysWay) {
  {
    ChildProcess first(command({"--stock", "stock.safetensors"}), directory_);
    ASSERT_NE(first.line(), "");
    first.signal(SIGKILL);
    EXPECT_EQ(first.wait(), -SIGKILL);
  }
  EXPECT_TRUE(std::filesystem::exists(socket()));
  ChildProcess second(command({"--stock", "stock.safetensors"}), directory_);
  EXPECT_NE(second.line(), "");
  test::TrunkCaller caller("ipc://" + socket());
  caller.settle();
}

TEST_F(TrunkVerb, SaysWhatIsWrongWithItsInput) {
  std::ofstream(directory_ / "bad.toml") << "[trunk]\nqeue = 7\n";
  struct Case {
    std::vector<std::string> arguments;
    int exit_code;
    std::string sentence;
  };
  const Case cases[] = {
      {{"--stock", "none.safetensors"}, 2, "none.safetensors"},
      {{"--config", "none.toml"}, 2, "config file 'none.toml': No such file or directory"},
      {{"--config", "bad.toml"},
       2,
       "bad.toml:2:1: key 'qeue' in [trunk]: unknown (did you mean 'queue'?)"},
      {{"--endpoint", "tcp://0.0.0.0:5"},
       2,
       "option --endpoint: 'tcp://0.0.0.0:5' is not loopback"},
      {{"--backend", "cuda"}, 2, "cuda"},
      {{"--threads", "0"}, 2, "--threads"},
  };
  for (const auto& wrong : cases) {
    ChildProcess trunk(command(wrong.arguments), directory_);
    EXPECT_THAT(trunk.error(), HasSubstr(wrong.sentence));
    EXPECT_EQ(trunk.wait(), wrong.exit_code) << wrong.sentence;
  }
}

}  // namespace
}  // namespace cambium
