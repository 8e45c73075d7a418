// SQL files with named marks, and the one function that fills them. The files are in lib/protocol/sql; the
// build makes a constant `sql::<name>` of each (sql_files.hpp).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace shardway {
inline namespace v0 {

/// A piece of SQL in which every name from a user is quoted. Only such pieces fill a mark, so that a name
/// cannot get into a statement unquoted by mistake.
class sql_fragment {
 public:
  static sql_fragment identifier(std::string_view name);
  /// "schema.name" of a manifest, as a qualified identifier.
  static sql_fragment table(std::string_view schema_and_name);
  static sql_fragment literal(std::string_view text);
  static sql_fragment number(std::int64_t value);
  /// SQL that the caller composed of quoted names and constants. Review every call.
  static sql_fragment of_quoted(std::string sql) { return sql_fragment(std::move(sql)); }

  std::string const& text() const& noexcept { return text_; }
  std::string text() && noexcept { return std::move(text_); }
  sql_fragment& operator+=(sql_fragment const& more) {
    text_ += more.text_;
    return *this;
  }

 private:
  explicit sql_fragment(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

/// The fragments with a separator such as ", " or " AND " between them.
sql_fragment joined(std::vector<sql_fragment> const&, char const* separator);

/// One file: its name, for messages, and its text. A mark in it is a name in two pairs of braces: {{table}}.
struct sql_template {
  std::string_view file;
  std::string_view text;
};

struct sql_value {
  std::string_view mark;
  sql_fragment fragment;
};

/// The text with each mark replaced by its value. What a value holds is not searched for marks.
/// Preconditions: every mark has a value and every value a mark; else the program ends with a message that
/// names both file and mark.
sql_fragment fill(sql_template const&, std::vector<sql_value> const&);
/// The same for a function whose body holds names of users: the mark `quote`, at both ends of the body,
/// becomes a dollar quote that no value holds.
sql_fragment fill_function(sql_template const&, std::vector<sql_value>);

}  // namespace v0
}  // namespace shardway
