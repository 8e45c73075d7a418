#include "lib/protocol/guarded_apply.hpp"

#include <algorithm>
#include <array>
#include <functional>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "lib/protocol/column_lists.hpp"
#include "lib/store/statement_name.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::array<std::string_view, 8> outcome_names{"applied",    "newer_present", "delivered",
                                                        "authority",  "other_epoch",   "conflict",
                                                        "other_slot", "not_permitted"};

std::vector<text_value> key_values(apply_change const& change) {
  std::vector<text_value> key;
  auto const columns = sent_columns(*change.table);
  for (auto const& name : change.table->manifest.key)
    for (std::size_t i = 0; i < columns.size(); ++i)
      if (columns[i]->name == name) key.push_back(change.row->image[i]);
  return key;
}

bool is_remove(apply_change const& change) noexcept {
  return change.operation == captured_statement::operation_type::remove;
}

/// A function call that changes of one write need: a table, and whether its row goes.
struct apply_target {
  table_state const* table{};
  bool is_remove{};
  bool operator==(apply_target const&) const = default;
};

// The distinct ones of a write, few however many rows it has: the statement's text depends on them alone.
std::vector<apply_target> targets_of(std::vector<apply_change> const& changes) {
  std::vector<apply_target> targets;
  for (auto const& change : changes) {
    apply_target const target{change.table, is_remove(change)};
    if (std::find(targets.begin(), targets.end(), target) == targets.end()) targets.push_back(target);
  }
  return targets;
}

// `call` of the target that a row of `change` names.
std::string case_of(std::vector<apply_target> const& targets,
                    std::function<std::string(apply_target const&)> const& call) {
  std::string sql = "CASE";
  for (std::size_t i = 0; i < targets.size(); ++i)
    absl::StrAppend(&sql, " WHEN change.target OPERATOR(pg_catalog.=) ", i, " THEN ", call(targets[i]));
  return sql + " END";
}

// Texts are read as the source printed them, whatever this session was left with (AP17, AS27).
constexpr char settings_sql[] =
    "WITH settings AS MATERIALIZED (SELECT pg_catalog.num_nonnulls("
    "pg_catalog.set_config('synchronous_commit', 'off', true), "
    "pg_catalog.set_config('shardway.writer', 'dual_write', true), "
    "pg_catalog.set_config('DateStyle', 'ISO', true), "
    "pg_catalog.set_config('IntervalStyle', 'postgres', true), "
    "pg_catalog.set_config('TimeZone', 'UTC', true), "
    "pg_catalog.set_config('lc_monetary', 'C', true), "
    "pg_catalog.set_config('array_nulls', 'on', true), "
    "pg_catalog.set_config('xmloption', 'content', true), "
    "pg_catalog.set_config('lock_timeout', $2, true), "
    "shardway.mark('dual_write')) AS made)";

// Rows are there once the settings are made, and only then the text of each key and image is read.
constexpr char changes_sql[] =
    ",\nchange AS MATERIALIZED (SELECT target, ordinal, version, slot, key::pg_catalog.text[] AS key, "
    "image::pg_catalog.text[] AS image, number FROM settings CROSS JOIN LATERAL "
    "unnest($3::pg_catalog.int4[], $4::pg_catalog.int4[], $5::pg_catalog.int8[], $6::pg_catalog.int4[], "
    "$7::pg_catalog.text[], $8::pg_catalog.text[]) WITH ORDINALITY "
    "AS given (target, ordinal, version, slot, key, image, number) "
    "WHERE settings.made OPERATOR(pg_catalog.>) 0)";

// The locks are taken in order (W9), and no row is applied before the last of them. Each apply takes its own
// again, which costs nothing then.
std::string locks_sql(std::vector<apply_target> const& targets) {
  auto const lock_class = case_of(targets, [](apply_target const& target) {
    return absl::StrCat("shardway.key_lock_class(", names::literal(target.table->manifest.table), ")");
  });
  return absl::StrCat(
      ",\nlocks AS MATERIALIZED (SELECT pg_catalog.count(pg_catalog.pg_advisory_xact_lock(class, bucket)) AS "
      "held FROM (SELECT DISTINCT class, bucket FROM (SELECT ",
      lock_class,
      " AS class, shardway.key_lock_bucket(change.key) AS bucket FROM change) AS keys "
      "ORDER BY class, bucket) AS ordered)");
}

std::string apply_text(std::vector<apply_target> const& targets, bool locks_first) {
  auto const call = case_of(targets, [](apply_target const& target) {
    return absl::StrCat(names::apply_function(target.table->manifest.table),
                        "($1::pg_catalog.uuid, change.ordinal, change.version, change.slot, ",
                        target.is_remove ? "true, change.key, NULL)" : "false, change.key, change.image)");
  });
  return absl::StrCat(
      settings_sql, changes_sql, locks_first ? locks_sql(targets) : "", "\nSELECT ", call, " FROM ",
      locks_first ? "locks CROSS JOIN change WHERE locks.held OPERATOR(pg_catalog.>) 0" : "change",
      " ORDER BY change.number");
}

/// One array for each argument, of all changes.
struct apply_arguments {
  std::vector<std::size_t> targets;
  std::vector<std::int64_t> ordinals, versions, slots;
  std::vector<std::string> keys, images;
};

apply_arguments arguments_of(std::vector<apply_change> const& changes,
                             std::vector<apply_target> const& targets) {
  apply_arguments all;
  for (auto const& change : changes) {
    auto const found =
        std::find(targets.begin(), targets.end(), apply_target{change.table, is_remove(change)});
    all.targets.push_back(static_cast<std::size_t>(found - targets.begin()));
    all.ordinals.push_back(change.row->ordinal);
    all.versions.push_back(change.row->version.bigint());
    all.slots.push_back(change.slot.value());
    all.keys.push_back(text_array(key_values(change)));
    all.images.push_back(is_remove(change) ? "{}" : text_array(change.row->image));
  }
  return all;
}

std::string number_array(auto const& numbers) { return absl::StrCat("{", absl::StrJoin(numbers, ","), "}"); }

}  // namespace

std::string_view name(apply_outcome outcome) noexcept {
  return outcome_names[static_cast<std::size_t>(outcome)];
}

statement apply_statement(write_id id, std::vector<apply_change> const& changes,
                          std::chrono::milliseconds lock_timeout) {
  auto const targets = targets_of(changes);
  auto const all = arguments_of(changes, targets);
  auto sql = apply_text(targets, changes.size() > 1);
  auto name = statement_name(sql);
  return {.sql = std::move(sql),
          .parameters = {id.to_string(), absl::StrCat(lock_timeout.count(), "ms"), number_array(all.targets),
                         number_array(all.ordinals), number_array(all.versions), number_array(all.slots),
                         text_array(all.keys), text_array(all.images)},
          .name = std::move(name)};
}

result<std::vector<apply_outcome>> parse_apply(rows const& answer) {
  std::vector<apply_outcome> outcomes;
  for (std::size_t i = 0; i < answer.size(); ++i) {
    auto const found = std::find(outcome_names.begin(), outcome_names.end(), answer.text(i, 0));
    if (found == outcome_names.end())
      return error(error_code::protocol_violation, "the guarded apply returned an unknown outcome");
    outcomes.push_back(static_cast<apply_outcome>(found - outcome_names.begin()));
  }
  return outcomes;
}

}  // namespace v0
}  // namespace shardway
