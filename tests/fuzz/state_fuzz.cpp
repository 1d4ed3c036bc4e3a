// State bytes, cambium.state/1: what a head or stem is given that some other one is said to have
// saved. Byte 0 chooses who reads, the low half of byte 1 the version that the bytes are said to
// have and its high half which owner they are said to come from.
#include <memory>
#include <vector>

#include "core/nn/bundle.hpp"
#include "core/plugin/plugin_library.hpp"
#include "core/runtime/local_policy.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/toy_files.hpp"

namespace {

using namespace cambium;

template <class T>
T must(Result<T> made) {
  fuzz::promise(made.has_value(), made ? "" : made.error().message.c_str());
  return *std::move(made);
}

/// Somebody who remembers: the state of a living head or stem, and the policy that it belongs to.
struct Reader {
  plugin::HeadHandle head;
  State* state = nullptr;
  std::unique_ptr<runtime::Policy> policy;

  std::vector<std::byte> saved() const {
    std::vector<std::byte> bytes(kMaxStateBytes);
    std::uint32_t size = 0;
    fuzz::promise(state->save(bytes, size).ok() && size <= kMaxStateBytes, "what is, can be saved");
    bytes.resize(size);
    return bytes;
  }
};

class Readers {
 public:
  Readers() {
    const auto trunk_id = test::write_toy_stock(folder_ / "stock");
    test::write_toy_bundle(folder_ / "bundle", {.trunk_id = trunk_id, .head = "counting"});
    const auto stock = must(nn::Stock::open(folder_ / "stock"));
    const auto bundle = must(nn::Bundle::open(folder_ / "bundle"));
    // Every plugin of the tree that exports a state, in each of its versions.
    for (const char* file : {TOY_ARM, TOY_ARM_2}) {
      const auto library = must(plugin::open_library(file, {.run_dir = folder_ / "run"}));
      const auto body = must(library->embodiment());
      const auto weights = bundle.head_weights();
      Reader reader;
      reader.head = must(library->create_head("counting"));
      Message why;
      fuzz::promise(
          reader.head
              ->activate({.width = test::kToyWidth, .horizon = 1, .dof = 2, .weights = weights},
                         why)
              .ok(),
          "the toy's weights fit the toy");
      reader.state = must(library->state_of(*reader.head, "counting"));
      reader.policy =
          must(runtime::LocalPolicy::make({body, stock, bundle, *library, *library, ""}));
      readers_.push_back(std::move(reader));
    }
  }
  const Reader& at(std::size_t i) const { return readers_[i % readers_.size()]; }

 private:
  test::TemporaryFolder folder_;
  std::vector<Reader> readers_;
};

/// Refused bytes change nothing and come with a sentence; accepted ones survive save and load.
void load(const Reader& reader, std::span<const std::byte> bytes) {
  const auto before = reader.saved();
  Message why;
  const Status status = reader.state->load(bytes, why);
  const auto after = reader.saved();
  if (!status.ok()) {
    fuzz::promise(status.code() == Code::bad_data && why.text[0] != 0, "refused with a sentence");
    fuzz::promise(after == before, "refused bytes change nothing");
    return;
  }
  fuzz::promise(std::ranges::equal(after, bytes), "accepted bytes are what is saved");
  fuzz::promise(reader.state->load(after, why).ok() && reader.saved() == after,
                "accepted bytes survive save and load");
}

void convert(const Reader& reader, std::uint32_t from, std::span<const std::byte> bytes) {
  const auto before = reader.saved();
  std::vector<std::byte> out(kMaxStateBytes);
  std::uint32_t size = 0;
  Message why;
  const Status status = reader.state->convert(from, bytes, out, size, why);
  fuzz::promise(reader.saved() == before, "convert() changes nothing about the object");
  if (!status.ok()) {
    fuzz::promise(why.text[0] != 0, "refused with a sentence");
    return;
  }
  fuzz::promise(size <= kMaxStateBytes, "converted bytes fit");
  out.resize(size);
  fuzz::promise(reader.state->load(out, why).ok(), "converted bytes can be loaded");
  fuzz::promise(reader.saved() == out, "and are what is saved");
}

/// The same bytes on their way from one generation to the next.
void restore(const Reader& reader, std::size_t owner, std::uint32_t version,
             std::span<const std::byte> bytes) {
  static const char* const kOwners[] = {"head:counting", "head:constant", "stem:goal/pass", ""};
  const auto before = reader.policy->state();
  runtime::PolicyState state = {{.owner = kOwners[owner % std::size(kOwners)],
                                 .version = version,
                                 .size = static_cast<std::uint32_t>(bytes.size()),
                                 .bytes = {bytes.begin(), bytes.end()}}};
  const auto report = reader.policy->restore(state);
  const auto& after = reader.policy->state();
  const auto same = [](const runtime::PartState& a, const runtime::PartState& b) {
    return a.owner == b.owner && a.version == b.version && a.size == b.size &&
           std::equal(a.bytes.begin(), a.bytes.begin() + a.size, b.bytes.begin());
  };
  fuzz::promise(report.carried + report.cold <= 1 && report.converted <= report.carried,
                "one part is counted once");
  if (state[0].owner != before[0].owner)
    fuzz::promise(report.carried + report.cold == 0, "bytes of another owner are nobody's");
  if (report.cold != 0) fuzz::promise(report.why.text[0] != 0, "a part that starts anew says why");
  if (report.carried == 0)
    fuzz::promise(std::ranges::equal(after, before, same), "refused bytes change nothing");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Readers readers;
  if (size < 2) return 0;
  const Reader& reader = readers.at(data[0]);
  // Small numbers, so that those which exist come up, and one that no one has.
  const std::uint32_t low = data[1] & 15U, version = low == 15 ? UINT32_MAX : low;
  const auto bytes = fuzz::bytes(data + 2, std::min<std::size_t>(size - 2, kMaxStateBytes));
  load(reader, bytes);
  if (version != reader.state->version()) convert(reader, version, bytes);
  restore(reader, data[1] >> 4, version, bytes);
  return 0;
}
