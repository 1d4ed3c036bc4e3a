// Robots' stems and heads in real processes of the real program: same numbers, and whatever breaks
// there is told here.
#include <gmock/gmock.h>
#include <sys/prctl.h>

#include <filesystem>

#include "tests/support/child_process.hpp"
#include "tests/support/malloc_guard.hpp"
#include "tests/unit/runtime/isolation_fixture.hpp"

namespace cambium::runtime {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // its signal handlers and memory are not those of the system
#else
constexpr bool kSanitized = false;
#endif

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator("/proc/self/fd"))
    ++count;
  return count;
}

TEST_F(Isolation, GivesBitForBitWhatTheSamePolicyGivesInProcess) {
  auto parts = start();
  const auto library = plugin::open_library(TOY_ARM, {.run_dir = folder_ / "here"});
  const auto stock = nn::Stock::open(options_.source.stock);
  const auto bundle = nn::Bundle::open(options_.source.bundle);
  const auto body = (*library)->embodiment();
  auto local = LocalPolicy::make({*body, *stock, *bundle, **library, **library, ""});
  ASSERT_TRUE(local) << local.error().message;

  EXPECT_TRUE(same_body(parts.body, *body));
  EXPECT_EQ(parts.body.summary, body->summary);
  EXPECT_EQ(parts.policy->head_name(), "constant");
  EXPECT_EQ(parts.policy->shape().trunk, (*local)->shape().trunk);
  EXPECT_EQ(parts.plugin.name, "toy");
  EXPECT_EQ(parts.plugin.version, "1.0.0");
  EXPECT_EQ(parts.plugin.sha256, (*library)->sha256());
  EXPECT_EQ(parts.bundle_sha256.size(), 64U);

  ASSERT_TRUE(encode(**local).ok());
  const auto tokens = tokens_;
  ASSERT_TRUE(encode(*parts.policy).ok());
  EXPECT_EQ(tokens_, tokens);
  EXPECT_EQ(tokens_[0], 0.25F);  // the test does not compare zeros with zeros
  ASSERT_TRUE(decode(**local).ok());
  const auto chunk = chunk_;
  ASSERT_TRUE(decode(*parts.policy).ok());
  EXPECT_EQ(chunk_, chunk);
  EXPECT_EQ(chunk_[0], 0.1F);
}

// A robot of this tree on the stock of this tree, whose shared stems are alone what the child
// reads.
class IsolationOnAStock : public Isolation {
 protected:
  IsolationOnAStock() {
    std::filesystem::copy_file(CAMBIUM_MODELS "/stock.safetensors", file_);
    options_.source = {.plugin = PLANAR3,
                       .bundle = CAMBIUM_MODELS "/planar3.safetensors",
                       .stock = file_,
                       .stock_identity = stock_.identity(),
                       .run_dir = folder_ / "run"};
  }
  /// As another training would have left it: one number of the tensors that begin so is different.
  void replace_stock(const std::string& prefix) const {
    const auto old = nn::SafetensorsFile::open(CAMBIUM_MODELS "/stock.safetensors");
    std::vector<nn::TensorToWrite> tensors;
    std::vector<std::byte> other;
    for (const auto& tensor : old->tensors()) {
      tensors.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.bytes.data()});
      if (!other.empty() || !tensor.name.starts_with(prefix)) continue;
      other.assign(tensor.bytes.begin(), tensor.bytes.end());
      other[0] ^= std::byte{1};
      tensors.back().data = other.data();
    }
    ASSERT_TRUE(nn::write_safetensors(file_, tensors, old->metadata()));
  }
  /// Tokens of one window, not all the same.
  std::vector<float> tokens_of(Policy& policy, const plugin::Embodiment& body) {
    ObservationWindow window(body.sensor_sizes(), policy.shape().observation_horizon);
    std::vector<float> values(1024);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.01F * static_cast<float>(i);
    window.push(values.data());
    std::vector<float> tokens(std::size_t{policy.shape().tokens} * policy.shape().width);
    EXPECT_TRUE(finish(policy, policy.encode(window, tokens), tokens).ok());
    return tokens;
  }
  std::vector<float> tokens_here() {
    const auto library = plugin::open_library(PLANAR3, {.run_dir = folder_ / "here"});
    const auto bundle = nn::Bundle::open(options_.source.bundle);
    const auto body = (*library)->embodiment();
    auto local = LocalPolicy::make({*body, stock_, *bundle, **library, **library, ""});
    if (!local) throw std::runtime_error(local.error().message);
    return tokens_of(**local, *body);
  }

  const std::filesystem::path file_ = folder_ / "models.safetensors";
  const nn::Stock stock_ = nn::Stock::open(CAMBIUM_MODELS "/stock.safetensors").value();
};

