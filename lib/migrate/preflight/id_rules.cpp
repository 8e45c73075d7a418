// Sequences and what else gives ids.
#include <algorithm>
#include <limits>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "lib/migrate/preflight/fix.hpp"
#include "lib/migrate/preflight/rules.hpp"
#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {
namespace {

using names::quoted;

// What onboarding leaves free above the highest id, and how many ids each node should have at least.
constexpr std::int64_t onboarding_margin = 10'000;
constexpr std::int64_t ids_wanted = 1'000'000;

std::string quoted_name(sequence_facts const& sequence) {
  return quoted(sequence.schema) + '.' + quoted(sequence.name);
}

std::string alter_sequence(sequence_facts const& sequence, std::string const& what) {
  return fix::sql(absl::StrCat("ALTER SEQUENCE ", quoted_name(sequence), " ", what));
}

struct used_sequence {
  sequence_facts const* sequence{};
  sequence_use const* use{};
};

std::vector<used_sequence> sequences_of(table_case const& table) {
  std::vector<used_sequence> out;
  for (auto const& sequence : table.source.sequences)
    for (auto const& use : sequence.uses)
      if (use.table == table.name()) out.push_back({&sequence, &use});
  return out;
}

sequence_facts const* sequence_named(source_facts const& source, std::string name) {
  std::erase(name, '"');
  for (auto const& sequence : source.sequences)
    if (sequence.full_name() == name || sequence.name == name) return &sequence;
  return nullptr;
}

std::int64_t highest_of(std::string_view type) {
  if (type == "smallint") return std::numeric_limits<std::int16_t>::max();
  if (type == "integer") return std::numeric_limits<std::int32_t>::max();
  return std::numeric_limits<std::int64_t>::max();
}

void check_step(table_case const& table, sequence_facts const& sequence, finding_list& out, bool& clean) {
  auto const stride = std::int64_t{table.manifest.id_stride};
  if (sequence.increment < 1) {
    clean = false;
    return out.fail("sequence_direction", sequence.full_name(), "it counts down; interleaved ids count up",
                    "make it count up from above every id there is");
  }
  if (sequence.last && *sequence.last < 0) {
    clean = false;
    out.fail("sequence_direction", sequence.full_name(),
             "it gives negative ids: their remainders would not keep the nodes apart",
             "let it go on from above zero: ALTER SEQUENCE ... RESTART");
  }
  // One that steps by the stride or a multiple of it may be ours already.
  if (sequence.increment == 1 || sequence.increment % stride == 0) return;
  clean = false;
  out.warn("sequence_increment", sequence.full_name(),  // AS5
           absl::StrCat("it steps by ", sequence.increment, ", as for clients that take blocks of ",
                        sequence.increment, " ids: interleaved it steps by ", sequence.increment * stride,
                        ", and each node gives out whole blocks"),
           fix::any_of({alter_sequence(sequence, "INCREMENT BY 1"),
                        "only if no client takes more than one id from each value"}));
}

// AS26. Each node takes every stride-th id.
void check_room(table_case const& table, used_sequence const& used, finding_list& out, bool& clean) {
  auto const& sequence = *used.sequence;
  if (!sequence.is_readable) {
    clean = false;
    return out.fail("sequence_access", sequence.full_name(),
                    "its last value could not be checked: the engine's role may not read it",
                    fix::sql(absl::StrCat("GRANT SELECT, USAGE ON SEQUENCE ", quoted_name(sequence), " TO ",
                                          quoted(table.migration.engine_role))));
  }
  auto const highest = std::min(sequence.maximum, highest_of(used.use->column_type));
  auto const last = sequence.last.value_or(0);
  auto const room = highest - std::max<std::int64_t>(last, 0);
  auto const each = std::max<std::int64_t>(room - onboarding_margin, 0) / table.manifest.id_stride;
  if (each >= ids_wanted) return;
  clean = false;
  out.fail("sequence_room", sequence.full_name(),
           absl::StrCat("column ", used.use->column, " (", used.use->column_type, ") ends at ", highest,
                        ", its last id is ", last, ": with stride ", table.manifest.id_stride,
                        " each node has ", each, " ids left, and ", ids_wanted, " are wanted"),
           fix::any_of({fix::sql(absl::StrCat("ALTER TABLE ", names::quoted_table(table.name()),
                                              " ALTER COLUMN ", quoted(used.use->column), " TYPE bigint")),
                        alter_sequence(sequence, "AS bigint"),
                        fix::manifest(table.name(), "ids { strategy: LEASED }"),
                        "for LEASED drop the column's default as well"}));
}

void check_shared(table_case const& table, used_sequence const& used, finding_list& out, bool& clean) {
  auto const& sequence = *used.sequence;
  for (auto const& other : sequence.uses) {
    if (other.table == table.name()) continue;
    clean = false;
    auto const* manifest = table.find(other.table);
    if (!manifest)
      out.warn("sequence_shared", sequence.full_name(),
               absl::StrCat(other.table, ", which is not moved, takes ids from it too: they will step by ",
                            table.manifest.id_stride),
               "give that table a sequence of its own, if that is not meant");
    else if (manifest->ids != table.manifest.ids || manifest->id_stride != table.manifest.id_stride)
      out.fail("sequence_shared", sequence.full_name(),
               absl::StrCat(table.name(), " and ", other.table,
                            " take ids from it, and their manifests differ in ids"),
               fix::manifest(other.table, absl::StrCat("ids { strategy: INTERLEAVED stride: ",
                                                       table.manifest.id_stride, " }")));
  }
}

void check_owner(table_case const& table, used_sequence const& used, finding_list& out, bool& clean) {
  auto const& uses = used.sequence->uses;
  if (std::any_of(uses.begin(), uses.end(), [](sequence_use const& use) { return use.is_owner; })) return;
  clean = false;
  out.warn("sequence_owner", used.sequence->full_name(),
           absl::StrCat("no column owns it: rights on it are given by hand on each node, and dropping ",
                        table.name(), " leaves it behind"),
           alter_sequence(*used.sequence, absl::StrCat("OWNED BY ", names::quoted_table(table.name()), ".",
                                                       quoted(used.use->column))));
}

/// A default that names its sequence in a text, where no dependency shows it.
void check_text_default(table_case const& table, column_facts const& column, finding_list& out, bool& clean) {
  if (!absl::StrContains(column.default_expression, "nextval")) return;
  for (auto const& [sequence, use] : sequences_of(table))
    if (use->column == column.name) return;
  clean = false;
  auto const found = nextval_names(column.default_expression);
  auto const* sequence = found.empty() ? nullptr : sequence_named(table.source, found.front());
  out.fail("sequence_by_text", absl::StrCat(table.name(), ".", column.name),
           absl::StrCat("its default is ", column.default_expression,
                        ": the sequence is named by a text, so that nothing ties it to the column"),
           sequence ? fix::sql(absl::StrCat("ALTER TABLE ", names::quoted_table(table.name()),
                                            " ALTER COLUMN ", quoted(column.name), " SET DEFAULT nextval(",
                                            names::literal(quoted_name(*sequence)), "::regclass)"))
                    : "name one sequence in the default: nextval('schema.sequence'::regclass)");
}

/// What a function takes from sequences that onboarding does not lay out; empty if all is known.
std::string unknown_sequence(source_facts const& source, std::vector<table_manifest> const& tables,
                             function_facts const& function) {
  for (auto const& name : nextval_names(function.source)) {
    auto const* sequence = name.empty() ? nullptr : sequence_named(source, name);
    bool const is_laid_out =
        sequence && std::any_of(sequence->uses.begin(), sequence->uses.end(), [&](sequence_use const& use) {
          return std::any_of(tables.begin(), tables.end(), [&](table_manifest const& table) {
            return table.table == use.table && table.ids == id_strategy_kind::interleaved;
          });
        });
    if (!is_laid_out) return name.empty() ? "a sequence that its text does not name" : "sequence " + name;
  }
  return {};
}

std::string code_finding(function_facts const& function, std::string const& sequence) {
  return absl::StrCat("function ", function.name, " takes ids from ", sequence,
                      ", which no interleaved column uses: each node would give the same ids");
}

constexpr std::string_view code_hint =
    "let a column of the table own the sequence and take from it by its default, or give the ids in the "
    "application";

}  // namespace

