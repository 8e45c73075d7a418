#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/protocol/slot_of.hpp"
#include "lib/protocol/sql_template.hpp"
#include "shardway/base/ensure.hpp"
#include "sql_files.hpp"

namespace shardway {
inline namespace v0 {
namespace {

sql_value operator_of(std::string_view symbol) {
  return {symbol, sql_fragment::of_quoted(absl::StrCat("OPERATOR(pg_catalog.", std::string(symbol), ")"))};
}

// Four bytes of `data` from `i + offset` as a little-endian number: negative where the top bit is set, which
// is the same modulo 2^32.
sql_fragment word_at(int offset) {
  auto const byte = [&](int index) { return sql_fragment::number(offset + index); };
  return fill(sql::slot_of_word, {operator_of("+"),
                                  operator_of("|"),
                                  operator_of("<<"),
                                  {"first", byte(0)},
                                  {"second", byte(1)},
                                  {"third", byte(2)},
                                  {"fourth", byte(3)}});
}

std::string build() {
  std::vector<sql_value> values;
  for (auto const symbol : {"+", "-", "*", "&", "|", "#", "||", "<", "<=", ">", ">=", "<<", ">>"})
    values.push_back(operator_of(symbol));
  values.push_back({"word_0", word_at(0)});
  values.push_back({"word_4", word_at(4)});
  values.push_back({"word_8", word_at(8)});
  values.push_back({"word_12", word_at(12)});
  return fill(sql::slot_of, values).text();
}

}  // namespace

std::string_view slot_of_sql() {
  static std::string const text = build();
  return text;
}

std::string slot_of_call(std::span<std::string const> columns) {
  ensure(!columns.empty() && columns.size() <= 4, "a shard key has one to four columns");
  if (columns.size() == 1) return absl::StrCat("shardway.slot_of(", columns.front(), ")");
  auto const part = [](std::string* text, std::string const& column) {
    absl::StrAppend(text, "shardway.key_part(", column, ")");
  };
  return absl::StrCat("shardway.slot_of_parts(", absl::StrJoin(columns, ", ", part), ")");
}

}  // namespace v0
}  // namespace shardway