TEST_F(IsolationOnAStock, GivesBitForBitWhatTheHostWouldGive) {
  auto parts = start();
  const auto tokens = tokens_of(*parts.policy, parts.body);
  EXPECT_EQ(tokens, tokens_here());
  EXPECT_EQ(parts.policy->shape().trunk, base::from_hex(stock_.trunk_id()));
}

TEST_F(IsolationOnAStock, RefusesOtherSharedStemsUnderTheOldName) {
  replace_stock("stems.shared_");
  EXPECT_THAT(refusal(), HasSubstr("not those that the host has read"));
}

TEST_F(IsolationOnAStock, GoesOnWithTheHostsStemsWhenOnlyTheTrunkWasReplaced) {
  replace_stock("trunk.");
  auto parts = start();
  EXPECT_EQ(tokens_of(*parts.policy, parts.body), tokens_here());
  EXPECT_EQ(parts.policy->shape().trunk, base::from_hex(stock_.trunk_id()))
      << "the running trunk is still asked for by the host's id";
}

TEST_F(IsolationOnAStock, OfABundleForAnotherTrunkIsRefusedWithBothIds) {
  options_.source.stock_identity.trunk = std::string(64, 'a');
  EXPECT_THAT(refusal(), HasSubstr("it was made for trunk " + stock_.trunk_id()));
}

TEST_F(Isolation, NeverOpensThePluginInTheHost) {
  const auto before = plugin::loaded_libraries().mapped;
  auto parts = start();
  ASSERT_TRUE(encode(*parts.policy).ok());
  EXPECT_EQ(plugin::loaded_libraries().mapped, before);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "run")) << "the plugin's copy is left";
}

TEST_F(Isolation, ReportsTheBodyAloneWithoutABundle) {
  options_.source.bundle.clear();
  const auto parts = start();
  EXPECT_EQ(parts.body.name, "toy_arm");
  EXPECT_EQ(parts.policy, nullptr);
  EXPECT_EQ(parts.process, nullptr);
  EXPECT_TRUE(no_child_left());
}

TEST_F(Isolation, TakesHeadAndStemsFromOtherLibraries) {
  options_.source.head_plugin = TOY_ARM_2;
  auto parts = start();
  ASSERT_TRUE(decode(*parts.policy).ok());
  EXPECT_EQ(chunk_[0], 0.2F) << "version 2 doubles its actions";
  EXPECT_EQ(parts.head_plugin.version, "2.0.0");
  EXPECT_EQ(parts.stem_plugin.version, "1.0.0");
}

TEST_F(Isolation, RefusesWithTheSentencesOfAHostThatLoadsThePluginItself) {
  options_.source.plugin = folder_ / "missing.so";
  auto local = plugin::open_library(options_.source.plugin, {.run_dir = folder_ / "here"});
  EXPECT_EQ(refusal(), local.error().message);

  test::write_bytes(folder_ / "missing.so", "not a library");
  local = plugin::open_library(options_.source.plugin, {.run_dir = folder_ / "here"});
  EXPECT_EQ(refusal(), local.error().message);

  options_.source.plugin = TOY_ARM;
  options_.source.embodiment = "toy_amr";
  EXPECT_THAT(refusal(), HasSubstr("did you mean 'toy_arm'?"));

  options_.source.embodiment.clear();
  options_.source.head = "constent";
  EXPECT_THAT(refusal(), HasSubstr("exports no head 'constent' (did you mean 'constant'?)"));

  options_.source.head.clear();
  options_.source.stock = folder_ / "no_stock";
  EXPECT_THAT(refusal(), HasSubstr("set 'stock' in [trunk]"));
  EXPECT_TRUE(no_child_left());
}

