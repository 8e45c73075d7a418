// Types that may be keys, and values of them as SQL.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace shardway_test {

using generator = std::mt19937_64;

// One type: its name in CREATE TABLE, the type under a domain or enum, and an expression for the i-th value.
struct tested_type {
  std::string type;
  std::string under;
  std::function<std::string(generator&, int)> value{};
  int values_max = 6;
};

inline std::string number_text(std::int64_t value) { return std::to_string(value); }
inline std::int64_t below(generator& random, std::int64_t limit) {
  return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(limit));
}

using value_maker = std::function<std::string(generator&, int)>;

inline std::string an_integer(generator& random, int i) {
  return number_text((i % 2 == 0 ? 1 : -1) * (below(random, 3000) * 8 + i));
}
inline std::string an_unsigned(generator& random, int i) {
  return number_text(below(random, 500000000) * 8 + i);
}
// A quote, a backslash, an accent, NULL's letters, what array_out quotes; the number keeps values apart.
inline std::string a_text(generator& random, int i) {
  std::array<char const*, 7> const pieces{"a''b",      "\\\\",          "\\u00e9", "NULL",
                                          "{x,\"y\"}", " two  blanks ", "t"};
  std::string made = "E'";
  for (int n = 0; n < 2; ++n) made += pieces[static_cast<std::size_t>(below(random, 7))];
  return made + number_text(i) + "'";
}
inline value_maker a_stamp(std::string const& type) {
  return [type](generator& random, int i) -> std::string {
    if (i == 0) return "'infinity'::" + type;
    if (i == 1) return "'-infinity'::" + type;
    if (i == 2) return "'0044-03-15 11:22:33.5 BC'::" + type;
    return "('1999-12-31 23:59:59.123456'::timestamp + " + number_text(below(random, 4000000) * 8 + i) +
           " * '1 minute'::interval)::" + type;
  };
}
inline std::string a_date(generator& random, int i) {
  if (i == 0) return "'infinity'::date";
  if (i == 1) return "'0044-03-15 BC'::date";
  return "('1999-02-03'::date + " + number_text(below(random, 200000) * 8 + i) + ")";
}
inline std::string a_time(generator& random, int i) {
  return "('00:00:00.5'::time + " + number_text(below(random, 9000) * 8 + i) + " * '1 second'::interval)";
}
inline std::string a_zoned_time(generator& random, int i) {
  return "'1" + number_text(i) + ":00:00." + number_text(below(random, 900)) + "+05:30'";
}
inline std::string an_address(generator& random, int i) {
  if (i == 0) return "'::ffff:10.1.2.3'::inet";
  if (i % 2 == 1) return "'10." + number_text(below(random, 250)) + ".0." + number_text(i) + "'::inet";
  return "'2001:db8::" + number_text(below(random, 9000) + 1) + "/" + number_text(100 + i) + "'::inet";
}
inline std::string a_network(generator& random, int i) { return "network(" + an_address(random, i) + ")"; }
inline std::string some_bytes(generator& random, int i) {
  return "decode('" + std::string(i % 2 == 0 ? "5c00ff27" : "") + number_text(10 + below(random, 80)) +
         number_text(10 + i) + "', 'hex')";
}
inline std::string some_digits(generator& random, int i) {
  return number_text(below(random, 90000) * 8 + i) + (i % 3 == 0 ? ".5" : i % 3 == 1 ? ".500" : "");
}
inline std::string a_truth(generator&, int i) { return i == 0 ? "true" : "false"; }
inline std::string a_padded(generator& random, int i) {
  return "E'\\u00e9" + number_text(below(random, 90)) + "." + number_text(i) + (i % 2 == 0 ? "  '" : "'");
}
inline std::string an_uuid(generator& random, int i) {
  return "md5('" + number_text(below(random, 1000000)) + "." + number_text(i) + "')";
}
inline std::string some_bits(generator& random, int i) {
  return "(" + number_text(below(random, 1 << 20) * 8 + i) + ")::bit(24)";
}
inline std::string a_mac(generator& random, int i) {
  return "'08:00:2b:01:0" + number_text(i) + ":" + number_text(10 + below(random, 80)) + "'::macaddr";
}
inline std::string a_position(generator& random, int i) {
  return "'" + number_text(below(random, 90)) + "/" + number_text(1000 + i) + "'";
}
inline std::string a_mood(generator&, int i) {
  return i == 0 ? "'so so'" : i == 1 ? "E'd\\u00e9''ja'" : "'t'";
}
inline value_maker an_array(value_maker element, std::string const& type) {
  return [element = std::move(element), type](generator& random, int i) {
    return "ARRAY[" + element(random, i) + ", " + element(random, i == 0 ? 1 : 0) + "]::" + type + "[]";
  };
}

