// What the rules are made of: collecting findings, grammars of names, conninfo. Not public.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shardway/manifest/finding.hpp"

namespace shardway {
inline namespace v0 {

/// Collects findings of one file.
class finder {
 public:
  finder(std::string file, field_positions const& positions)
      : file_(std::move(file)), positions_(&positions) {}
  void add(std::string_view code, std::string_view field, int index, std::string message, std::string hint);
  std::vector<manifest_finding> take() { return std::move(findings_); }

 private:
  std::string file_;
  field_positions const* positions_;
  std::vector<manifest_finding> findings_;
};

/// The name in quotes, fit for a message: control characters and bytes that are no UTF-8 are written as \xNN,
/// and long names are cut.
std::string shown(std::string_view name);

/// M003 to M005: an identifier of PostgreSQL as we accept it. Says whether it is one.
bool check_identifier(finder&, std::string_view field, int index, std::string_view what,
                      std::string_view name);

/// "lookup[2]": the path of one message of a list, in positions.
std::string item_path(std::string_view list, std::size_t item);

/// [a-z][a-z0-9_]*, at most `bytes_max` bytes.
bool is_plain_name(std::string_view name, std::size_t bytes_max) noexcept;

/// Keyword and value of each setting in libpq's keyword form; nothing if the text is not in that form (a URI,
/// an unfinished quote).
std::optional<std::vector<std::pair<std::string, std::string>>> parse_conninfo(std::string_view text);

/// Schema and name of "schema.name"; nothing for another number of dots or an empty half.
std::optional<std::pair<std::string_view, std::string_view>> split_table(std::string_view table) noexcept;

}  // namespace v0
}  // namespace shardway
