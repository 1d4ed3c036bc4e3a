// tests/support/toy_counting_head.hpp: a head that remembers how many chunks it gave, in bytes
// whose layout changes between version 1 and 2 of the toy plugin.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "cambium/state.hpp"
#include "tests/support/toy_robot.hpp"

namespace cambium::toy {
namespace {

/// Layout 1 of the state: 12 bytes.
struct CountBytes1 {
  std::uint32_t magic = 0x31594f54;  // "TOY1"
  std::uint32_t count = 0;
  std::uint32_t sum = 0;
};
/// Layout 2: the count has grown. 24 bytes.
struct CountBytes2 {
  std::uint64_t magic = 0x32594f54;  // "TOY2"
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
};

inline Status refuse(Code code, std::string_view text, Message& why) noexcept {
  why.text[text.copy(why.text, sizeof why.text - 1)] = 0;
  return code;
}

/// FNV-1a over everything but the sum.
template <class Layout>
auto sum_of(const Layout& bytes) noexcept {
  std::uint64_t sum = 0xcbf29ce484222325u;
  const auto all = std::as_bytes(std::span(&bytes, 1));
  for (const std::byte byte : all.first(offsetof(Layout, sum)))
    sum = (sum ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3u;
  return static_cast<decltype(bytes.sum)>(sum);
}

template <class Layout>
Status write_count(std::uint64_t count, std::span<std::byte> out, std::uint32_t& size) noexcept {
  size = sizeof(Layout);
  if (out.size() < size) return Code::limit;
  Layout bytes;
  bytes.count = static_cast<decltype(bytes.count)>(count);
  bytes.sum = sum_of(bytes);
  std::memcpy(out.data(), &bytes, sizeof bytes);
  return {};
}

template <class Layout>
Status read_count(std::span<const std::byte> in, std::uint64_t& count, Message& why) noexcept {
  Layout bytes;
  const auto magic = bytes.magic;
  if (in.size() != sizeof bytes)
    return refuse(Code::bad_data, "state of 'counting': of another size", why);
  std::memcpy(&bytes, in.data(), sizeof bytes);
  if (bytes.magic != magic)
    return refuse(Code::bad_data, "state of 'counting': no such state", why);
  if (bytes.sum != sum_of(bytes))
    return refuse(Code::bad_data, "state of 'counting': its checksum is wrong", why);
  count = bytes.count;
  return {};
}

/// Every action is the tensor `value` times the version of the library, times 1, 1.1, 1.2, 1, …
/// with each chunk: whether a count was handed over shows in the actions.
class CountingHead final : public ConstantHead, public State {
 public:
  Status activate(const HeadSpec& spec, Message& why) noexcept override {
    count_ = 0;
    return ConstantHead::activate(spec, why);
  }
  Status decode(FeaturesView features, ChunkView out) noexcept override {
    const Status status = ConstantHead::decode(features, out);
    const float factor = 1.0F + 0.1F * static_cast<float>(count_++ % 3);
    for (std::uint32_t i = 0; i < out.horizon * out.dof; ++i) out.data[i] *= factor;
    return status;
  }

  std::uint32_t version() const noexcept override { return TOY_VERSION; }

#if TOY_VERSION == 1
  using Layout = CountBytes1;
  Status convert(std::uint32_t, std::span<const std::byte>, std::span<std::byte>, std::uint32_t&,
                 Message& why) noexcept override {
    return refuse(Code::incompatible, "state of 'counting': version 1 is the first", why);
  }
#else
  using Layout = CountBytes2;
  Status convert(std::uint32_t from, std::span<const std::byte> bytes, std::span<std::byte> out,
                 std::uint32_t& size, Message& why) noexcept override {
    if (from != 1) {
      return refuse(Code::incompatible, "state of 'counting': knows version 1 alone", why);
    }
    std::uint64_t count = 0;
    if (const Status read = read_count<CountBytes1>(bytes, count, why); !read.ok()) return read;
    return write_count<CountBytes2>(count, out, size);
  }
#endif

  Status save(std::span<std::byte> out, std::uint32_t& size) noexcept override {
    return write_count<Layout>(count_, out, size);
  }
  Status load(std::span<const std::byte> bytes, Message& why) noexcept override {
    return read_count<Layout>(bytes, count_, why);
  }

 private:
  std::uint64_t count_ = 0;
};

}  // namespace
}  // namespace cambium::toy
