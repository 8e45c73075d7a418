#include "shardway/route/shard_key.hpp"

#include <cstdlib>
#include <new>
#include <vector>

#include <gtest/gtest.h>

#include "shardway/base/write_id.hpp"
#include "shardway/route/slot.hpp"

namespace {
std::size_t allocations = 0;  // of this program; the tests here run in one thread
}
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc{};
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace shardway {
namespace {

template <class T>
constexpr bool is_key = std::is_convertible_v<T, shard_key>;
static_assert(is_key<int> && is_key<short> && is_key<long> && is_key<long long> && is_key<unsigned> &&
              is_key<std::int64_t>);
static_assert(is_key<char const*> && is_key<std::string> && is_key<std::string_view> && is_key<uuid_bytes> &&
              is_key<std::span<std::byte const>>);
static_assert(!is_key<bool> && !is_key<char> && !is_key<double> && !is_key<unsigned long> &&
              !is_key<std::nullptr_t>);

std::vector<std::byte> bytes_of(shard_key const& key) { return {key.bytes().begin(), key.bytes().end()}; }

TEST(shard_key, integers_of_every_width_are_the_same_key) {  // F1
  EXPECT_EQ(shard_key{std::int16_t{-7}}, shard_key{std::int64_t{-7}});
  EXPECT_EQ(shard_key{std::int32_t{-7}}, shard_key::from_text("smallint", "-7").value());
  EXPECT_EQ(bytes_of(-2),
            std::vector<std::byte>({std::byte{255}, std::byte{255}, std::byte{255}, std::byte{255},
                                    std::byte{255}, std::byte{255}, std::byte{255}, std::byte{254}}));
}

TEST(shard_key, of_another_type_is_another_key) {
  EXPECT_NE(shard_key{"a"}, shard_key{std::as_bytes(std::span{"a", 1})});
  EXPECT_NE(shard_key{"1"}, shard_key{1});
}

TEST(shard_key, composite_has_tag_length_and_bytes_of_each_column) {
  shard_key const key{7, "ab"};
  EXPECT_EQ(key.columns(), 2u);
  std::vector<std::byte> const expected{
      std::byte{1}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{8},   std::byte{0},  std::byte{0},
      std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0},   std::byte{7},  std::byte{2},
      std::byte{0}, std::byte{0}, std::byte{0}, std::byte{2}, std::byte{'a'}, std::byte{'b'}};
  EXPECT_EQ(bytes_of(key), expected);
  EXPECT_EQ(key.text_of(0), "7");
  EXPECT_EQ(key.text_of(1), "ab");
  EXPECT_EQ(key.type_of(1), key_type::text);
  EXPECT_NE((shard_key{"a", "bc"}), (shard_key{"ab", "c"}));
}

TEST(shard_key, composite_refuses_what_has_no_form) {
  std::vector<shard_key> const five(5, shard_key{1});
  EXPECT_EQ(shard_key::composite(five).error().code(), error_code::invalid_argument);
  std::vector<shard_key> const nested{shard_key{1, 2}, shard_key{3}};
  EXPECT_FALSE(shard_key::composite(nested));
  EXPECT_FALSE(shard_key::composite({}));
  EXPECT_DEATH((shard_key{shard_key{1, 2}, 3}), "composite");
}

TEST(shard_key, short_keys_do_not_allocate) {
  write_id const id = write_id::from_parts(1, {});
  std::string const forty(40, 'x');
  auto const before = allocations;
  shard_key const integer = 42, uuid = id.bytes(), text = std::string_view{forty}, pair{1, 2};
  auto copy = text;
  auto moved = std::move(copy);
  bool const found =
      shard_key::from_text(key_column::bigint, "42").value() == integer && slot_of(moved) == slot_of(text);
  EXPECT_EQ(allocations, before);
  EXPECT_TRUE(found);
  EXPECT_EQ(uuid.text_of(0), id.to_string());
  EXPECT_EQ(pair.columns(), 2u);
}

TEST(shard_key, long_keys_copy_and_move) {
  std::string const long_text(1000, 'y');
  shard_key key = long_text;
  shard_key copy = key;
  EXPECT_EQ(copy, key);
  shard_key const moved = std::move(copy);
  EXPECT_EQ(moved, key);
  EXPECT_TRUE(copy.empty());  // NOLINT: the moved-from state is what is tested
  copy = moved;
  EXPECT_EQ(copy.text_of(0), long_text);
  copy = 5;
  EXPECT_EQ(copy.text_of(0), "5");
  key = shard_key{key};
  EXPECT_EQ(key, moved);
}

TEST(shard_key, text_form_is_read_strictly) {
  for (auto const& [type, text] :
       std::vector<std::pair<char const*, char const*>>{{"smallint", "32768"},
                                                        {"integer", "2147483648"},
                                                        {"bigint", "9223372036854775808"},
                                                        {"bigint", ""},
                                                        {"bigint", "1 "},
                                                        {"bigint", "+1"},
                                                        {"bigint", "1.0"},
                                                        {"uuid", "017f22e279b07cc398c4dc0c0c07398f"},
                                                        {"bytea", "abc"},
                                                        {"bytea", "\\x1"},
                                                        {"bytea", "\\x1g"},
                                                        {"text", "\xC3\x28"},
                                                        {"text", "\xED\xA0\x80"},
                                                        {"text", "\xC0\x80"},
                                                        {"text", "\xF4\x90\x80\x80"}})
    EXPECT_EQ(shard_key::from_text(type, text).error().code(), error_code::invalid_argument)
        << type << " " << text;
  EXPECT_TRUE(shard_key::from_text("character varying(64)", "x"));
  EXPECT_TRUE(shard_key::from_text("character varying", ""));
  EXPECT_EQ(shard_key::from_text("bytea", "\\x00Ff").value().text_of(0), "\\x00ff");
  EXPECT_EQ(shard_key::from_text("uuid", "017F22E2-79B0-7CC3-98C4-DC0C0C07398F").value().text_of(0),
            "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

TEST(shard_key, refusals_do_not_quote_the_value) {
  EXPECT_EQ(shard_key::from_text("integer", "4111111111111111").error().to_string().find("4111"),
            std::string::npos);
}

TEST(shard_key, other_types_are_refused) {
  for (auto const* type : {"character(10)", "character", "numeric", "name", "timestamp with time zone",
                           "double precision", "citext", "bigint[]", ""})
    EXPECT_EQ(key_column_of(type).error().code(), error_code::invalid_argument) << type;
}

TEST(shard_key, binary_form_gives_the_same_key) {
  auto const bytes = [](std::initializer_list<int> all) {
    std::vector<std::byte> out;
    for (int const byte : all) out.push_back(static_cast<std::byte>(byte));
    return out;
  };
  EXPECT_EQ(shard_key::from_binary("smallint", bytes({255, 254})).value(), shard_key{-2});
  EXPECT_EQ(shard_key::from_binary("integer", bytes({0, 0, 1, 0})).value(), shard_key{256});
  EXPECT_EQ(shard_key::from_binary("bigint", bytes({128, 0, 0, 0, 0, 0, 0, 0})).value(),
            shard_key{INT64_MIN});
  EXPECT_EQ(shard_key::from_binary("text", bytes({'a', 'b'})).value(), shard_key{"ab"});
  EXPECT_FALSE(shard_key::from_binary("integer", bytes({0, 1})));
  EXPECT_FALSE(shard_key::from_binary("uuid", bytes({0, 1})));
  EXPECT_FALSE(shard_key::from_binary("text", bytes({'a', 0})));
}

TEST(shard_key, check_refuses_what_routes_nowhere) {
  EXPECT_FALSE(shard_key{}.check());
  EXPECT_FALSE(shard_key{std::string(8193, 'x')}.check());
  EXPECT_FALSE((shard_key{1, std::string_view{"a\0b", 3}}).check());
  EXPECT_TRUE(shard_key{std::string(8192, 'x')}.check());
  EXPECT_TRUE((shard_key{1, "日本語 🛒"}).check());
}

TEST(key_limits, are_those_of_the_type) {  // AP19
  EXPECT_EQ(key_limits_of("smallint").highest, 32767);
  EXPECT_EQ(key_limits_of("integer").lowest, -2147483648LL);
  EXPECT_EQ(key_limits_of("character varying(5)").characters_max, 5u);
  for (auto const* type : {"bigint", "text", "character varying", "uuid", "bytea", "numeric(4,2)"})
    EXPECT_EQ(key_limits_of(type), key_limits{}) << type;
  EXPECT_TRUE(shard_key::from_text("character varying(3)", "abc"));
  EXPECT_FALSE(shard_key::from_text("character varying(3)", "abc "))
      << "blanks are cut without a word by a cast";
  EXPECT_FALSE(shard_key::from_text("character(3)", "abc"));
  EXPECT_FALSE(shard_key::from_text("smallint", "40000"));
  auto const spelled = shard_key::from_text("uuid", "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}");
  auto const plain = shard_key::from_text("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
  ASSERT_TRUE(plain);
  if (spelled) {
    EXPECT_EQ(spelled.value(), plain.value()) << "one uuid has one key";
  }
}

}  // namespace
}  // namespace shardway
