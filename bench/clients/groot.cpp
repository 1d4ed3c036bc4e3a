// GR00T N1.6: msgpack with .npy arrays over ZeroMQ.
#include "bench/clients/scene.hpp"
#include "bench/clients/zeromq_ends.hpp"
#include "cambium/client.hpp"
#include "core/formats/msgpack.hpp"

namespace cambium::bench {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// A .npy file of version 1.0; its header fills 128 bytes, as numpy's do.
void write_array(formats::MsgpackWriter& to, std::string_view descr, std::string_view shape,
                 std::span<const std::byte> data) {
  constexpr std::size_t kHeader = 128, kBefore = 10;
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(kHeader - kBefore);
  file += '\0';
  file.append("{'descr': '").append(descr).append("', 'fortran_order': False, 'shape': (");
  file.append(shape).append("), }");
  file.resize(kHeader - 1, ' ');
  file += '\n';
  file.append(reinterpret_cast<const char*>(data.data()), data.size());
  to.map(2);
  to.text("__ndarray_class__");
  to.boolean(true);
  to.text("as_npy");
  to.binary(bytes_of(file));
}

std::string request() {
  const Scene scene;
  formats::MsgpackWriter to;
  to.map(2);
  to.text("endpoint");
  to.text("get_action");
  to.text("data");
  to.map(2);
  to.text("observation");
  to.map(3);
  to.text("video");
  to.map(static_cast<std::uint32_t>(kCameras.size()));
  for (const char* camera : kCameras) {
    to.text(camera);
    write_array(to, "|u1", "1, 1, 224, 224, 3", std::as_bytes(std::span(scene.picture)));
  }
  to.text("state");
  to.map(1);
  to.text("joints");
  write_array(to, "<f4", "1, 1, 14", std::as_bytes(std::span(scene.joints)));
  to.text("language");
  to.map(1);
  to.text("task");
  to.list(1);
  to.list(1);
  to.text("measure");
  to.text("options");
  to.nil();
  const auto bytes = to.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class GrootClient final : public RequestClient {
 public:
  explicit GrootClient(const std::string& endpoint) : RequestClient(endpoint, request()) {}

  Result<Answered> answered() const override {
    const std::string bytes = reply();
    const auto message = formats::read_msgpack(bytes_of(bytes));
    const auto* list = message ? message->root.as<formats::List>() : nullptr;
    if (!list || list->size() != 2) return Error{Code::bad_data, "groot: " + bytes.substr(0, 300)};
    Answered said;
    double us = 0;
    if (const auto* compute = (*list)[1].find("trunk_compute_us"); compute && compute->number(us))
      said.trunk_us = us;
    const auto* drive = (*list)[1].find("drive");
    const auto* who = drive ? drive->as<std::string_view>() : nullptr;
    said.held = !who || *who != to_string(Drive::policy);
    return said;
  }
};

}  // namespace

Result<std::unique_ptr<ProtocolClient>> connect_groot(const std::string& endpoint,
                                                      const std::string&) {
  return std::unique_ptr<ProtocolClient>(new GrootClient(endpoint));
}

}  // namespace cambium::bench