std::vector<std::string> nextval_names(std::string_view text) {
  std::vector<std::string> out;
  constexpr std::string_view word = "nextval";
  for (auto place = text.find(word); place != text.npos; place = text.find(word, place + 1)) {
    auto rest = text.substr(place + word.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\n"), rest.size()));
    if (!rest.starts_with('(')) continue;
    rest.remove_prefix(1);
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\n("), rest.size()));
    auto const end = rest.starts_with('\'') ? rest.find('\'', 1) : rest.npos;
    if (end == rest.npos) {
      out.emplace_back();
      continue;
    }
    auto const behind = rest.substr(end + 1);
    bool const goes_on = behind.substr(0, behind.find(')')).find("||") != behind.npos;
    out.emplace_back(goes_on ? std::string_view{} : rest.substr(1, end - 1));
  }
  return out;
}

void check_ids(table_case const& table, finding_list& out) {
  auto const found = sequences_of(table);
  auto const& manifest = table.manifest;
  bool const is_interleaved = manifest.ids == id_strategy_kind::interleaved;
  if (table.is_reference())
    return out.pass("ids", table.name(), "a reference table is written on the source only");
  if (is_interleaved && found.empty())
    return out.fail("ids", table.name(), "the manifest says interleaved, and no column has a sequence",
                    fix::manifest(table.name(), "ids { strategy: EXTERNAL }"));
  if (is_interleaved && manifest.id_stride <= table.migration.shards.size())
    return out.fail("ids", table.name(), "id_stride is not above the number of shards",
                    fix::manifest(table.name(), "ids { strategy: INTERLEAVED stride: 64 }"));
  if (!is_interleaved && !found.empty())
    return out.fail("ids", table.name(),
                    absl::StrCat("column ", found.front().use->column, " takes its values from sequence ",
                                 found.front().sequence->full_name(), ": each node would give the same ids"),
                    fix::any_of({fix::manifest(table.name(), "ids { strategy: INTERLEAVED }"),
                                 "or drop the column's default"}));
  out.pass("ids", table.name(),
           is_interleaved ? "sequences step by the stride" : "the application gives them");
}

void check_sequences(table_case const& table, finding_list& out) {
  if (table.is_reference()) return;
  bool clean = true;
  for (auto const& column : table.facts.columns) check_text_default(table, column, out, clean);
  if (table.manifest.ids == id_strategy_kind::interleaved) {
    for (auto const& used : sequences_of(table)) {
      check_step(table, *used.sequence, out, clean);
      check_room(table, used, out, clean);
      check_shared(table, used, out, clean);
      check_owner(table, used, out, clean);
      if (!used.sequence->is_cycling) continue;
      clean = false;
      out.fail("sequence_cycle", used.sequence->full_name(),
               "it begins again at its end, and would give ids a second time",
               alter_sequence(*used.sequence, "NO CYCLE"));
    }
  }
  if (clean) out.pass("sequence", table.name(), "each gives ids once");
}

// AS5
void check_sequences_in_code(table_case const& table, finding_list& out) {
  if (table.is_reference()) return;
  auto const check = [&](std::string const& subject, function_facts const& function) {
    if (auto const unknown = unknown_sequence(table.source, table.tables, function); !unknown.empty())
      out.fail("sequence_in_code", subject, code_finding(function, unknown), std::string(code_hint));
  };
  for (auto const& column : table.facts.columns)
    for (auto const& function : column.default_functions)
      check(absl::StrCat(table.name(), ".", column.name), function);
  for (auto const& trigger : table.source.triggers)
    if (trigger.table == table.name() && !trigger.is_ours)
      check(absl::StrCat(trigger.name, " on ", trigger.relation), trigger.function);
}

void check_functions(source_facts const& source, std::vector<table_manifest> const& tables,
                     finding_list& out) {
  for (auto const& function : source.functions) {
    if (!absl::StrContains(function.source, "nextval")) continue;
    auto const named = mentioned_tables(function.source, tables);
    auto const unknown = named.empty() ? std::string{} : unknown_sequence(source, tables, function);
    if (unknown.empty()) continue;
    out.warn("sequence_in_code", function.name,
             absl::StrCat(code_finding(function, unknown), "; it names ", absl::StrJoin(named, ", ")),
             std::string(code_hint));
  }
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
