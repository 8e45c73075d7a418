// Splitting a connection into messages, whatever the pieces in which its bytes arrive.
#include "lib/testing/wire_framing.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>

namespace {

using namespace shardway::testing;
using namespace std::string_literals;

std::string number(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift & 0xff));
  return bytes;
}

std::string typed(char type, std::string const& body) {
  return type + number(static_cast<std::uint32_t>(body.size() + 4)) + body;
}
std::string untyped(std::uint32_t code, std::string const& body = {}) {
  return number(static_cast<std::uint32_t>(body.size() + 8)) + number(code) + body;
}

std::vector<wire_message> split(message_splitter& splitter, std::string const& bytes, std::size_t piece) {
  std::vector<wire_message> messages;
  for (std::size_t offset = 0; offset < bytes.size(); offset += piece) {
    splitter.feed(std::string_view(bytes).substr(offset, piece));
    while (auto message = splitter.next()) messages.push_back(*message);
  }
  return messages;
}

TEST(wire_framing, splits_a_client_at_every_piece_size) {
  auto const startup = untyped(196608, "user\0a\0\0"s);
  auto const query = typed('Q', "COMMIT\0"s);
  auto const parse = typed('P', "name\0INSERT INTO t\0\0\0"s);
  auto const all = untyped(80877103) + startup + query + parse;
  for (std::size_t piece = 1; piece <= all.size(); ++piece) {
    message_splitter splitter(true);
    auto const messages = split(splitter, all, piece);
    ASSERT_EQ(messages.size(), 4u) << piece;
    EXPECT_TRUE(messages[0].asks_for_encryption());
    EXPECT_TRUE(messages[1].is_startup());
    EXPECT_EQ(messages[2].text(), "COMMIT");
    EXPECT_EQ(messages[3].text(), "INSERT INTO t");
    EXPECT_EQ(messages[0].bytes + messages[1].bytes + messages[2].bytes + messages[3].bytes, all);
  }
}

TEST(wire_framing, a_cancel_request_is_no_startup) {
  message_splitter splitter(true);
  auto const messages = split(splitter, untyped(80877102, "12345678"), 3);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_FALSE(messages[0].is_startup());
  EXPECT_FALSE(messages[0].asks_for_encryption());
}

TEST(wire_framing, the_answer_to_an_encryption_request_is_one_byte) {
  message_splitter splitter(false);
  splitter.expect_answer();
  auto const messages = split(splitter, "N" + typed('C', "INSERT 0 1\0"s), 2);
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].type, answer_type);
  EXPECT_EQ(messages[1].text(), "INSERT 0 1");
}

TEST(wire_framing, an_unfinished_message_is_kept_whole) {
  message_splitter splitter(false);
  EXPECT_TRUE(split(splitter, "C\0\0"s, 1).empty());
  EXPECT_EQ(splitter.take_rest(), "C\0\0"s);
  EXPECT_TRUE(splitter.is_empty());
}

}  // namespace
