// The rules for one table, pure: facts and manifests in, findings out. Each adds at least one finding, also
// when it passes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/migrate/preflight/table_facts.hpp"
#include "shardway/migrate/preflight/preflight.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

/// Findings of one node.
class finding_list {
 public:
  explicit finding_list(std::string node) : node_(std::move(node)) {}

  /// The findings that follow are about this table; empty: about none in particular.
  void set_table(std::string table) { table_ = std::move(table); }

  void pass(std::string_view id, std::string subject, std::string what) {
    add(id, finding_level::pass, std::move(subject), std::move(what), {});
  }
  void warn(std::string_view id, std::string subject, std::string what, std::string fix) {
    add(id, finding_level::warn, std::move(subject), std::move(what), std::move(fix));
  }
  void fail(std::string_view id, std::string subject, std::string what, std::string fix) {
    add(id, finding_level::fail, std::move(subject), std::move(what), std::move(fix));
  }
  std::vector<finding> const& all() const noexcept { return all_; }

 private:
  void add(std::string_view id, finding_level level, std::string subject, std::string what, std::string fix) {
    all_.push_back(
        {std::string(id), level, node_, std::move(subject), std::move(what), std::move(fix), table_});
  }

  std::string node_;
  std::string table_{};
  std::vector<finding> all_{};
};

/// What the rules look at. Lifetime: all of it outlives the rules.
struct table_case {
  table_manifest const& manifest;
  table_facts const& facts;
  source_facts const& source;
  std::vector<table_manifest> const& tables;  ///< all of the migration
  migration_manifest const& migration;

  std::string const& name() const noexcept { return manifest.table; }
  bool is_reference() const noexcept { return manifest.kind == table_kind::reference; }
  table_manifest const* find(std::string_view table) const noexcept {
    for (auto const& other : tables)
      if (other.table == table) return &other;
    return nullptr;
  }
};

/// All rules for one table, or that there is no such table.
void judge_table(source_facts const&, migration_manifest const&, std::vector<table_manifest> const& all,
                 table_manifest const&, finding_list&);

// The table itself.
void check_kind(table_case const&, finding_list&);
void check_inheritance(table_case const&, finding_list&);
void check_columns(table_case const&, finding_list&);
void check_column_count(table_case const&, finding_list&);
void check_reserved_names(table_case const&, finding_list&);

// Keys.
void check_primary_key(table_case const&, finding_list&);
void check_key_index(table_case const&, finding_list&);
void check_key_columns(table_case const&, finding_list&);
void check_shard_key_columns(table_case const&, finding_list&);
void check_lookup_columns(table_case const&, finding_list&);
void check_identity(table_case const&, finding_list&);
void check_key_uniqueness(table_case const&, finding_list&);

/// Why no two nodes can give out one key while authority is split; empty if nothing says so.
std::string why_key_is_unique(table_case const&);

// Indexes, partitions.
void check_replica_identity(table_case const&, finding_list&);
void check_unique(table_case const&, finding_list&);
void check_partitions(table_case const&, finding_list&);

// Foreign keys.
void check_foreign_keys(table_case const&, finding_list&);
/// A foreign key inside a group whose columns do not say that both rows share their shard key: only the rows
/// can say it.
bool needs_rows(foreign_key_facts const&, std::vector<table_manifest> const&);
/// The query that finds two rows with different shard keys.
std::string rows_query(foreign_key_facts const&, std::vector<table_manifest> const&);
/// The key of an answer in `source_facts::rows`.
std::string rows_name(foreign_key_facts const&);

// Triggers, sequences.
void check_triggers(table_case const&, finding_list&);
void check_outside_triggers(table_case const&, finding_list&);
void check_ids(table_case const&, finding_list&);
void check_sequences(table_case const&, finding_list&);
void check_sequences_in_code(table_case const&, finding_list&);

/// The tables that a text names as words: "orders" is not in "orders_archive".
std::vector<std::string> mentioned_tables(std::string_view source, std::vector<table_manifest> const&);
/// Fills `mentions` of each trigger. Cost: each function is read once.
void note_mentions(source_facts&, std::vector<table_manifest> const&);
/// Functions that give ids from a sequence and name a table of the migration.
void check_functions(source_facts const&, std::vector<table_manifest> const&, finding_list&);
/// What stands in nextval('...') in a text; empty text for a nextval of something else.
std::vector<std::string> nextval_names(std::string_view text);
/// A function whose ids are never given twice, such as gen_random_uuid.
bool is_generating_default(column_facts const&);

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
