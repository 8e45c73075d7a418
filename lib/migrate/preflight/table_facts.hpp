// What the source's catalog says of the tables of a migration: plain data. A few queries read it, whatever
// the number of tables; the rules judge it without a server.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

/// A function, as a default or a trigger calls it.
struct function_facts {
  std::string name{};       ///< "schema.name"
  std::string extension{};  ///< the extension that it belongs to; empty for none
  std::string source{};     ///< its body, as far as it can be read
};

struct column_facts {
  std::string name{};
  std::string type{};      ///< format_type
  std::string key_type{};  ///< the type that its bytes as a key have: under a domain, text for an enum
  bool is_enum{};
  bool is_composite{};
  bool is_not_null{};
  bool is_deterministic{true};  ///< its collation
  char identity{};              ///< a(lways), d(efault), or 0
  char generated{};             ///< s(tored), v(irtual), or 0
  char storage{'p'};            ///< p(lain), e(xternal), m(ain), x: extended
  std::string default_expression{};
  std::vector<function_facts> default_functions{};  ///< those of no system schema
  std::optional<std::int64_t> average_width{};      ///< of key columns only, once there are statistics
};

/// A unique index or an exclusion constraint.
struct index_facts {
  std::string relation{};  ///< "schema.name" of the table or the partition
  std::string name{};
  std::string constraint{};  ///< the name of its constraint, if it has one
  bool is_on_partition{};    ///< it is one partition's own
  bool is_primary{}, is_exclusion{}, is_immediate{true}, is_valid{true}, is_ready{true};
  bool is_deferrable{}, is_replica_identity{}, are_nulls_equal{};
  std::vector<std::string> columns{};  ///< of the key; empty text for an expression
  std::vector<bool> is_same{};         ///< for each: equal in the index means equal as a value
  std::string predicate{};             ///< of a partial index
};

/// A table or one of its partitions, at any level.
struct relation_facts {
  std::string name{};  ///< "schema.name"
  std::string owner{};
  char kind{'r'};  ///< pg_class.relkind
  char persistence{'p'};
  char replica_identity{'d'};
  bool is_partition{}, takes_part_in_inheritance{};
  bool is_typed{};
  std::string bound{};          ///< of a partition
  std::string partition_key{};  ///< of a partitioned table
  bool is_detaching{};
  /// The columns that name the row of an update or delete in the WAL; nothing if PostgreSQL finds no usable
  /// identity. With FULL these are all.
  std::optional<std::vector<std::string>> identity_columns{};
};

/// What a partition has otherwise than its table.
struct partition_difference {
  std::string relation{};
  std::string what{};  ///< "column amount: generated otherwise", "check payments_positive"
  bool is_generated{};
};

struct foreign_key_facts {
  std::string name{};
  std::string referencing{}, referenced{};                    ///< the tables, never a partition
  std::string referencing_relation{}, referenced_relation{};  ///< where it is defined
  std::vector<std::string> columns{}, referenced_columns{};
  char on_delete{'a'}, on_update{'a'};  ///< a: no action, r(estrict), c(ascade), n(ull), d(efault)
  bool is_validated{true};
  bool is_enforced{true};
  std::string definition{};  ///< pg_get_constraintdef
};

struct trigger_facts {
  std::string name{};
  std::string table{};     ///< never a partition
  std::string relation{};  ///< where it is defined
  function_facts function{};
  bool is_ours{};
  std::vector<std::string> mentions{};  ///< the tables of the migration that the function names
};

struct sequence_use {
  std::string table{};
  std::string column{};
  std::string column_type{};
  bool is_owner{};    ///< serial or identity
  bool is_default{};  ///< the column's default takes from it
};

struct sequence_facts {
  std::string schema{}, name{};
  std::vector<sequence_use> uses{};
  std::int64_t increment{1}, minimum{1}, maximum{};
  bool is_cycling{};
  bool is_readable{true};
  std::optional<std::int64_t> last{};  ///< nothing before the first value

  std::string full_name() const { return schema + '.' + name; }
};

struct table_facts {
  relation_facts root{};
  std::vector<relation_facts> partitions{};  ///< all levels
  std::vector<column_facts> columns{};
  std::vector<index_facts> indexes{};
  std::vector<partition_difference> differences{};

  column_facts const* find_column(std::string_view name) const noexcept {
    for (auto const& column : columns)
      if (column.name == name) return &column;
    return nullptr;
  }
  index_facts const* primary() const noexcept {
    for (auto const& index : indexes)
      if (index.is_primary && !index.is_on_partition) return &index;
    return nullptr;
  }
};

/// Whether the rows of a foreign key share their shard key.
struct row_answer {
  enum class kind_type : unsigned char { same, different, unknown } kind{};
  std::string why{};  ///< for unknown
};

/// All that the rules need of the source.
struct source_facts {
  std::map<std::string, table_facts, std::less<>> tables{};  ///< by manifest name; absent: no such table
  std::vector<foreign_key_facts> foreign_keys{};             ///< that touch one of them
  std::vector<trigger_facts> triggers{};                     ///< of the whole database
  std::vector<function_facts> functions{};                   ///< of the whole database, without extensions
  std::vector<sequence_facts> sequences{};                   ///< of the whole database
  std::map<std::string, row_answer, std::less<>> rows{};     ///< by relation and name of a foreign key
  int server_version{};
  std::vector<int> shard_versions{};

  table_facts const* find(std::string_view table) const noexcept {
    auto const found = tables.find(table);
    return found == tables.end() ? nullptr : &found->second;
  }
};

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
