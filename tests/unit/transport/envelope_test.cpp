// A router whose peers are ZeroMQ's REQ sockets.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <zmq.hpp>

#include "core/transport/socket.hpp"

namespace cambium::transport {
namespace {

constexpr base::Nanoseconds kPatience = 5 * base::kSecond;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

class EnvelopeTest : public testing::Test {
 protected:
  zmq::socket_t request_socket(int patience_ms = 5000) {
    zmq::socket_t socket(peers_, zmq::socket_type::req);
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::rcvtimeo, patience_ms);
    socket.connect(router_.endpoint());
    return socket;
  }

  // The next thing that is received, whatever it is.
  Status receive() {
    const auto until = base::monotonic_ns() + kPatience;
    for (;;) {
      std::span<const std::byte> bytes;
      const Status got = router_.receive(from_, bytes);
      if (got.code() != Code::stale) {
        text_.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return got;
      }
      if (base::monotonic_ns() > until) return got;
      poller_.wait(50 * base::kMillisecond);
    }
  }

  static std::optional<std::string> answer_to(zmq::socket_t& socket) {
    zmq::message_t message;
    if (!socket.recv(message)) return std::nullopt;
    return message.to_string();
  }

  Context context_;
  zmq::context_t peers_;
  Socket router_ = Socket::bind(context_, SocketKind::router, "tcp://127.0.0.1:0",
                                {.max_message_bytes = 100, .envelope = true, .told_bytes = 200})
                       .value();
  Poller poller_;
  Peer from_;
  std::string text_;

  void SetUp() override { poller_.add(router_); }
};

TEST_F(EnvelopeTest, GivesTheBodyAndAnswersIntoTheEnvelope) {
  auto client = request_socket();
  client.send(zmq::str_buffer("hello"));
  ASSERT_TRUE(receive().ok());
  EXPECT_EQ(text_, "hello");
  EXPECT_EQ(router_.address(), "127.0.0.1");
  ASSERT_TRUE(router_.send(from_, bytes_of("back")).ok());
  EXPECT_EQ(answer_to(client), "back");
}

TEST_F(EnvelopeTest, AnEmptyBodyIsAMessage) {
  auto client = request_socket();
  client.send(zmq::message_t(), zmq::send_flags::none);
  ASSERT_TRUE(receive().ok());
  EXPECT_EQ(text_, "");
}

TEST_F(EnvelopeTest, TellsAMessageThatIsTooLargeAndKeepsItsConnection) {
  auto client = request_socket();
  client.send(zmq::buffer(std::string(150, 'x')));
  EXPECT_EQ(receive().code(), Code::limit);
  ASSERT_TRUE(router_.send(from_, bytes_of("too large")).ok());
  EXPECT_EQ(answer_to(client), "too large");
}

TEST_F(EnvelopeTest, EndsTheConnectionOfAMessageThatNobodyMayHold) {
  auto client = request_socket(300);
  client.send(zmq::buffer(std::string(10'000, 'x')));
  EXPECT_EQ(answer_to(client), std::nullopt);
  auto next = request_socket();
  next.send(zmq::str_buffer("me"));
  ASSERT_TRUE(receive().ok());
  EXPECT_EQ(text_, "me");
}

TEST_F(EnvelopeTest, SeveralFramesAreBadData) {
  auto client = request_socket();
  client.send(zmq::str_buffer("one"), zmq::send_flags::sndmore);
  client.send(zmq::str_buffer("two"));
  EXPECT_EQ(receive().code(), Code::bad_data);
  ASSERT_TRUE(router_.send(from_, bytes_of("one frame")).ok());
  EXPECT_EQ(answer_to(client), "one frame");
}

TEST_F(EnvelopeTest, AMessageWithoutAnEnvelopeIsBadData) {
  zmq::socket_t dealer(peers_, zmq::socket_type::dealer);
  dealer.set(zmq::sockopt::linger, 0);
  dealer.connect(router_.endpoint());
  dealer.send(zmq::str_buffer("bare"));
  EXPECT_EQ(receive().code(), Code::bad_data);
}

TEST_F(EnvelopeTest, ReachesAnIdlePeerThatNeverSeesIt) {
  auto client = request_socket();
  for (const char* word : {"1", "2"}) {
    client.send(zmq::buffer(std::string_view(word)));
    ASSERT_TRUE(receive().ok());
    EXPECT_EQ(text_, word);
    ASSERT_TRUE(router_.send(from_, bytes_of(word)).ok());
    EXPECT_EQ(answer_to(client), word);
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(router_.reaches(from_));
  }
}

TEST_F(EnvelopeTest, ReachesAPeerThatWaitsAndGetsItsAnswerAllTheSame) {
  auto client = request_socket();
  client.send(zmq::str_buffer("hello"));
  ASSERT_TRUE(receive().ok());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(router_.reaches(from_));
  ASSERT_TRUE(router_.send(from_, bytes_of("back")).ok());
  EXPECT_EQ(answer_to(client), "back");
}

TEST_F(EnvelopeTest, DoesNotReachAPeerThatWentWithoutAWord) {
  {
    auto client = request_socket();
    client.send(zmq::str_buffer("hello"));
    ASSERT_TRUE(receive().ok());
    EXPECT_TRUE(router_.reaches(from_));
  }
  const auto until = base::monotonic_ns() + kPatience;
  while (router_.reaches(from_)) {
    ASSERT_LT(base::monotonic_ns(), until) << "still thought to be there";
    poller_.wait(10 * base::kMillisecond);
  }
}

}  // namespace
}  // namespace cambium::transport
