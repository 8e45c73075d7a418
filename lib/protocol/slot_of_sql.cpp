// XXH32 in PL/pgSQL. All arithmetic is modulo 2^32 in bigint: a value below 2^32 times a prime written as a
// signed 32-bit number always fits.
#include "lib/protocol/slot_of.hpp"
#include "shardway/base/ensure.hpp"

namespace shardway {
inline namespace v0 {
namespace {

// In the text below {+} stands for OPERATOR(pg_catalog.+) and {#} for the `#` of pg_catalog, so that no
// search_path changes what they mean. Such operators all have one precedence: every pair is in parentheses.
// The five primes of the hash, first to last: -1640531535, -2048144777, -1028477379, 668265263, 374761393.
constexpr std::string_view hash_sql = R"sql(
CREATE OR REPLACE FUNCTION shardway.xxh32(input bytea) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $body$
DECLARE
  data bytea := input;
  n integer := pg_catalog.octet_length(input);
  i integer := 0;
  h bigint; a bigint; b bigint; c bigint; d bigint;
BEGIN
  IF n {>} 1000 THEN
    data := (input {||} pg_catalog.decode('', 'hex'));  -- a compressed value is unpacked once, not for each byte
  END IF;
  IF n {>=} 16 THEN
    a := 606290984; b := 2246822519; c := 0; d := 1640531535;
    WHILE i {<=} (n {-} 16) LOOP
      a := ((a {+} (@0@ {*} -2048144777)) {&} 4294967295);
      a := (((((a {<<} 13) {|} (a {>>} 19)) {&} 4294967295) {*} -1640531535) {&} 4294967295);
      b := ((b {+} (@4@ {*} -2048144777)) {&} 4294967295);
      b := (((((b {<<} 13) {|} (b {>>} 19)) {&} 4294967295) {*} -1640531535) {&} 4294967295);
      c := ((c {+} (@8@ {*} -2048144777)) {&} 4294967295);
      c := (((((c {<<} 13) {|} (c {>>} 19)) {&} 4294967295) {*} -1640531535) {&} 4294967295);
      d := ((d {+} (@12@ {*} -2048144777)) {&} 4294967295);
      d := (((((d {<<} 13) {|} (d {>>} 19)) {&} 4294967295) {*} -1640531535) {&} 4294967295);
      i := (i {+} 16);
    END LOOP;
    h := (((((a {<<} 1) {|} (a {>>} 31)) {&} 4294967295) {+} (((b {<<} 7) {|} (b {>>} 25)) {&} 4294967295))
          {+} ((((c {<<} 12) {|} (c {>>} 20)) {&} 4294967295) {+} (((d {<<} 18) {|} (d {>>} 14)) {&} 4294967295)));
  ELSE
    h := 374761393;
  END IF;
  h := ((h {+} n) {&} 4294967295);
  WHILE i {<=} (n {-} 4) LOOP
    h := ((h {+} (@0@ {*} -1028477379)) {&} 4294967295);
    h := (((((h {<<} 17) {|} (h {>>} 15)) {&} 4294967295) {*} 668265263) {&} 4294967295);
    i := (i {+} 4);
  END LOOP;
  WHILE i {<} n LOOP
    h := ((h {+} (CAST(pg_catalog.get_byte(data, i) AS pg_catalog.int8) {*} 374761393)) {&} 4294967295);
    h := (((((h {<<} 11) {|} (h {>>} 21)) {&} 4294967295) {*} -1640531535) {&} 4294967295);
    i := (i {+} 1);
  END LOOP;
  h := (((h {#} (h {>>} 15)) {*} -2048144777) {&} 4294967295);
  h := (((h {#} (h {>>} 13)) {*} -1028477379) {&} 4294967295);
  RETURN (h {#} (h {>>} 16));
END $body$;

-- The commonest key has its own form: the two lanes of its eight bytes come from the number itself.
CREATE OR REPLACE FUNCTION shardway.slot_of(key bigint) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $body$
DECLARE
  h bigint;
BEGIN
  h := ((374761401 {+} (((((key {>>} 56) {&} 255) {|} ((key {>>} 40) {&} 65280))
        {|} (((key {>>} 24) {&} 16711680) {|} ((key {>>} 8) {&} 4278190080))) {*} -1028477379)) {&} 4294967295);
  h := ((((((h {<<} 17) {|} (h {>>} 15)) {&} 4294967295) {*} 668265263) {+} (((((key {>>} 24) {&} 255) {|} ((key {>>} 8) {&} 65280))
        {|} (((key {<<} 8) {&} 16711680) {|} ((key {<<} 24) {&} 4278190080))) {*} -1028477379)) {&} 4294967295);
  h := (((((h {<<} 17) {|} (h {>>} 15)) {&} 4294967295) {*} 668265263) {&} 4294967295);
  h := (((h {#} (h {>>} 15)) {*} -2048144777) {&} 4294967295);
  h := (((h {#} (h {>>} 13)) {*} -1028477379) {&} 4294967295);
  RETURN ((h {#} (h {>>} 16)) {&} 4095);
END $body$;
)sql";

constexpr std::string_view types_sql = R"sql(
CREATE OR REPLACE FUNCTION shardway.key_bytes(key bigint) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$ SELECT pg_catalog.int8send($1) $body$;
CREATE OR REPLACE FUNCTION shardway.key_bytes(key integer) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$ SELECT pg_catalog.int8send(CAST($1 AS pg_catalog.int8)) $body$;
CREATE OR REPLACE FUNCTION shardway.key_bytes(key smallint) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$ SELECT pg_catalog.int8send(CAST($1 AS pg_catalog.int8)) $body$;
CREATE OR REPLACE FUNCTION shardway.key_bytes(key uuid) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$ SELECT pg_catalog.uuid_send($1) $body$;
CREATE OR REPLACE FUNCTION shardway.key_bytes(key bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$ SELECT $1 $body$;
-- PL/pgSQL, since convert_to is declared STABLE and an SQL function around it would not be inlined.
CREATE OR REPLACE FUNCTION shardway.key_bytes(key text) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $body$ BEGIN RETURN pg_catalog.convert_to(key, 'UTF8'); END $body$;
CREATE OR REPLACE FUNCTION shardway.key_bytes(key varchar) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$ SELECT shardway.key_bytes(CAST($1 AS pg_catalog.text)) $body$;
CREATE OR REPLACE FUNCTION shardway.key_bytes(key character) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $body$ BEGIN
  RAISE EXCEPTION 'a value of type character(n) cannot be a shard key' USING ERRCODE = 'feature_not_supported',
    HINT = 'Its blanks make two texts of one key: use text or character varying.';
END $body$;

CREATE OR REPLACE FUNCTION shardway.slot_of(key integer) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$ SELECT shardway.slot_of(CAST($1 AS pg_catalog.int8)) $body$;
CREATE OR REPLACE FUNCTION shardway.slot_of(key smallint) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$ SELECT shardway.slot_of(CAST($1 AS pg_catalog.int8)) $body$;
CREATE OR REPLACE FUNCTION shardway.slot_of(key bytea) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $body$ BEGIN RETURN (shardway.xxh32(key) {&} 4095); END $body$;
CREATE OR REPLACE FUNCTION shardway.slot_of(key uuid) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $body$ BEGIN RETURN (shardway.xxh32(pg_catalog.uuid_send(key)) {&} 4095); END $body$;
CREATE OR REPLACE FUNCTION shardway.slot_of(key text) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $body$
BEGIN RETURN (shardway.xxh32(pg_catalog.convert_to(key, 'UTF8')) {&} 4095); END $body$;
CREATE OR REPLACE FUNCTION shardway.slot_of(key varchar) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$ SELECT shardway.slot_of(CAST($1 AS pg_catalog.text)) $body$;
CREATE OR REPLACE FUNCTION shardway.slot_of(key character) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $body$ BEGIN RETURN (shardway.xxh32(shardway.key_bytes(key)) {&} 4095); END $body$;
)sql";

// A column of a composite key: tag, length, bytes.
constexpr std::string_view parts_sql = R"sql(
CREATE OR REPLACE FUNCTION shardway.key_part(tag integer, value bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$
  SELECT ((pg_catalog.substr(pg_catalog.int4send($1), 4) {||} pg_catalog.int4send(pg_catalog.octet_length($2))) {||} $2) $body$;
CREATE OR REPLACE FUNCTION shardway.key_part(key bigint) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$ SELECT shardway.key_part(1, pg_catalog.int8send($1)) $body$;
CREATE OR REPLACE FUNCTION shardway.key_part(key integer) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$ SELECT shardway.key_part(CAST($1 AS pg_catalog.int8)) $body$;
CREATE OR REPLACE FUNCTION shardway.key_part(key smallint) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$ SELECT shardway.key_part(CAST($1 AS pg_catalog.int8)) $body$;
CREATE OR REPLACE FUNCTION shardway.key_part(key text) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $body$ BEGIN RETURN shardway.key_part(2, pg_catalog.convert_to(key, 'UTF8')); END $body$;
CREATE OR REPLACE FUNCTION shardway.key_part(key varchar) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$ SELECT shardway.key_part(CAST($1 AS pg_catalog.text)) $body$;
CREATE OR REPLACE FUNCTION shardway.key_part(key character) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $body$ BEGIN RETURN shardway.key_bytes(key); END $body$;
CREATE OR REPLACE FUNCTION shardway.key_part(key uuid) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$ SELECT shardway.key_part(3, pg_catalog.uuid_send($1)) $body$;
CREATE OR REPLACE FUNCTION shardway.key_part(key bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$ SELECT shardway.key_part(4, $1) $body$;

-- A NULL part makes the whole NULL, as for one column.
CREATE OR REPLACE FUNCTION shardway.slot_of_parts(VARIADIC parts bytea[]) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $body$
DECLARE
  whole bytea := pg_catalog.decode('', 'hex');
  part bytea;
BEGIN
  FOREACH part IN ARRAY parts LOOP
    whole := (whole {||} part);
  END LOOP;
  RETURN (shardway.xxh32(whole) {&} 4095);
END $body$;
)sql";

/// Four bytes of `data` from `i + offset` as a little-endian number: negative where the top bit is set, which
/// is the same modulo 2^32.
std::string lane(std::string_view offset) {
  auto const byte = [&](int more) {
    std::string const at = "(i {+} " + std::to_string(std::stoi(std::string{offset}) + more) + ")";
    std::string const got = "pg_catalog.get_byte(data, " + at + ")";
    return more == 0 ? got : "(" + got + " {<<} " + std::to_string(8 * more) + ")";
  };
  return "CAST(((" + byte(0) + " {|} " + byte(1) + ") {|} (" + byte(2) + " {|} " + byte(3) +
         ")) AS pg_catalog.int8)";
}

/// Replaces what stands between each pair of `open` and `close`, where it is short enough to be a mark.
template <class Replacement>
std::string replace_marks(std::string_view text, char open, char close, Replacement replacement) {
  std::string out;
  while (!text.empty()) {
    auto const from = text.find(open);
    out.append(text.substr(0, from));
    if (from == std::string_view::npos) break;
    auto const to = text.find(close, from + 1);
    ensure(to != std::string_view::npos && to - from <= 3, "the marks in our SQL come in pairs");
    out.append(replacement(text.substr(from + 1, to - from - 1)));
    text.remove_prefix(to + 1);
  }
  return out;
}

std::string build() {
  auto const lanes = replace_marks(hash_sql, '@', '@', [](std::string_view offset) { return lane(offset); });
  auto const all = lanes + std::string{types_sql} + std::string{parts_sql};
  return replace_marks(all, '{', '}', [](std::string_view symbol) {
    return "OPERATOR(pg_catalog." + std::string{symbol} + ")";
  });
}

}  // namespace

std::string_view slot_of_sql() {
  static std::string const text = build();
  return text;
}

std::string slot_of_call(std::span<std::string const> columns) {
  ensure(!columns.empty() && columns.size() <= 4, "a shard key has one to four columns");
  if (columns.size() == 1) return "shardway.slot_of(" + columns.front() + ")";
  std::string call = "shardway.slot_of_parts(";
  for (auto const& column : columns)
    call.append(&column == columns.data() ? "" : ", ").append("shardway.key_part(" + column + ")");
  return call + ")";
}

}  // namespace v0
}  // namespace shardway
