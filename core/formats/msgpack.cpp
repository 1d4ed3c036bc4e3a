#include "core/formats/msgpack.hpp"

#include <algorithm>
#include <msgpack.hpp>
#include <optional>

#include "core/formats/msgpack_array.hpp"
#include "core/formats/npy.hpp"
#include "core/formats/text.hpp"

namespace cambium::formats {
namespace {

Bytes bytes_of(const char* data, std::uint32_t size) {
  return {reinterpret_cast<const std::byte*>(data), size};
}

/// Is called for each value in the order of the bytes; makes the tree from what is there, never by
/// what a length claims. A false ends the reading.
class Builder : public msgpack::null_visitor {
 public:
  Builder(MsgpackMessage& message, const Limits& limits) : message_(message), limits_(limits) {
    open_.reserve(limits.depth);
  }

  /// Why it ended, with the keys that lead there.
  const std::string& why() const noexcept { return why_; }

  bool visit_nil() { return put(Value{}); }
  bool visit_boolean(bool v) { return put(Value{v}); }
  bool visit_positive_integer(std::uint64_t v) {
    return v > INT64_MAX ? put(Value{v}) : put(Value{static_cast<std::int64_t>(v)});
  }
  bool visit_negative_integer(std::int64_t v) { return put(Value{v}); }
  bool visit_float32(float v) { return put(Value{double{v}}); }
  bool visit_float64(double v) { return put(Value{v}); }
  bool visit_str(const char* v, std::uint32_t size) {
    const std::string_view text(size ? v : "", size);
    return is_utf8(text) ? put(Value{text}) : fail("a text that is not UTF-8");
  }
  bool visit_bin(const char* v, std::uint32_t size) { return put(Value{bytes_of(v, size)}); }
  bool visit_ext(const char*, std::uint32_t) { return fail("an extension type"); }
  bool start_array(std::uint32_t) { return open(Value{List{}}); }
  bool end_array() { return close(); }
  bool start_map(std::uint32_t) { return open(Value{Map{}}); }
  bool start_map_key() { return key_ = true; }
  bool end_map_key() { return !(key_ = false); }
  bool end_map() {
    Map map = std::move(std::get<Map>(open_.back().is));
    if (!distinct(map)) return fail("a key of a map comes twice");
    ArrayDialect dialect{};
    auto value = resolve_map(std::move(map), dialect);
    if (!value) return fail(value.error().message);
    if (dialect != ArrayDialect::none) {
      if (message_.dialect != ArrayDialect::none && message_.dialect != dialect)
        return fail("arrays are written in two ways");
      message_.dialect = dialect;
    }
    open_.back() = std::move(*value);
    return close();
  }
  bool insufficient = false;
  void insufficient_bytes(std::size_t, std::size_t) { insufficient = true; }

 private:
  bool fail(const std::string& why) {
    for (const Value& value : open_) {
      const Map* map = value.as<Map>();
      if (!map || map->empty()) continue;
      if (const auto* key = map->back().first.as<std::string_view>())
        why_ += (why_.empty() ? "in " : " ") + shown(*key);
    }
    why_ += (why_.empty() ? "" : ": ") + why;
    return false;
  }
  bool counted() {
    return ++values_ <= limits_.values ||
           fail("more than " + std::to_string(limits_.values) + " values");
  }
  bool open(Value&& value) {
    if (key_) return fail("a key of a map is neither text nor bytes");
    if (!counted()) return false;
    if (open_.size() == limits_.depth)
      return fail("nested deeper than " + std::to_string(limits_.depth));
    open_.push_back(std::move(value));
    return true;
  }
  bool close() {
    Value value = std::move(open_.back());
    open_.pop_back();
    place(std::move(value));
    return true;
  }
  bool put(Value&& value) {
    if (!counted()) return false;
    if (key_ && !value.as<std::string_view>() && !value.as<Bytes>())
      return fail("a key of a map is neither text nor bytes");
    place(std::move(value));
    return true;
  }
  void place(Value&& value) {
    if (open_.empty())
      message_.root = std::move(value);
    else if (auto* list = std::get_if<List>(&open_.back().is))
      list->push_back(std::move(value));
    else if (auto& map = std::get<Map>(open_.back().is); key_)
      map.emplace_back(std::move(value), Value{});
    else
      map.back().second = std::move(value);
  }

  /// By order, so that a map of many keys costs no square of them.
  bool distinct(const Map& map) {
    names_.clear();
    for (const auto& [key, value] : map) {
      const auto* bytes = key.as<Bytes>();
      names_.emplace_back(
          bytes != nullptr,
          bytes ? std::string_view(reinterpret_cast<const char*>(bytes->data()), bytes->size())
                : *key.as<std::string_view>());
    }
    std::ranges::sort(names_);
    return std::ranges::adjacent_find(names_) == names_.end();
  }

