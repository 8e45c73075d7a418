#include "lib/protocol/conflict.hpp"

#include "absl/strings/str_cat.h"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace {

// As in shardway.parked: who has the key can find the note by it.
std::string digest_of(char const* expression) {
  return absl::StrCat("pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(", expression,
                      ", 'UTF8')), 'hex')");
}

text_value or_null(std::string const& text) { return text.empty() ? text_value{} : text_value{text}; }

}  // namespace

std::vector<statement> note_conflict_statements(key_conflict const& met) {
  auto forget = forget_conflicts_statement(met.stream, met.relation, {met.key});
  statement note{
      .sql = absl::StrCat(
          "INSERT INTO shardway.conflict (stream, relation, key_digest, slot, held_slot, version, "
          "held_version, reason) SELECT $1::text, $2::text, ",
          digest_of("$3::text"), ", $4::int4, $5::int4, $6::int8, $7::int8, $8::text"),
      .parameters = {met.stream, met.relation, text_array(met.key), or_null(met.slot), or_null(met.held_slot),
                     or_null(met.version), or_null(met.held_version), met.reason}};
  return {std::move(forget), std::move(note)};
}

statement forget_conflicts_statement(std::string_view stream, std::string_view relation,
                                     std::vector<std::vector<std::string>> const& keys) {
  std::vector<std::string> texts;
  for (auto const& key : keys) texts.push_back(text_array(key));
  return {
      .sql = absl::StrCat("DELETE FROM shardway.conflict WHERE stream = $1::text AND relation = $2::text AND "
                          "key_digest IN (SELECT ",
                          digest_of("k"), " FROM pg_catalog.unnest($3::text[]) AS x (k))"),
      .parameters = {std::string(stream), std::string(relation), text_array(texts)}};
}

statement has_conflicts_statement(std::string_view stream) {
  return {.sql = "SELECT EXISTS (SELECT 1 FROM shardway.conflict WHERE stream = $1::text)",
          .parameters = {std::string(stream)}};
}

statement has_conflict_on_statement(std::string_view stream, std::string_view relation,
                                    std::vector<std::string> const& key) {
  return {.sql = absl::StrCat("SELECT EXISTS (SELECT 1 FROM shardway.conflict WHERE stream = $1::text AND "
                              "relation = $2::text AND key_digest = ",
                              digest_of("$3::text"), ")"),
          .parameters = {std::string(stream), std::string(relation), text_array(key)}};
}

}  // namespace v0
}  // namespace shardway
