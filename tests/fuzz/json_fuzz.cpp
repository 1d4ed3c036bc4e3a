// What a plain JSON client sends: a stream of lines, each of them a message that is taken whole or
// refused in a sentence, which is JSON itself.
#include <nlohmann/json.hpp>
#include <set>

#include "core/adapters/json/line_reader.hpp"
#include "core/adapters/json/long_texts.hpp"
#include "core/adapters/json/reply.hpp"
#include "core/adapters/json/request.hpp"
#include "tests/fuzz/arrays.hpp"
#include "tests/fuzz/target.hpp"

namespace {

using namespace cambium;

void message(std::string_view text) {
  adapters::Request request;
  adapters::Refusal why;
  const bool taken = adapters::read_request(text, request, why);
  fuzz::promise(taken == why.message.empty(), "a refusal has a sentence");
  const std::string answer = adapters::write_refusal(request.id, why);
  fuzz::promise(answer.find('\n') == std::string::npos, "an answer is one line");
  const auto json = nlohmann::json::parse(answer, nullptr, false);
  fuzz::promise(json.is_object() && json.contains("error"), "an answer is JSON");
  fuzz::promise(json.contains("id") == !request.id.empty(), "an answer has the message's id");
  if (!taken) return;
  std::set<std::string> keys;
  for (const auto& reading : request.readings) {
    const auto numbers = std::as_bytes(std::span(reading.numbers));
    fuzz::sound(reading.array, reading.packed.empty() ? numbers : reading.packed);
    fuzz::promise(keys.insert(reading.key).second, "keys are there once");
  }
}

void long_texts(std::string_view text) {
  std::string rest, whole;
  const auto taken = adapters::take_long_texts(text, 3, rest);
  std::size_t at = 0;
  for (const auto& one : taken) {
    fuzz::promise(one.text.size() > 3, "short texts stay where they are");
    whole.append(rest, at, one.at - at).append(one.text);
    at = one.at;
  }
  whole.append(rest, at);
  fuzz::promise(taken.empty() || whole == text, "what is taken out has its place");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text(data, size);
  message(text);
  long_texts(text);
  constexpr std::size_t kLongest = 200, kPiece = 37;
  adapters::LineReader lines(kLongest);
  for (std::size_t at = 0; at < text.size(); at += kPiece) {
    lines.add(text.substr(at, kPiece));
    for (;;) {
      std::string_view line;
      const auto found = lines.next(line);
      if (found == adapters::LineReader::Found::endless) return 0;
      if (found == adapters::LineReader::Found::nothing) break;
      if (found != adapters::LineReader::Found::line) continue;
      fuzz::promise(!line.empty() && line.size() <= kLongest, "a line is bounded");
      fuzz::promise(line.find('\n') == std::string_view::npos, "a line is one");
      message(line);
    }
  }
  return 0;
}