  MsgpackMessage& message_;
  const Limits limits_;
  std::vector<Value> open_;  // lists and maps that are not at their end
  bool key_ = false;         // the next value is a map's key
  std::uint32_t values_ = 0;
  std::string why_;
  std::vector<std::pair<bool, std::string_view>> names_;
};

/// What the library's packer writes to.
struct Sink {
  std::vector<std::byte>& to;
  void write(const char* data, std::size_t size) {
    const auto* from = reinterpret_cast<const std::byte*>(data);
    to.insert(to.end(), from, from + size);
  }
};

template <class Write>
void pack(std::vector<std::byte>& to, Write write) {
  Sink sink{to};
  msgpack::packer<Sink> packer(sink);
  write(packer);
}

}  // namespace

Result<MsgpackMessage> read_msgpack(std::span<const std::byte> bytes, const Limits& limits) {
  MsgpackMessage message;
  const auto refused = [](std::size_t at, const std::string& why) {
    return Error{Code::bad_data, "msgpack, byte " + std::to_string(at) + ": " + why};
  };
  try {
    Builder builder(message, limits);
    std::size_t at = 0;
    const bool whole =
        msgpack::parse(reinterpret_cast<const char*>(bytes.data()), bytes.size(), at, builder);
    if (!builder.why().empty()) return refused(at, builder.why());
    if (builder.insufficient) return refused(bytes.size(), "the message ends before its end");
    if (!whole) return refused(at, "no such type");
    if (at != bytes.size())
      return refused(at, std::to_string(bytes.size() - at) + " bytes after the message");
  } catch (const msgpack::unpack_error& error) {
    return refused(0, error.what());
  }
  return message;
}

void MsgpackWriter::map(std::uint32_t entries) {
  pack(bytes_, [&](auto& to) { to.pack_map(entries); });
}
void MsgpackWriter::list(std::uint32_t entries) {
  pack(bytes_, [&](auto& to) { to.pack_array(entries); });
}
void MsgpackWriter::nil() {
  pack(bytes_, [](auto& to) { to.pack_nil(); });
}
void MsgpackWriter::boolean(bool value) {
  pack(bytes_, [&](auto& to) { value ? to.pack_true() : to.pack_false(); });
}
void MsgpackWriter::integer(std::int64_t value) {
  pack(bytes_, [&](auto& to) { to.pack_int64(value); });
}
void MsgpackWriter::number(double value) {
  pack(bytes_, [&](auto& to) { to.pack_double(value); });
}
void MsgpackWriter::text(std::string_view value) {
  pack(bytes_, [&](auto& to) {
    to.pack_str(static_cast<std::uint32_t>(value.size()));
    to.pack_str_body(value.data(), static_cast<std::uint32_t>(value.size()));
  });
}
void MsgpackWriter::binary(std::span<const std::byte> value) {
  pack(bytes_, [&](auto& to) {
    to.pack_bin(static_cast<std::uint32_t>(value.size()));
    to.pack_bin_body(reinterpret_cast<const char*>(value.data()),
                     static_cast<std::uint32_t>(value.size()));
  });
}

void MsgpackWriter::array(ArrayDialect dialect, std::span<const std::uint64_t> shape,
                          std::span<const float> values) {
  const auto key = [&](std::string_view name) { binary(std::as_bytes(std::span(name))); };
  const auto sizes = [&] {
    list(static_cast<std::uint32_t>(shape.size()));
    for (const std::uint64_t size : shape) integer(static_cast<std::int64_t>(size));
  };
  switch (dialect) {
    case ArrayDialect::openpi:
      map(4);
      key("__ndarray__"), boolean(true);
      key("data"), binary(std::as_bytes(values));
      key("dtype"), text("<f4");
      key("shape"), sizes();
      return;
    case ArrayDialect::msgpack_numpy:
      map(5);
      key("nd"), boolean(true);
      key("type"), text("<f4");
      key("kind"), binary({});
      key("shape"), sizes();
      key("data"), binary(std::as_bytes(values));
      return;
    case ArrayDialect::npy:
    case ArrayDialect::none: {
      map(2);
      text("__ndarray_class__"), boolean(true);
      text("as_npy");
      std::vector<std::byte> file;
      write_npy(file, shape, values);
      binary(file);
      return;
    }
  }
}

std::span<const std::byte> MsgpackWriter::bytes() const noexcept {
  return bytes_;
}
void MsgpackWriter::clear() noexcept {
  bytes_.clear();
}

}  // namespace cambium::formats