inline std::vector<tested_type> tested_types() {
  std::vector<tested_type> types{
      {"smallint", {}, an_integer},
      {"integer", {}, an_integer},
      {"bigint", {}, an_integer},
      {"oid", {}, an_unsigned},
      {"text", {}, a_text},
      {"character varying", {}, a_text},
      {"character varying(60)", {}, a_text},
      {"name", {}, a_text},
      {"uuid", {}, an_uuid},
      {"bit(24)", {}, some_bits},
      {"bit varying(40)", {}, some_bits},
      {"macaddr", {}, a_mac},
      {"macaddr8", {}, a_mac},
      {"pg_lsn", {}, a_position},
      {"time without time zone", {}, a_time},
      {"time(2) without time zone", {}, a_time},
      {"time with time zone", {}, a_zoned_time},
      {"numeric(12,3)", {}, some_digits},
      {"numeric(30,0)", {}, an_unsigned},
      {"boolean", {}, a_truth, 2},
      {"character(12)", {}, a_padded},
      {"inet", {}, an_address},
      {"cidr", {}, a_network},
      {"bytea", {}, some_bytes},
      {"date", {}, a_date},
      {"timestamp without time zone", {}, a_stamp("timestamp")},
      {"timestamp(3) without time zone", {}, a_stamp("timestamp")},
      {"timestamp with time zone", {}, a_stamp("timestamptz")},
      {"timestamp(0) with time zone", {}, a_stamp("timestamptz")},
      {"integer[]", {}, an_array(an_integer, "integer")},
      {"text[]", {}, an_array(a_text, "text")},
      {"boolean[]", {}, an_array(a_truth, "boolean"), 2},
      {"inet[]", {}, an_array(an_address, "inet")},
      {"character(12)[]", {}, an_array(a_padded, "character(12)")},
      {"numeric(12,3)[]", {}, an_array(some_digits, "numeric(12,3)")},
      {"uuid[]", {}, an_array(an_uuid, "uuid")},
      {"kt.truth", "boolean", a_truth, 2},
      {"kt.code", "character(12)", a_padded},
      {"kt.day", "date", a_date},
      {"kt.moment", "timestamp with time zone", a_stamp("timestamptz")},
      {"kt.address", "inet", an_address},
      {"kt.digest", "bytea", some_bytes},
      {"kt.numbers", "integer[]", an_array(an_integer, "integer")},
      {"kt.mood", "text", a_mood, 3},
  };
  for (auto& one : types)
    one.value = [value = one.value, type = one.type](generator& random, int i) {
      return "(" + value(random, i) + ")::" + type;
    };
  return types;
}

inline constexpr char own_types[] =
    "CREATE DOMAIN kt.truth AS boolean; CREATE DOMAIN kt.code_0 AS character(12); CREATE DOMAIN kt.code AS "
    "kt.code_0; CREATE DOMAIN kt.day AS date; CREATE DOMAIN kt.moment AS timestamptz; CREATE DOMAIN "
    "kt.address AS inet; CREATE DOMAIN kt.digest AS bytea; CREATE DOMAIN kt.numbers AS integer[]; CREATE "
    "TYPE "
    "kt.mood AS ENUM ('so so', E'd\\u00e9''ja', 't'); ";

}  // namespace shardway_test
