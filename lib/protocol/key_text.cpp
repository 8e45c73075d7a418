#include "lib/protocol/key_text.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/protocol/column_lists.hpp"
#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace {

// How a type's output is had without asking the session's settings.
enum class text_form : unsigned char {
  cast,      // the cast to text is the output function
  letter,    // boolean: the output is the first letter of the cast
  printed,   // the cast changes the output: concat calls the output function
  hex,       // bytea, whatever bytea_output says
  settings,  // follows DateStyle, TimeZone, IntervalStyle or extra_float_digits
  unknown,   // may follow any setting
};

// Whether equal values have equal texts, so that the type may be a key.
enum class as_key_rule : unsigned char { never, with_modifier, always };

struct known_type {
  std::string_view name;
  text_form form;
  as_key_rule key;
};

using enum text_form;
using enum as_key_rule;

// AP2, AP9, AP20: what is not in this list is refused as a key. character(n) is padded to n, and numeric(p,s)
// printed with s digits, so that their equal values are the same text.
constexpr std::array known_types{
    known_type{"smallint", cast, always},
    known_type{"integer", cast, always},
    known_type{"bigint", cast, always},
    known_type{"oid", cast, always},
    known_type{"text", cast, always},
    known_type{"character varying", cast, always},
    known_type{"name", cast, always},
    known_type{"uuid", cast, always},
    known_type{"bit", cast, always},
    known_type{"bit varying", cast, always},
    known_type{"macaddr", cast, always},
    known_type{"macaddr8", cast, always},
    known_type{"pg_lsn", cast, always},
    known_type{"time without time zone", cast, always},
    known_type{"time with time zone", cast, always},
    known_type{"numeric", cast, with_modifier},
    known_type{"boolean", letter, always},
    known_type{"character", printed, with_modifier},
    known_type{"inet", printed, always},
    known_type{"cidr", printed, always},
    known_type{"bytea", hex, always},
    known_type{"date", settings, always},
    known_type{"timestamp without time zone", settings, always},
    known_type{"timestamp with time zone", settings, always},
    known_type{"interval", settings, never},
    known_type{"real", settings, never},
    known_type{"double precision", settings, never},
    known_type{"bpchar", printed, never},
    known_type{"\"char\"", printed, never},
    known_type{"json", cast, never},
    known_type{"jsonb", cast, never},
    known_type{"xml", cast, never},
    known_type{"tsvector", cast, never},
    known_type{"tsquery", cast, never},
};

struct type_name {
  std::string plain;  // without its modifier
  bool has_modifier{};
  bool is_array{};
};

// "timestamp(3) with time zone[]": the modifier stands inside the name.
type_name taken_apart(std::string_view type) {
  type_name name{.plain = std::string(type)};
  if (name.plain.ends_with("[]")) {
    name.is_array = true;
    name.plain.resize(name.plain.size() - 2);
  }
  auto const open = name.plain.find('(');
  if (open == std::string::npos || name.plain.find('"') < open) return name;
  auto const close = name.plain.find(')', open);
  if (close == std::string::npos) return name;
  name.plain.erase(open, close - open + 1);
  name.has_modifier = true;
  return name;
}

known_type const* find_known(std::string_view plain) {
  auto const* const found = std::find_if(known_types.begin(), known_types.end(),
                                         [&](known_type const& known) { return known.name == plain; });
  return found == known_types.end() ? nullptr : found;
}

bool follows_settings(text_form form) { return form == settings || form == hex || form == unknown; }

// An array prints its elements with their output functions: the cast is the output, if no element follows a
// setting.
text_form form_of(std::string_view type) {
  auto const name = taken_apart(type);
  auto const* const known = find_known(name.plain);
  if (!known) return unknown;
  if (!name.is_array) return known->form;
  if (known->form == hex) return unknown;
  return follows_settings(known->form) ? known->form : text_form::cast;
}

}  // namespace

bool is_key_type(std::string_view type) {
  auto const name = taken_apart(type);
  auto const* const known = find_known(name.plain);
  if (!known || (name.is_array && follows_settings(known->form))) return false;
  return known->key == always || (known->key == with_modifier && name.has_modifier);
}

std::string_view key_types_in_words() noexcept {
  return "integers, text, varchar, char(n), numeric(p,s), uuid, boolean, bytea, date, time, timestamp, inet, "
         "bit, macaddr, arrays of those that print without settings, domains over them, or enums";
}

std::string value_text_of(std::string_view type, std::string const& expression) {
  switch (form_of(type)) {
    case text_form::cast:
      return absl::StrCat(expression, "::text");
    case text_form::letter:
      return absl::StrCat("pg_catalog.left(", expression, "::text, 1)");
    case text_form::printed:
      return absl::StrCat("CASE WHEN ", expression, " IS NOT NULL THEN pg_catalog.concat(", expression,
                          ") END");
    case text_form::hex:
      return absl::StrCat("(E'\\\\x' OPERATOR(pg_catalog.||) pg_catalog.encode(", expression, ", 'hex'))");
    case text_form::settings:
      return absl::StrCat("CASE WHEN (SELECT shardway.prints_canonically()) THEN ", expression,
                          "::text ELSE shardway.value_text(", expression, ") END");
    case text_form::unknown:
      return absl::StrCat("shardway.value_text(", expression, ")");
  }
  return expression;
}

std::string value_text(column_state const& column, std::string_view prefix) {
  auto const expression = std::string(prefix) + names::quoted(column.name);
  return value_text_of(column.key_type(), expression);
}

std::string key_text_list(table_state const& table, std::vector<std::string> const& columns,
                          std::string_view prefix) {
  return absl::StrJoin(columns, ", ", [&](std::string* text, std::string const& name) {
    auto const* const column = find_column(table, name);
    text->append(column ? value_text(*column, prefix)
                        : value_text_of("text", std::string(prefix) + names::quoted(name)));
  });
}

}  // namespace v0
}  // namespace shardway
