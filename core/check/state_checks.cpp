// cambium.state/1: what a stem or head remembers, as bytes.
#include <fmt/format.h>

#include <algorithm>

#include "core/check/check.hpp"

namespace cambium::check {
namespace {

std::vector<PartSpec> remembering(Context& c) {
  std::vector<PartSpec> specs;
  for (const auto& spec : c.parts())
    if (Part(spec).state() != nullptr) specs.push_back(spec);
  if (specs.empty()) throw Ended{skip("it remembers nothing: no cambium.state/1 is exported")};
  return specs;
}

/// A part that has run a few times, and what it says of itself.
class Remembering {
 public:
  Remembering(const PartSpec& spec, Context& context) : part(spec), context_(context) {
    part.activate();
  }
  void run(int calls) {
    for (int i = 0; i < calls; ++i) part.run(part.spec().sample(context_.random()));
  }
  std::vector<std::byte> save() {
    std::vector<std::byte> bytes(kMaxStateBytes + 64, std::byte{0xa5});
    std::uint32_t size = 0;
    const Status status = part.state()->save(std::span(bytes).first(kMaxStateBytes), size);
    if (!status.ok() || size == 0 || size > kMaxStateBytes)
      throw Ended{
          fail(fmt::format("{}: save() says '{}' and {} bytes, {} are there", part.spec().title,
                           cambium::to_string(status.code()), size, kMaxStateBytes))};
    if (std::any_of(bytes.begin() + size, bytes.end(),
                    [](std::byte one) { return one != std::byte{0xa5}; }))
      throw Ended{fail(fmt::format("{}: save() wrote behind the {} bytes that it says",
                                   part.spec().title, size))};
    bytes.resize(size);
    return bytes;
  }
  /// These bytes are bad_data, with a sentence, and nothing changes.
  void refuses(std::span<const std::byte> bytes, std::string_view what) {
    const auto before = save();
    Message why;
    const Status status = part.state()->load(bytes, why);
    if (status.ok()) throw Ended{fail(fmt::format("{}: load() takes {}", part.spec().title, what))};
    if (status.code() != Code::bad_data || why.text[0] == 0)
      throw Ended{
          fail(fmt::format("{}: load() refuses {} as '{}', expected 'bad data' and a "
                           "sentence",
                           part.spec().title, what, cambium::to_string(status.code())))};
    if (save() != before)
      throw Ended{fail(fmt::format("{}: load() refuses {}, but has changed something",
                                   part.spec().title, what))};
  }
  std::vector<std::byte> noise(std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (auto& one : bytes) one = static_cast<std::byte>(context_.random()());
    return bytes;
  }

  Part part;

 private:
  Context& context_;
};

Finding goes_on_from_its_bytes(Context& c) {
  for (const auto& spec : remembering(c)) {
    c.doing("state of " + spec.title);
    Remembering old(spec, c), fresh(spec, c);
    old.run(5);
    const auto bytes = old.save();
    if (old.save() != bytes) return fail(spec.title + ": saving twice gives different bytes");
    std::vector<Sample> samples;
    std::vector<std::vector<float>> expected;
    for (int i = 0; i < 8; ++i) {
      samples.push_back(spec.sample(c.random()));
      expected.push_back(old.part.run(samples.back()));
    }
    for (auto* one : {&old, &fresh}) {
      Message why;
      if (const Status status = one->part.state()->load(bytes, why); !status.ok())
        return fail(fmt::format("{}: load() refuses what save() wrote ({}): {}", spec.title,
                                cambium::to_string(status.code()), why.text));
      if (one->save() != bytes)
        return fail(spec.title + ": what was loaded is saved as other bytes");
      for (std::size_t i = 0; i < samples.size(); ++i)
        if (first_difference(one->part.run(samples[i]), expected[i]) >= 0)
          return fail(
              fmt::format("{}: call {} after load() gives another output than after the "
                          "save()",
                          spec.title, i + 1));
    }
  }
  return pass();
}

Finding refuses_empty_and_random(Context& c) {
  for (const auto& spec : remembering(c)) {
    c.doing("load() of " + spec.title);
    Remembering one(spec, c);
    one.run(3);
    one.refuses({}, "no bytes at all");
    for (int i = 0; i < 3; ++i) one.refuses(one.noise(1 << 20), "a megabyte of random bytes");
    const auto size = one.save().size();
    for (int i = 0; i < 100; ++i) one.refuses(one.noise(size), "random bytes of the right size");
  }
  return pass();
}

Finding refuses_truncated(Context& c) {
  for (const auto& spec : remembering(c)) {
    c.doing("load() of " + spec.title);
    Remembering one(spec, c);
    one.run(3);
    const auto bytes = one.save();
    const std::size_t step = std::max<std::size_t>(1, bytes.size() / 256);
    for (std::size_t size = 0; size < bytes.size(); size += step)
      one.refuses(std::span(bytes).first(size),
                  fmt::format("{} of its {} bytes", size, bytes.size()));
    auto longer = bytes;
    longer.push_back({});
    one.refuses(longer, "its bytes with one more");
  }
  return pass();
}

Finding says_how_much_room(Context& c) {
  for (const auto& spec : remembering(c)) {
    c.doing("save() of " + spec.title);
    Remembering one(spec, c);
    one.run(3);
    const auto bytes = one.save();
    for (const std::size_t room : {std::size_t{0}, bytes.size() / 2, bytes.size() - 1}) {
      std::vector<std::byte> small(room + 64, std::byte{0x5a});
      std::uint32_t size = 0;
      const Status status = one.part.state()->save(std::span(small).first(room), size);
      if (status.code() != Code::limit || size != bytes.size())
        return fail(
            fmt::format("{}: save() into {} bytes says '{}' and {}, expected 'limit' and "
                        "{}",
                        spec.title, room, cambium::to_string(status.code()), size, bytes.size()));
      if (std::any_of(small.begin() + static_cast<std::ptrdiff_t>(room), small.end(),
                      [](std::byte b) { return b != std::byte{0x5a}; }))
        return fail(fmt::format("{}: save() into {} bytes wrote more", spec.title, room));
    }
  }
  return pass();
}

Finding converts_no_unknown_version(Context& c) {
  for (const auto& spec : remembering(c)) {
    c.doing("convert() of " + spec.title);
    Remembering one(spec, c);
    const auto bytes = one.save();
    std::vector<std::byte> room(kMaxStateBytes);
    std::uint32_t size = 0;
    Message why;
    const std::uint32_t unknown = one.part.state()->version() + 1000;
    const Status status = one.part.state()->convert(unknown, bytes, room, size, why);
    if (status.code() != Code::incompatible || why.text[0] == 0)
      return fail(
          fmt::format("{}: convert() of version {} says '{}', expected 'incompatible' and "
                      "a sentence",
                      spec.title, unknown, cambium::to_string(status.code())));
    if (one.save() != bytes) return fail(spec.title + ": convert() has changed the object");
  }
  return pass();
}

constexpr Needs kBundle = {.bundle = true};
constexpr Check kChecks[] = {
    {"state: goes on from its own bytes", goes_on_from_its_bytes, kBundle, kStartsUp},
    {"state: refuses empty and random bytes", refuses_empty_and_random, kBundle, kStartsUp},
    {"state: refuses truncated bytes", refuses_truncated, kBundle, kStartsUp},
    {"state: says how much room it needs", says_how_much_room, kBundle, kStartsUp},
    {"state: converts no version that it does not know", converts_no_unknown_version, kBundle,
     kStartsUp},
};

}  // namespace

std::span<const Check> state_checks() noexcept {
  return kChecks;
}

}  // namespace cambium::check
