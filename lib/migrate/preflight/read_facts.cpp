#include "lib/migrate/preflight/read_facts.hpp"

#include <unordered_map>

#include <absl/strings/str_cat.h>

#include "lib/migrate/preflight/facts_sql.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {
namespace {

std::string replaced(std::string_view text, std::string_view mark, std::string_view value) {
  std::string out(text);
  auto const place = out.find(mark);
  if (place != out.npos) out.replace(place, mark.size(), value);
  return out;
}

std::vector<statement> questions(int version, std::vector<table_manifest> const& tables) {
  std::vector<std::string> schemas, names;
  for (auto const& table : tables) {
    auto const dot = table.table.find('.');
    schemas.push_back(table.table.substr(0, dot));
    names.push_back(dot == std::string::npos ? "" : table.table.substr(dot + 1));
  }
  std::vector<text_value> const wanted{text_array(schemas), text_array(names)};
  auto const of_ours = [&](std::string text) {
    return statement{.sql = std::string(facts_cte) + std::move(text), .parameters = wanted};
  };
  return {
      of_ours(replaced(relations_sql, "{detaching}",
                       version >= 140000 ? "coalesce(i.inhdetachpending, false)" : "false")),
      of_ours(std::string(columns_sql)),
      of_ours(replaced(indexes_sql, "{nulls}", version >= 150000 ? "x.indnullsnotdistinct" : "false")),
      of_ours(std::string(differences_sql)),
      of_ours(replaced(foreign_keys_sql, "{enforced}", version >= 180000 ? "k.conenforced" : "true")),
      {.sql = std::string(triggers_sql)},
      {.sql = replaced(functions_sql, "{body}",
                       version >= 140000 ? "pg_get_function_sqlbody(p.oid)" : "NULL::text")},
      {.sql = std::string(sequences_sql)},
  };
}

/// One row of an answer.
struct reader {
  rows const& answer;
  std::size_t row{};