TEST_F(Isolation, SaysSoIfTheProgramIsNotThereOrIsAnother) {
  options_.program = folder_ / "cambium";
  EXPECT_THAT(refusal(), HasSubstr("cannot be started: No such file"));
  options_.program = "/bin/true";
  EXPECT_THAT(refusal(), HasSubstr("crashed while it was loaded: exit code 0"));
  options_.program = "/bin/false";
  EXPECT_THAT(refusal(), HasSubstr("crashed while it was loaded: exit code 1"));
  EXPECT_TRUE(no_child_left());
}

TEST_F(Isolation, GivesUpOnAPluginThatIsNotLoadedInTime) {
  options_.load_within = 1;
  EXPECT_THAT(refusal(), HasSubstr("was not loaded within 0 ms"));
  EXPECT_TRUE(no_child_left());
}

// Programs that stand in for a child that goes wrong before it has reported.
TEST_F(Isolation, SaysHowAChildWentWrongWhileItLoadedThePlugin) {
  const auto refusal_of = [&](const std::string& script) {
    options_.program = folder_ / "program";
    test::write_bytes(options_.program, "#!/bin/sh\n" + script + "\n");
    std::filesystem::permissions(options_.program, std::filesystem::perms::owner_all);
    return refusal();
  };
  EXPECT_EQ(refusal_of("kill -SEGV $$"), "plugin '" TOY_ARM
                                         "': crashed while it was loaded: "
                                         "killed by signal 11 (SIGSEGV)");
  EXPECT_THAT(refusal_of("printf 'threw it\\a' >&6; kill -ABRT $$"),
              testing::EndsWith("crashed while it was loaded: threw it"));
  EXPECT_THAT(refusal_of("echo '{\"ok\":true}' >&6"), HasSubstr("is not sound"));
  EXPECT_THAT(refusal_of("exec head -c 2000000 /dev/zero >&6"),
              HasSubstr("reports more than 1024 kB"));
  options_.load_within = 100 * base::kMillisecond;
  EXPECT_THAT(refusal_of("exec 6>&-; exec sleep 100"), HasSubstr("closed its report and goes on"));
  EXPECT_THAT(refusal_of("exec sleep 100"), HasSubstr("was not loaded within 100 ms"));
  EXPECT_TRUE(no_child_left());
}

TEST_F(Isolation, ItsVerbIsNotListedAndDoesNothingForPeople) {
  test::ChildProcess help({CAMBIUM_PROGRAM, "--help"}, folder_.path());
  std::string listed;
  for (int i = 0; i < 60; ++i) listed += help.line() + "\n";
  EXPECT_THAT(listed, HasSubstr("\n  trunk "));
  EXPECT_THAT(listed, testing::Not(HasSubstr("\n  policy ")));
  test::ChildProcess verb({CAMBIUM_PROGRAM, "policy", "--plugin", TOY_ARM}, folder_.path());
  EXPECT_THAT(verb.error(), HasSubstr("hosts start this"));
  EXPECT_EQ(verb.wait(), 2);
}

TEST_F(Isolation, RefusesMessagesLargerThanTheHostTakes) {
  options_.max_floats = 8;
  EXPECT_EQ(refusal(), "messages of the policy hold 16 numbers, at most 8 fit");
}

TEST_F(Isolation, TellsNaNFromAHead) {
  write_bundle("nan");
  auto parts = start();
  EXPECT_EQ(decode(*parts.policy).code(), Code::not_finite);
  EXPECT_FALSE(parts.process->ended());
}

TEST_F(Isolation, AProcessKilledBetweenJobsFailsTheNextCall) {
  auto parts = start();
  ASSERT_TRUE(decode(*parts.policy).ok());
  ::kill(parts.process->pid(), SIGKILL);
  EXPECT_EQ(watch(*parts.process), "killed by signal 9 (SIGKILL)");
  EXPECT_EQ(begin_decode(*parts.policy).status.code(), Code::failed);
  EXPECT_EQ(parts.policy->poll(chunk_).status.code(), Code::failed);
}

