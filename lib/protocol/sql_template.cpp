#include "lib/protocol/sql_template.hpp"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/protocol/names.hpp"
#include "shardway/base/ensure.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::string_view opening = "{{";
constexpr std::string_view closing = "}}";

void ensure_mark(bool condition, sql_template const& file, std::string_view mark, char const* problem) {
  if (condition) return;
  ensure(
      false,
      absl::StrCat("SQL file ", std::string(file.file), ": mark ", std::string(mark), " ", problem).c_str());
}

std::size_t index_of(sql_template const& file, std::vector<sql_value> const& values, std::string_view mark) {
  auto const found =
      std::find_if(values.begin(), values.end(), [&](sql_value const& value) { return value.mark == mark; });
  ensure_mark(found != values.end(), file, mark, "was given no value");
  return static_cast<std::size_t>(found - values.begin());
}

// Enough for a file in which each value stands once.
std::size_t length_of(sql_template const& file, std::vector<sql_value> const& values) {
  auto length = file.text.size();
  for (auto const& value : values) length += value.fragment.text().size();
  return length;
}

}  // namespace

sql_fragment sql_fragment::identifier(std::string_view name) { return sql_fragment(names::quoted(name)); }
sql_fragment sql_fragment::table(std::string_view schema_and_name) {
  return sql_fragment(names::quoted_table(schema_and_name));
}
sql_fragment sql_fragment::literal(std::string_view text) { return sql_fragment(names::literal(text)); }
sql_fragment sql_fragment::number(std::int64_t value) { return sql_fragment(absl::StrCat(value)); }

sql_fragment joined(std::vector<sql_fragment> const& fragments, char const* separator) {
  return sql_fragment::of_quoted(absl::StrJoin(
      fragments, separator,
      [](std::string* text, sql_fragment const& fragment) { absl::StrAppend(text, fragment.text()); }));
}

sql_fragment fill(sql_template const& file, std::vector<sql_value> const& values) {
  std::vector<bool> is_used(values.size());
  std::string sql;
  sql.reserve(length_of(file, values));
  auto rest = file.text;
  for (auto begin = rest.find(opening); begin != rest.npos; begin = rest.find(opening)) {
    auto const end = rest.find(closing, begin);
    ensure_mark(end != rest.npos, file, rest.substr(begin, 20), "is not closed");
    auto const mark = rest.substr(begin + opening.size(), end - begin - opening.size());
    auto const index = index_of(file, values, mark);
    is_used[index] = true;
    sql.append(rest.substr(0, begin)).append(values[index].fragment.text());
    rest.remove_prefix(end + closing.size());
  }
  for (std::size_t i = 0; i < values.size(); ++i)
    ensure_mark(is_used[i], file, values[i].mark, "is not in it");
  return sql_fragment::of_quoted(std::move(sql.append(rest)));
}

sql_fragment fill_function(sql_template const& file, std::vector<sql_value> values) {
  std::string quote = "$f$";
  auto const holds_quote = [&](sql_value const& value) {
    return value.fragment.text().find(quote) != std::string::npos;
  };
  for (int number = 0; std::any_of(values.begin(), values.end(), holds_quote); ++number)
    quote = absl::StrCat("$f", number, "$");
  values.push_back({"quote", sql_fragment::of_quoted(quote)});
  return fill(file, values);
}

}  // namespace v0
}  // namespace shardway
