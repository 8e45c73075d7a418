// What the text of a function says: relations that it names, routines that it calls. A heuristic: PL/pgSQL
// leaves no dependencies in the catalog, so the text is all that can be known beforehand.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

/// A name in the text, as the server would fold it. No schema: it is looked up in search_path.
struct object_name {
  std::string schema, name;
  friend bool operator==(object_name const&, object_name const&) = default;
  friend auto operator<=>(object_name const&, object_name const&) = default;
};

struct body_text {
  std::set<object_name> written;   ///< after INSERT INTO, UPDATE, DELETE FROM, TRUNCATE, MERGE INTO, COPY
  std::set<object_name> read;      ///< after FROM, JOIN and USING
  std::set<object_name> called;    ///< before a parenthesis
  std::set<std::string> assigned;  ///< columns of NEW that it sets; "*" for the whole row
  bool is_dynamic{};               ///< it runs text as SQL
  bool notifies{};                 ///< NOTIFY or pg_notify
};

/// Reads the body of a function in SQL or PL/pgSQL. Comments and literals do not count.
body_text read_body(std::string_view body);

/// Functions in an expression or body whose answers belong to one node, such as "txid_current".
std::vector<std::string> node_local_calls(body_text const&);

/// The schemas of a search_path setting, in order, without "$user".
std::vector<std::string> schemas_of_path(std::string_view search_path);

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