TEST_F(Isolation, AProcessKilledDuringAJobWakesTheWorkerAndFailsThePoll) {
  auto parts = start();
  ::kill(parts.process->pid(), SIGSTOP);
  const auto outcome = begin_decode(*parts.policy);
  EXPECT_TRUE(outcome.under_way);
  EXPECT_TRUE(parts.policy->poll(chunk_).under_way);
  waker_.clear();
  ::kill(parts.process->pid(), SIGKILL);
  EXPECT_EQ(watch(*parts.process), "killed by signal 9 (SIGKILL)");
  pollfd wake{.fd = waker_.descriptor(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&wake, 1, 0), 1);
  EXPECT_EQ(parts.policy->poll(chunk_).status.code(), Code::failed);
}

TEST_F(Isolation, AStuckProcessIsFoundAndEnded) {
  options_.answer_within = 20 * base::kMillisecond;
  auto parts = start();
  EXPECT_FALSE(parts.process->stuck(base::monotonic_ns() + base::kSecond)) << "nothing to answer";
  ::kill(parts.process->pid(), SIGSTOP);
  ASSERT_TRUE(begin_decode(*parts.policy).under_way);
  EXPECT_FALSE(parts.process->stuck(base::monotonic_ns() - base::kSecond)) << "not yet";
  EXPECT_TRUE(parts.process->stuck(base::monotonic_ns() + base::kSecond));
  EXPECT_EQ(watch(*parts.process), "ended by the host: no answer for 20 ms");
}

TEST_F(Isolation, AnAbandonedJobKeepsTheChannelBusyUntilItIsAnswered) {
  auto parts = start();
  ::kill(parts.process->pid(), SIGSTOP);
  ASSERT_TRUE(begin_decode(*parts.policy).under_way);
  EXPECT_EQ(begin_decode(*parts.policy).status.code(), Code::busy);
  parts.policy->abandon();
  EXPECT_EQ(parts.policy->poll(chunk_).status.code(), Code::failed);
  EXPECT_EQ(begin_decode(*parts.policy).status.code(), Code::busy);
  EXPECT_TRUE(parts.process->stuck(base::monotonic_ns() + base::kSecond)) << "abandoned ones count";
  ::kill(parts.process->pid(), SIGCONT);
  waker_.sleep(10 * base::kSecond);
  EXPECT_TRUE(decode(*parts.policy).ok());
}

struct Misbehaviour {
  const char* head;
  const char* obituary;
};

class MisbehavingHead : public Isolation, public testing::WithParamInterface<Misbehaviour> {};

TEST_P(MisbehavingHead, EndsItsOwnProcessAndIsBackSoonAfter) {
  if (kSanitized && GetParam().obituary == std::string_view("killed by signal 11 (SIGSEGV)"))
    GTEST_SKIP() << "a sanitizer reports it and exits";
  write_bundle(GetParam().head);
  options_.source.plugin = MISBEHAVING;
  options_.source.memory_mb = 64;
  // What ends by itself may take its time on a loaded machine.
  const bool stuck = std::string_view(GetParam().obituary).starts_with("ended by the host");
  options_.answer_within = stuck ? 100 * base::kMillisecond : 10 * base::kSecond;
  auto parts = start();
  ASSERT_TRUE(decode(*parts.policy).ok());
  ASSERT_TRUE(decode(*parts.policy).ok());
  ASSERT_TRUE(begin_decode(*parts.policy).under_way);
  EXPECT_EQ(watch(*parts.process), GetParam().obituary);
  EXPECT_EQ(parts.policy->poll(chunk_).status.code(), Code::failed);
  parts = start();
  EXPECT_TRUE(decode(*parts.policy).ok());
}

