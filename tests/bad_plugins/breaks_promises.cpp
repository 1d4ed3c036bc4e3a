// Heads that work, each breaking one promise of cambium/head.hpp or cambium/state.hpp.
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

#include "tests/support/toy_robot.hpp"

namespace cambium::toy {
namespace {

/// decode() of a sound head, then something that it must not do.
template <void (*kFault)(FeaturesView features, ChunkView out)>
class Breaking final : public ConstantHead {
 public:
  Status decode(FeaturesView features, ChunkView out) noexcept override {
    const Status status = ConstantHead::decode(features, out);
    kFault(features, out);
    return status;
  }
};

void write_behind(FeaturesView, ChunkView out) {
  out.data[out.horizon * out.dof] = 1;
}
void change_input(FeaturesView features, ChunkView) {
  const_cast<float*>(features.data)[0] = 0;
}
void allocate(FeaturesView, ChunkView out) {
  const std::vector<float> copy(out.data, out.data + out.horizon * out.dof);
  out.data[0] = copy[0];
}
void print(FeaturesView, ChunkView) {
  std::puts("decoding");
}
void count(FeaturesView, ChunkView out) {
  static float calls = 0;  // shared by all instances
  out.data[0] += calls++;
}
void dawdle(FeaturesView, ChunkView) {
  ::usleep(12'000);  // the period is 10 ms
}

class Lazy final : public ConstantHead {
 public:
  Status decode(FeaturesView, ChunkView out) noexcept override {
    std::fill_n(out.data, out.horizon * out.dof - 1, 0.5F);
    return {};
  }
};

/// Remembers every input, the bad ones too, and tells nobody.
class Sticky final : public ConstantHead {
 public:
  Status activate(const HeadSpec& spec, Message& why) noexcept override {
    sum_ = 0;
    return ConstantHead::activate(spec, why);
  }
  Status decode(FeaturesView features, ChunkView out) noexcept override {
    const Status status = ConstantHead::decode(features, out);
    sum_ = 0.5F * sum_ + features.data[0];
    out.data[0] += sum_;
    return status;
  }

 private:
  float sum_ = 0;
};

class Leaking final : public ConstantHead {
 public:
  Status activate(const HeadSpec& spec, Message& why) noexcept override {
    kept_ = new char[100];
    return ConstantHead::activate(spec, why);
  }

 private:
  volatile char* kept_ = nullptr;
};

class LeavingThread final : public ConstantHead {
 public:
  Status activate(const HeadSpec& spec, Message& why) noexcept override {
    std::thread([] { ::pause(); }).detach();
    return ConstantHead::activate(spec, why);
  }
};

class TakingAnything final : public ConstantHead {
 public:
  Status activate(const HeadSpec&, Message&) noexcept override { return {}; }
  Status decode(FeaturesView, ChunkView out) noexcept override {
    std::fill_n(out.data, out.horizon * out.dof, 0.5F);
    return {};
  }
};

class RefusingSilently final : public ConstantHead {
 public:
  Status activate(const HeadSpec& spec, Message&) noexcept override {
    Message unsaid;
    return ConstantHead::activate(spec, unsaid);
  }
};

/// A count whose bytes nobody checks.
class Trusting final : public ConstantHead, public State {
 public:
  Status decode(FeaturesView features, ChunkView out) noexcept override {
    const Status status = ConstantHead::decode(features, out);
    out.data[0] += static_cast<float>(count_++ % 7);
    return status;
  }
  Status activate(const HeadSpec& spec, Message& why) noexcept override {
    count_ = 0;
    return ConstantHead::activate(spec, why);
  }
  std::uint32_t version() const noexcept override { return 1; }
  Status save(std::span<std::byte> out, std::uint32_t& size) noexcept override {
    size = static_cast<std::uint32_t>(std::min(out.size(), sizeof count_));
    std::memcpy(out.data(), &count_, size);  // as much as fits
    return {};
  }
  Status load(std::span<const std::byte> bytes, Message&) noexcept override {
    std::memcpy(&count_, bytes.data(), std::min(bytes.size(), sizeof count_));
    return {};
  }
  Status convert(std::uint32_t, std::span<const std::byte>, std::span<std::byte>, std::uint32_t&,
                 Message&) noexcept override {
    return {};
  }

 private:
  std::uint64_t count_ = 0;
};

}  // namespace
}  // namespace cambium::toy

using namespace cambium::toy;  // NOLINT(*-using-namespace): nobody includes this file
using cambium::plugin::head;

CAMBIUM_PLUGIN("breaks_promises", "1.0.0", cambium::plugin::embodiment<kSpec>(),
               cambium::plugin::stem<PassStem>("pass"),
               head<Breaking<write_behind>>("writes_behind"),
               head<Breaking<change_input>>("changes_input"), head<Breaking<allocate>>("allocates"),
               head<Breaking<print>>("prints"), head<Breaking<count>>("counts"),
               head<Breaking<dawdle>>("dawdles"), head<Lazy>("leaves_a_number"),
               head<Sticky>("sticky"), head<Leaking>("leaks"),
               head<LeavingThread>("leaves_a_thread"), head<TakingAnything>("takes_anything"),
               head<RefusingSilently>("refuses_silently"), head<Trusting>("trusting"),
               cambium::plugin::head_state<Trusting, "trusting">())
