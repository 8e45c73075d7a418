#include "lib/pg/binary_copy.hpp"

#include <tuple>

#include <gtest/gtest.h>

#include "bytes.hpp"

namespace shardway {
namespace {

struct seen_tuple {
  std::string bytes;
  std::vector<std::optional<std::string>> fields;
  friend bool operator==(seen_tuple const&, seen_tuple const&) = default;
};

std::string header(std::string_view extension = {}, std::uint32_t flags = 0) {
  return bytes_builder{}.raw(std::string_view{"PGCOPY\n\377\r\n\0", 11}).n4(flags).sized(extension).text();
}

// Three columns: an int4, a text that may be NULL, a text that may be empty.
std::string tuple(std::uint32_t id, std::optional<std::string> note, std::string_view rest) {
  bytes_builder made;
  made.n2(3).n4(4).n4(id);
  note ? made.sized(*note) : made.n4(0xFFFFFFFF);
  return made.sized(rest).text();
}

result<std::vector<seen_tuple>> split(std::vector<std::string> const& pieces, binary_copy_options options) {
  BOOST_OUTCOME_TRY(auto splitter, binary_copy_splitter::make(std::move(options)));
  std::vector<seen_tuple> seen;
  for (auto const& piece : pieces) {
    splitter.feed(std::as_bytes(std::span{piece}));
    for (;;) {
      BOOST_OUTCOME_TRY(auto const one, splitter.next());
      if (!one) break;
      seen.push_back({text_of(one->bytes), {}});
      for (auto const& field : one->fields)
        seen.back().fields.push_back(field ? std::optional{text_of(*field)} : std::nullopt);
    }
  }
  BOOST_OUTCOME_TRYV(splitter.finish());
  return seen;
}

binary_copy_options const three{.columns = 3, .chosen = {1, 0}};

struct sample {
  std::string stream;
  std::vector<seen_tuple> tuples;
};

sample make_sample() {
  auto const a = tuple(7, "note", "");
  auto const b = tuple(8, std::nullopt, std::string(40, 'x'));
  auto const c = tuple(9, "", "z");
  auto const key = [](std::uint32_t id) { return bytes_builder{}.n4(id).text(); };
  return {header("ext") + a + b + c + "\377\377",
          {{a, {"note", key(7)}}, {b, {std::nullopt, key(8)}}, {c, {"", key(9)}}}};
}

TEST(BinaryCopy, OnePieceYieldsEveryTupleAndChosenField) {
  auto const [stream, tuples] = make_sample();
  EXPECT_EQ(split({stream}, three).value(), tuples);
}

TEST(BinaryCopy, ACutAtAnyByteChangesNothing) {
  auto const [stream, tuples] = make_sample();
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    auto const seen = split({stream.substr(0, cut), stream.substr(cut)}, three);
    ASSERT_TRUE(seen) << cut << ": " << seen.error().message();
    EXPECT_EQ(seen.value(), tuples) << cut;
  }
}

TEST(BinaryCopy, TwoCutsAtAnyBytesChangeNothing) {
  auto const [stream, tuples] = make_sample();
  for (std::size_t first = 0; first <= stream.size(); ++first) {
    for (std::size_t second = first; second <= stream.size(); ++second) {
      auto const seen = split(
          {stream.substr(0, first), stream.substr(first, second - first), stream.substr(second)}, three);
      ASSERT_TRUE(seen && seen.value() == tuples) << first << " " << second;
    }
  }
}

TEST(BinaryCopy, ByteByByte) {
  auto const [stream, tuples] = make_sample();
  std::vector<std::string> pieces;
  for (char c : stream) pieces.emplace_back(1, c);
  EXPECT_EQ(split(pieces, three).value(), tuples);
}

TEST(BinaryCopy, AnyPrefixIsRefusedAtTheEnd) {
  auto const stream = make_sample().stream;
  for (std::size_t size = 0; size < stream.size(); ++size)
    EXPECT_FALSE(split({stream.substr(0, size)}, three)) << size;
}

TEST(BinaryCopy, WholeTuplesAreShownWhereTheyLie) {
  auto const stream = header() + tuple(1, "a", "b");
  auto splitter = binary_copy_splitter::make(three).value();
  splitter.feed(std::as_bytes(std::span{stream}));
  auto const one = splitter.next().value();
  ASSERT_TRUE(one);
  EXPECT_EQ(reinterpret_cast<char const*>(one->bytes.data()), stream.data() + 19);
}

TEST(BinaryCopy, MalformedInputIsRefused) {
  auto const good = tuple(1, "a", "b");
  auto bad_length = good;
  bad_length[2] = '\xff';
  bad_length[5] = '\xfe';
  std::vector<std::string> const streams{
      "PGCOPY\n\377\r\n!" + std::string(8, '\0'),                     // signature
      header({}, 1U << 16),                                           // row OIDs of old servers
      header() + bytes_builder{}.n2(2).sized("a").sized("b").text(),  // column count
      header() + bad_length,                                          // length -2
      header() + good + "\377\377" + "x",                             // after the end
  };
  for (std::size_t i = 0; i < streams.size(); ++i) {
    auto const seen = split({streams[i]}, three);
    ASSERT_FALSE(seen) << i;
    EXPECT_EQ(seen.error().code(), error_code::protocol_violation) << i;
  }
}

TEST(BinaryCopy, ATupleLargerThanTheLimitIsRefusedBeforeItIsHeld) {  // W27
  auto options = three;
  options.tuple_bytes_max = 64;
  auto const fits = tuple(1, std::nullopt, std::string(64 - 18, 'x'));
  ASSERT_EQ(fits.size(), 64U);
  EXPECT_TRUE(split({header() + fits + "\377\377"}, options));
  auto const announced = header() + bytes_builder{}.n2(3).n4(0x7FFFFFFF).text();
  auto const seen = split({announced}, options);
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().code(), error_code::invalid_argument);
}

TEST(BinaryCopy, AnErrorStays) {
  auto splitter = binary_copy_splitter::make(three).value();
  std::string const bad(19, 'x');
  splitter.feed(std::as_bytes(std::span{bad}));
  EXPECT_FALSE(splitter.next());
  auto const good = make_sample().stream;
  splitter.feed(std::as_bytes(std::span{good}));
  EXPECT_FALSE(splitter.next());
  EXPECT_FALSE(splitter.finish());
}

TEST(BinaryCopy, BadOptionsAreNamed) {
  for (auto const& options : {binary_copy_options{}, binary_copy_options{.columns = 1665},
                              binary_copy_options{.columns = 2, .chosen = {2}},
                              binary_copy_options{.columns = 1, .chosen = {}, .tuple_bytes_max = 0}}) {
    auto const made = binary_copy_splitter::make(options);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code(), error_code::invalid_argument);
  }
}

TEST(BinaryCopy, HeaderAndTrailerForWritingAreReadBack) {
  auto const stream = text_of(binary_copy_header) + tuple(1, "a", "b") + text_of(binary_copy_trailer);
  EXPECT_EQ(split({stream}, three).value().size(), 1U);
}

}  // namespace
}  // namespace shardway