INSTANTIATE_TEST_SUITE_P(
    All, MisbehavingHead,
    testing::Values(Misbehaviour{"throws", "threw std::runtime_error: the third chunk"},
                    Misbehaviour{"sleeps", "ended by the host: no answer for 100 ms"},
                    Misbehaviour{"loops", "ended by the host: no answer for 100 ms"},
                    Misbehaviour{"eats_memory", "threw std::bad_alloc: memory limit 64 MB"},
                    Misbehaviour{"crashes", "killed by signal 11 (SIGSEGV)"},
                    Misbehaviour{"aborts", "killed by signal 6 (SIGABRT)"},
                    Misbehaviour{"exits", "exit code 3"}),
    [](const auto& head) { return std::string(head.param.head); });

TEST_F(Isolation, DoesNotAllocateInACall) {
  if (!test::MallocGuard::works()) GTEST_SKIP() << "a sanitizer has replaced malloc";
  auto parts = start();
  ASSERT_TRUE(encode(*parts.policy).ok());
  ASSERT_TRUE(decode(*parts.policy).ok());
  const test::MallocGuard guard;
  EXPECT_TRUE(encode(*parts.policy).ok());
  EXPECT_TRUE(decode(*parts.policy).ok());
  parts.policy->restore(parts.policy->state());
  EXPECT_TRUE(decode(*parts.policy).ok());
  EXPECT_EQ(guard.allocations(), 0U);
}

TEST_F(Isolation, LeavesNoDescriptorAndNoProcess) {
  { const auto warm = start(); }
  const auto before = open_descriptors();
  for (int i = 0; i < 50; ++i) {
    auto parts = start();
    if (i % 3 == 1) ::kill(parts.process->pid(), SIGKILL);
    if (i % 3 == 2) begin_decode(*parts.policy);
  }
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_TRUE(no_child_left());
}

TEST_F(Isolation, GivesTheChildNoDescriptorButItsOwn) {
  const int extra = ::open("/dev/null", O_RDONLY);  // as a library leaves it that forgot O_CLOEXEC
  auto parts = start();
  ASSERT_TRUE(decode(*parts.policy).ok());
  const auto folder = "/proc/" + std::to_string(parts.process->pid()) + "/fd";
  std::vector<int> numbers;
  for (const auto& one : std::filesystem::directory_iterator(folder))
    numbers.push_back(std::stoi(one.path().filename()));
  EXPECT_THAT(numbers, testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  ::close(extra);
}

TEST_F(Isolation, StartsTheChildAtOrdinaryPriorityWithDefaultSignals) {
  sigset_t blocked, before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  sched_param fifo{.sched_priority = 1};
  const bool raised = ::pthread_setschedparam(::pthread_self(), SCHED_FIFO, &fifo) == 0;
  auto parts = start();
  const sched_param ordinary{};
  if (raised) ::pthread_setschedparam(::pthread_self(), SCHED_OTHER, &ordinary);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(::sched_getscheduler(parts.process->pid()), SCHED_OTHER);
  const auto status = test::read_bytes("/proc/" + std::to_string(parts.process->pid()) + "/status");
  EXPECT_THAT(status, HasSubstr("SigBlk:\t0000000000000000"));
  EXPECT_THAT(status, MatchesRegex(".*VmLck:\t *0 kB.*"));
}

TEST_F(Isolation, TheChildEndsWhenItsHostIsKilled) {
  write_bundle("loops");
  options_.source.plugin = MISBEHAVING;
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);  // the orphan comes to this test
  int told[2];
  ASSERT_EQ(::pipe2(told, O_CLOEXEC), 0);
  const pid_t host = ::fork();
  if (host == 0) {
    auto parts = start();
    [[maybe_unused]] Status status = decode(*parts.policy);
    status = decode(*parts.policy);
    [[maybe_unused]] const auto looping = begin_decode(*parts.policy);
    const pid_t child = parts.process->pid();
    if (::write(told[1], &child, sizeof child) != sizeof child) ::_exit(1);
    for (;;) ::pause();
  }
  pid_t child = 0;
  ASSERT_EQ(::read(told[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
  ::close(told[0]);
  ::close(told[1]);
  ASSERT_EQ(::kill(child, 0), 0);
  ::kill(host, SIGKILL);
  ASSERT_EQ(::waitpid(host, nullptr, 0), host);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

}  // namespace
}  // namespace cambium::runtime
