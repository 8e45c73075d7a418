// What the onboarded tables need of their database: every object that pg_depend reaches from them, and what
// acts on them from outside. Read by a few queries a node, for all tables at once.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/base/result.hpp"
#include "shardway/manifest/manifest.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

/// An object that the tables or their schemas need.
struct reached_object {
  std::string catalog;         ///< as "pg_proc"
  std::string kind, identity;  ///< of pg_identify_object: "function", "shop.f(integer)"
  std::string schema;          ///< empty: objects of this kind have none
  std::string extension;       ///< that brings it; empty: none
  std::set<std::string> uses;  ///< column, default, generated, check, key, index, trigger, schema, routine
  std::string user;            ///< a table or object that needs it

  /// Only functions need it that no table uses. pg_dump brings them along, and they may be left behind.
  bool is_optional() const { return uses == std::set<std::string>{"routine"}; }
};

/// A routine outside the server's own schemas.
struct routine_object {
  std::string identity, schema, name, language;
  std::string body;         ///< of SQL and PL/pgSQL only
  std::string search_path;  ///< its own SET search_path; empty: none
  bool is_security_definer{};
  bool is_of_extension{};
};

struct relation_object {
  std::string schema, name;
  bool is_ours{};  ///< a table of a manifest, or a partition of one
};

/// A schema of the source that the tables reach.
struct trigger_object {
  std::string table;           ///< the table or partition, "schema.name"
  std::string root;            ///< the onboarded table
  std::string quoted;          ///< of `table`, for SQL
  std::string name, function;  ///< function: its identity
  char enabled{'O'};           ///< pg_trigger.tgenabled
  char parent_enabled{' '};    ///< of the partitioned table's trigger; ' ': has none
  bool is_before_row{};
  bool is_internal{};      ///< a foreign key's
  std::string constraint;  ///< of an internal one
  std::vector<std::string> arguments;
};

/// An object of a table that needs no more than its names.
struct table_object {
  std::string table, quoted, name, detail;
};

/// A column with a type inside it whose values mean something on one node only.
struct column_object {
  std::string table, quoted, column, type;
  std::string inner;  ///< the type that matters, such as "regclass"
};

struct table_shape {
  std::string table, root, quoted;
  char kind{'r'};  ///< pg_class.relkind
  bool has_row_security{}, forces_row_security{};
  int policies{};
  std::string tablespace;     ///< empty: the database's
  std::string access_method;  ///< empty: heap or none
  std::string schema, owner;
  bool owner_owns_schema{};  ///< as a member of the schema's owner
};

/// Rights that onboarding does not bring to shards.
struct grant_object {
  std::string role, privileges, things;  ///< things: "TABLE \"shop\".\"orders\", ..."
};

struct owner_object {
  std::string role, example;  ///< example: one object that it owns
};

struct cast_object {
  std::string identity, sql;
  std::set<std::string> schemas;  ///< of its two types
};

struct extension_object {
  std::string name, version, schema;
};

/// One line of pg_db_role_setting.
struct setting_override {
  bool for_database{};
  std::string role;  ///< empty: all
  std::string name, value;
};

struct database_locale {
  std::string collate, ctype, provider, locale, version;
  friend bool operator==(database_locale const&, database_locale const&) = default;
};

struct collation_object {
  std::string locale, version;
};

/// What is read on every node.
struct node_objects {
  std::string node, database;
  int server_version{};
  std::map<std::string, extension_object> extensions;
  std::map<std::string, std::set<std::string>> available_versions;  ///< of extensions, by name
  std::set<std::string> roles;
  std::map<std::string, std::string> schemas;  ///< name -> owner
  std::vector<setting_override> overrides;
  std::map<std::string, std::string> server_settings;  ///< values that the engine's session resets to
  database_locale locale;
  std::map<std::string, collation_object> collations;  ///< those that the tables need, by identity
  std::map<std::string, std::string> definitions;      ///< "kind identity" -> digest, empty: not compared
  std::map<std::string, cast_object> casts;            ///< of no extension
  std::set<std::string> event_triggers;
  std::set<std::string> compressions;  ///< of large values; empty before 14
};

/// The source's answer for the tables that are looked at.
struct source_objects : node_objects {
  std::set<std::string>
      carried_schemas;  ///< of the tables and of what they need: onboarding brings them to the shards
  std::vector<reached_object> reached;
  std::map<std::string, routine_object> routines;  ///< of the whole database, by identity
  std::vector<relation_object> relations;          ///< likewise
  std::vector<trigger_object> triggers;
  std::vector<table_shape> tables;  ///< with their partitions
  std::vector<column_object> columns;
  std::vector<table_object> rules, rules_elsewhere, statistics, views, security_labels, defaults, policies,
      constraint_tables, compressed_columns, text_partitions, dictionary_files, extension_tables;
  std::vector<table_object> unknown;  ///< objects that depend on the tables, of a kind that we do not know
  std::vector<table_object> subscriptions, default_privileges;
  std::vector<grant_object> grants;
  std::vector<owner_object> owners;
  bool has_large_objects{};
};

struct shard_objects : node_objects {
  std::set<std::string> engine_memberships;  ///< roles that the engine's role is a member of
  std::map<std::string, std::set<std::string>> schema_creators;  ///< schema -> roles that may create in it
  bool is_engine_superuser{};
  std::vector<table_object> subscriptions;
};

/// Reads the source about `tables`; `all` of the manifests say which relations move. Errors: the first
/// query's that failed. Cost: two round trips, whatever the number of tables.
result<source_objects> read_source_objects(session&, migration_manifest const&,
                                           std::vector<table_manifest> const& tables,
                                           std::vector<table_manifest> const& all);
/// Reads a shard: the same kinds, as far as the source's tables need them. Errors, Cost: likewise, one round
/// trip.
result<shard_objects> read_shard_objects(session&, migration_manifest const&,
                                         std::vector<table_manifest> const&, source_objects const&);

/// The settings whose values change what statements do.
std::vector<std::string> const& compared_settings();

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