  std::string text(std::size_t column) const { return std::string(answer.text(row, column)); }
  bool flag(std::size_t column) const { return answer.boolean(row, column); }
  char letter(std::size_t column) const {
    auto const value = answer.text(row, column);
    return value.empty() ? char{} : value.front();
  }
  std::int64_t number(std::size_t column) const {
    auto const value = answer.integer(row, column);
    return value ? value.value() : 0;
  }
  std::optional<std::int64_t> maybe_number(std::size_t column) const {
    if (!answer.at(row, column)) return std::nullopt;
    return number(column);
  }
  std::vector<std::string> list(std::size_t column) const {
    return parse_text_array(answer.text(row, column)).value_or(std::vector<std::string>{});
  }
};

template <class Take>
void each_row(rows const& answer, Take take) {
  for (reader row{answer}; row.row < answer.size(); ++row.row) take(row);
}

relation_facts relation_of(reader const& row) {
  relation_facts out{.name = row.text(2),
                     .owner = row.text(3),
                     .kind = row.letter(4),
                     .persistence = row.letter(5),
                     .replica_identity = row.letter(6),
                     .is_partition = row.flag(7),
                     .takes_part_in_inheritance = row.flag(8),
                     .is_typed = row.flag(9),
                     .bound = row.text(10),
                     .partition_key = row.text(11),
                     .is_detaching = row.flag(12)};
  if (row.answer.at(row.row, 13)) out.identity_columns = row.list(13);
  return out;
}

using function_map = std::unordered_map<std::string, function_facts>;  // by oid

column_facts column_of(reader const& row, function_map const& functions) {
  column_facts out{.name = row.text(1),
                   .type = row.text(2),
                   .key_type = row.text(3),
                   .is_enum = row.flag(4),
                   .is_composite = row.flag(5),
                   .is_not_null = row.flag(6),
                   .is_deterministic = row.flag(7),
                   .identity = row.letter(8),
                   .generated = row.letter(9),
                   .storage = row.letter(10),
                   .default_expression = row.text(11),
                   .average_width = row.maybe_number(13)};
  for (auto const& oid : row.list(12))
    if (auto const found = functions.find(oid); found != functions.end())
      out.default_functions.push_back(found->second);
  return out;
}

index_facts index_of(reader const& row) {
  index_facts out{.relation = row.text(2),
                  .name = row.text(3),
                  .constraint = row.text(4),
                  .is_on_partition = row.number(1) > 0,
                  .is_primary = row.flag(5),
                  .is_exclusion = row.flag(6),
                  .is_immediate = row.flag(7),
                  .is_valid = row.flag(8),
                  .is_ready = row.flag(9),
                  .is_deferrable = row.flag(10),
                  .is_replica_identity = row.flag(11),
                  .are_nulls_equal = row.flag(12),
                  .columns = row.list(14),
                  .predicate = row.text(13)};
  for (auto const& same : row.list(15)) out.is_same.push_back(same == "true");
  return out;
}

foreign_key_facts foreign_key_of(reader const& row) {
  return {.name = row.text(0),
          .referencing = row.text(1),
          .referenced = row.text(2),
          .referencing_relation = row.text(3),
          .referenced_relation = row.text(4),
          .columns = row.list(5),
          .referenced_columns = row.list(6),
          .on_delete = row.letter(7),
          .on_update = row.letter(8),
          .is_validated = row.flag(9),
          .is_enforced = row.flag(10),
          .definition = row.text(11)};
}

void take_sequence(reader const& row, std::vector<sequence_facts>& sequences) {
  if (sequences.empty() || sequences.back().schema != row.text(0) || sequences.back().name != row.text(1))
    sequences.push_back({.schema = row.text(0),
                         .name = row.text(1),
                         .uses = {},
                         .increment = row.number(2),
                         .minimum = row.number(3),
                         .maximum = row.number(4),
                         .is_cycling = row.flag(5),
                         .is_readable = row.flag(6),
                         .last = row.maybe_number(7)});
  if (row.text(8).empty()) return;
  auto& uses = sequences.back().uses;
  if (uses.empty() || uses.back().table != row.text(8) || uses.back().column != row.text(9))
    uses.push_back({.table = row.text(8), .column = row.text(9), .column_type = row.text(10)});
  uses.back().is_owner = uses.back().is_owner || row.flag(11);
  uses.back().is_default = uses.back().is_default || !row.flag(11);
}

source_facts facts_of(std::vector<table_manifest> const& tables, std::vector<result<rows>> const& answers) {
  source_facts facts;
  auto const table_of = [&](reader const& row) -> table_facts& {
    return facts.tables[tables[static_cast<std::size_t>(row.number(0) - 1)].table];
  };
  auto const answer = [&](std::size_t question) -> rows const& { return answers[question].value(); };
  function_map functions;
  each_row(answer(6), [&](reader const& row) {
    function_facts function{row.text(1), row.text(2), row.text(3)};
    if (function.extension.empty() && !row.flag(4)) facts.functions.push_back(function);
    functions.emplace(row.text(0), std::move(function));
  });
  each_row(answer(0), [&](reader const& row) {
    auto& table = table_of(row);
    if (row.number(1) == 0)
      table.root = relation_of(row);
    else
      table.partitions.push_back(relation_of(row));
  });
  each_row(answer(1), [&](reader const& row) { table_of(row).columns.push_back(column_of(row, functions)); });
  each_row(answer(2), [&](reader const& row) { table_of(row).indexes.push_back(index_of(row)); });
  each_row(answer(3), [&](reader const& row) {
    table_of(row).differences.push_back({row.text(1), row.text(2), row.flag(3)});
  });
  each_row(answer(4), [&](reader const& row) { facts.foreign_keys.push_back(foreign_key_of(row)); });
  each_row(answer(5), [&](reader const& row) {
    auto const function = functions.find(row.text(3));
    trigger_facts trigger{.name = row.text(0), .table = row.text(1), .relation = row.text(2), .function = {}};
    if (function != functions.end()) trigger.function = function->second;
    trigger.is_ours = trigger.name.starts_with("shardway_") && trigger.function.name.starts_with("shardway.");
    facts.triggers.push_back(std::move(trigger));
  });
  each_row(answer(7), [&](reader const& row) { take_sequence(row, facts.sequences); });
  return facts;
}

}  // namespace

result<source_facts> read_facts(session& source, std::vector<table_manifest> const& tables) {
  auto const asked = questions(source.identity().server_version, tables);
  BOOST_OUTCOME_TRY(auto const answers, source.flush(asked));
  for (auto const& answer : answers)
    if (!answer) return answer.error().while_doing("reading the catalog of the source");
  auto facts = facts_of(tables, answers);
  facts.server_version = source.identity().server_version;
  return facts;
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
