#include <string_view>

#include "core/formats/msgpack.hpp"
#include "core/formats/npy.hpp"
#include "tests/fuzz/seeds.hpp"

namespace cambium::fuzz {
namespace {

using namespace std::string_view_literals;

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

void npy_seeds(const Keep& keep) {
  const float values[] = {1, 2, 3, 4, 5, 6};
  std::vector<std::byte> file;
  formats::write_npy(file, std::vector<std::uint64_t>{2, 3}, values);
  keep("npy", "version_1", file);
  keep(
      "npy", "column_major",
      bytes("\x93NUMPY\1\0\x38\0{'shape': (2, 1), 'fortran_order': True, 'descr': '>u2'}\nabcd"sv));
  keep(
      "npy", "version_2",
      bytes("\x93NUMPY\2\0\x37\0\0\0{\"descr\":\"|S2\",\"fortran_order\":False,\"shape\":(2L,)}    "
            "abcd"sv));
  keep(
      "npy", "text",
      bytes(
          "\x93NUMPY\3\0\x35\0\0\0{'descr':'<U1','fortran_order':False,'shape':(1,),}    h\0\0\0"sv));
}

void msgpack_seeds(const Keep& keep) {
  const float values[] = {1, 2, 3, 4, 5, 6};
  const std::vector<std::uint64_t> shape = {2, 3};
  for (const auto& [name, dialect] :
       {std::pair{"openpi", formats::ArrayDialect::openpi},
        std::pair{"npy", formats::ArrayDialect::npy},
        std::pair{"msgpack_numpy", formats::ArrayDialect::msgpack_numpy}}) {
    formats::MsgpackWriter writer;
    writer.map(4);
    writer.text("endpoint"), writer.text("get_action");
    writer.text("prompt"), writer.list(2), writer.text("fold"), writer.nil();
    writer.text("flags"), writer.map(2);
    writer.text("on"), writer.boolean(true);
    writer.text("raw"), writer.binary(bytes("abc"));
    writer.text("state"), writer.array(dialect, shape, values);
    keep("msgpack", name, writer.bytes());
  }
  keep("msgpack", "scalars",
       bytes("\x93\x83\xc4\2nd\xc2\xc4\4type\xa3<f4\xc4\4data\xc4\4\0\0\x80\x3f"
             "\x83\xc4\2nd\xc2\xc4\4type\xa3>f2\xc4\4data\xc4\2\x3c\0"
             "\x83\xc4\2nd\xc2\xc4\4type\xa3<U1\xc4\4data\xc4\4h\0\0\0"sv));
  keep("msgpack", "generic",
       bytes("\x83\xc4\r__npgeneric__\xc3\xc4\4data\xcb\x3f\xf8\0\0\0\0\0\0"
             "\xc4\5dtype\xa3<f4"sv));
  keep("msgpack", "widths",
       bytes("\x9b\x7f\xcc\xff\xcd\1\0\xce\1\0\0\0\xcf\xff\0\0\0\0\0\0\0\xe0\xd0\x80\xd1\x80\0"
             "\xca\x3f\x80\0\0\xd9\1a\xc5\0\1b"sv));
}

// An observation of a camera of 2 x 3 pixels and two joints, as GR00T's generations write it.
void groot_seeds(const Keep& keep) {
  const std::vector<float> picture(18, 0.5F), joints = {0.1F, 0.2F};
  const auto seed = [&](const char* name, formats::ArrayDialect dialect, bool nested) {
    const auto array = [&](formats::MsgpackWriter& to, std::vector<std::uint64_t> shape,
                           std::span<const float> values) {
      if (nested) shape.insert(shape.begin(), 1);  // N1.5 has no batches
      to.array(dialect, shape, values);
    };
    formats::MsgpackWriter to;
    to.map(3);
    to.text("endpoint"), to.text("get_action");
    to.text("api_token"), to.text("1234");
    to.text("data");
    if (nested) {
      to.map(2);
      to.text("options"), to.nil();
      to.text("observation"), to.map(3);
      to.text("video"), to.map(1), to.text("front"), array(to, {1, 2, 3, 3}, picture);
      to.text("state"), to.map(1), to.text("arm"), array(to, {1, 2}, joints);
      to.text("language"), to.map(1), to.text("task"), to.list(1), to.text("fold");
    } else {
      to.map(3);
      to.text("video.front"), array(to, {1, 2, 3, 3}, picture);
      to.text("state.arm"), array(to, {1, 2}, joints);
      to.text("annotation.human.task_description"), to.list(1), to.text("fold");
    }
    keep("groot", name, to.bytes());
  };
  seed("n15", formats::ArrayDialect::npy, false);
  seed("n16", formats::ArrayDialect::npy, true);
  seed("n17", formats::ArrayDialect::msgpack_numpy, true);
  keep("groot", "ping",
       bytes("\x81\xa8"
             "endpoint\xa4ping"sv));
}

void json_seeds(const Keep& keep) {
  int count = 0;
  for (
      const auto text :
      {R"({"id": 7, "robot": "left", "token": "t", "task": "fold", "episode_start": true,
             "observation": {"state": [1, -2.5, 3e2], "grip": 1, "cam": {"left": [[[1,2],[3,4]]]}}})"sv,
       R"({"observation":{"cam":{"shape":[2,1],"dtype":"uint8","base64":"AAE="}},"id":"x"})"sv,
       R"({"observation":{"a":{"b":{"c":[[],[]]}},"d":{"dtype":"float32","base64":"","shape":[0]}}})"sv,
       "{\"ping\":true}\r\n\n{\"describe\":true,\"robot\":\"right\"}\n"sv})
    keep("json", "message_" + std::to_string(++count), bytes(text));
}

// The first byte says what the others are: see openpi_fuzz.cpp.
void openpi_seeds(const Keep& keep) {
  keep("openpi", "healthz", bytes("\0GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"sv));
  keep("openpi", "upgrade",
       bytes("\0GET /?robot=left HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: "
             "Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: "
             "13\r\nAuthorization: Api-Key k\r\n\r\n"sv));
  keep("openpi", "post",
       bytes("\0POST /x?y HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"sv));
  keep("openpi", "frames",
       bytes("\1\x89\x80\1\2\3\4\x02\x81\1\2\3\4\x81\x80\x80\1\2\3\4\x88\x82\0\0\0\0\3\xe8"sv));
  const float joints[] = {0.1F, -0.1F}, goal[] = {0.2F, 0, 0.3F};
  for (const auto& [name, dialect] :
       {std::pair{"observation", formats::ArrayDialect::openpi},
        std::pair{"observation_msgpack_numpy", formats::ArrayDialect::msgpack_numpy}}) {
    formats::MsgpackWriter writer;
    writer.map(4);
    writer.text("joint_position"), writer.array(dialect, std::vector<std::uint64_t>{2}, joints);
    writer.text("goal"), writer.array(dialect, std::vector<std::uint64_t>{3}, goal);
    writer.text("prompt"), writer.text("fold");
    writer.text("more"), writer.map(1), writer.text("numbers"), writer.list(1), writer.number(1);
    std::vector<std::byte> seed = {std::byte{2}};
    seed.insert(seed.end(), writer.bytes().begin(), writer.bytes().end());
    keep("openpi", name, seed);
  }
}

}  // namespace

void format_seeds(const Keep& keep) {
  groot_seeds(keep);
  openpi_seeds(keep);
  npy_seeds(keep);
  msgpack_seeds(keep);
  json_seeds(keep);
}

}  // namespace cambium::fuzz
