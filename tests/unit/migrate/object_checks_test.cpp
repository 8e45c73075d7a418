// The rules for objects, on facts that no server has.
#include "lib/migrate/preflight/object_checks.hpp"

#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sample_objects.hpp"

namespace shardway {
namespace {

using namespace migrate::preflight;

using ::testing::HasSubstr;

TEST_F(object_checks, a_plain_schema_has_none_and_every_rule_reports) {
  EXPECT_EQ(troubles(), "");
  std::set<std::string> ids;
  for (auto const& one : all()) ids.insert(one.id);
  for (auto const& rule : object_rules()) EXPECT_EQ(ids.count(std::string(rule.id)), 1u) << rule.id;
}

TEST_F(object_checks, AC9_row_security_is_refused_forced_or_not) {
  source.tables[0].has_row_security = true;
  EXPECT_EQ(trouble(), "fail row_security shop.orders");
  source.tables[0].has_row_security = false;
  source.tables[0].forces_row_security = true;
  EXPECT_EQ(trouble(), "fail row_security shop.orders");
  EXPECT_EQ(fix(), "ALTER TABLE shop.orders DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;");
  source.tables[0].forces_row_security = false;
  source.tables.push_back(source.tables[0]);
  source.tables[1].table = source.tables[1].quoted = "shop.orders_1";
  source.tables[1].has_row_security = true;
  EXPECT_EQ(trouble(), "fail row_security shop.orders_1");
}

TEST_F(object_checks, AS8_rules_of_the_table_are_refused_and_others_are_told) {
  source.rules = {{"shop.orders", "shop.orders", "also", ""}};
  EXPECT_EQ(trouble(), "fail rule also on shop.orders");
  EXPECT_EQ(fix(), "DROP RULE \"also\" ON shop.orders;");
  source.rules.clear();
  source.rules_elsewhere = {{"audit.log", "audit.log", "copies", ""}};
  EXPECT_EQ(trouble(), "warn rule copies on audit.log");
}

TEST_F(object_checks, AS7_values_that_mean_something_on_one_node) {
  source.columns = {{"shop.orders", "shop.orders", "kind", "regclass", "regclass"}};
  EXPECT_EQ(trouble(), "fail node_local_type shop.orders.kind");
  EXPECT_EQ(fix(), "ALTER TABLE shop.orders ALTER COLUMN \"kind\" TYPE text USING \"kind\"::text;");
  source.columns = {{"shop.orders", "shop.orders", "seen", "xid[]", "xid"}};
  EXPECT_THAT(fix(), HasSubstr("TYPE text[] USING \"seen\"::text[]"));
  source.columns = {{"shop.orders", "shop.orders", "position", "pg_lsn", "pg_lsn"}};
  EXPECT_EQ(trouble(), "warn node_local_type shop.orders.position");
}

TEST_F(object_checks, AS6_large_objects_by_type_by_value_and_by_trigger) {
  source.columns = {{"shop.orders", "shop.orders", "picture", "lo", "lo"},
                    {"shop.orders", "shop.orders", "picture", "lo", "oid"}};
  EXPECT_EQ(trouble(), "fail large_object shop.orders.picture");
  source.columns = {{"shop.orders", "shop.orders", "picture", "oid", "oid"}};
  EXPECT_EQ(trouble(), "fail node_local_type shop.orders.picture");
  source.has_large_objects = true;
  EXPECT_EQ(trouble(), "fail large_object shop.orders.picture");
  source.columns.clear();
  EXPECT_EQ(trouble(), "warn large_object shop");
  source.has_large_objects = false;
  source.triggers = {{.table = "shop.orders",
                      .root = "shop.orders",
                      .quoted = "shop.orders",
                      .name = "kept",
                      .function = "ext.lo_manage()",
                      .constraint = {},
                      .arguments = {}}};
  EXPECT_EQ(trouble(), "fail large_object kept on shop.orders");
}

TEST_F(object_checks, AS23_triggers_that_run_for_replicated_rows) {
  add_trigger("appends", "BEGIN RETURN NEW; END");
  source.triggers[0].enabled = 'A';
  EXPECT_EQ(trouble(), "fail trigger_replica appends on shop.orders");
  EXPECT_EQ(fix(), "ALTER TABLE shop.orders ENABLE TRIGGER \"appends\";");
  source.triggers[0].enabled = 'R';
  EXPECT_EQ(trouble(), "fail trigger_replica appends on shop.orders");
  tables[0].triggers = trigger_policy::source_only;  // a mirror writes the source
  EXPECT_EQ(trouble(), "fail trigger_replica appends on shop.orders");
  source.triggers[0].enabled = 'D';
  EXPECT_EQ(trouble(), "");
}

TEST_F(object_checks, triggers_of_a_partition_that_differ_from_its_tables) {
  add_trigger("kept", "BEGIN RETURN NEW; END");
  source.triggers[0].parent_enabled = 'A';
  source.triggers[0].enabled = 'A';  // reported at the table
  EXPECT_EQ(trouble(), "");
  source.triggers[0].parent_enabled = 'O';
  EXPECT_EQ(trouble(), "fail trigger_replica kept on shop.orders");
  source.triggers[0].enabled = 'D';
  EXPECT_EQ(trouble(), "fail trigger_state kept on shop.orders");
  source.triggers[0] = {.table = "shop.orders",
                        .root = "shop.orders",
                        .quoted = "shop.orders",
                        .name = "RI_ConstraintTrigger_c_1",
                        .function = {},
                        .enabled = 'D',
                        .is_internal = true,
                        .constraint = "orders_customer",
                        .arguments = {}};
  EXPECT_EQ(trouble(), "fail trigger_state orders_customer on shop.orders");
  tables[0].drop_foreign_keys = {"orders_customer"};
  EXPECT_EQ(trouble(), "");
}

TEST_F(object_checks, AS24_a_trigger_that_writes_a_table_of_no_manifest) {
  add_trigger("audited", "BEGIN INSERT INTO audit.log VALUES (1); RETURN NEW; END");
  EXPECT_EQ(trouble(), "fail trigger_relation audited on shop.orders");
  EXPECT_THAT(troubles(), HasSubstr("writes audit.log"));
  EXPECT_THAT(fix(), HasSubstr("triggers: SOURCE_ONLY"));
  tables[0].triggers = trigger_policy::source_only;
  EXPECT_EQ(trouble(), "");
}

TEST_F(object_checks, AS24_through_another_function_an_argument_and_a_name_without_schema) {
  add_trigger("audited", "BEGIN PERFORM shop.record(); RETURN NEW; END");
  add_function("shop.record()", "record", "DELETE FROM audit.log", "sql");
  EXPECT_EQ(trouble(), "fail trigger_relation audited on shop.orders");
  source.triggers.clear();
  add_trigger("versioned", "BEGIN RETURN NEW; END");
  source.triggers[0].arguments = {"period", "settings"};
  EXPECT_EQ(trouble(), "fail trigger_relation versioned on shop.orders");
  source.triggers.clear();
  add_trigger("reads", "BEGIN PERFORM 1 FROM settings; RETURN NEW; END");
  EXPECT_THAT(trouble(), HasSubstr("fail trigger_relation reads on shop.orders"));
  EXPECT_THAT(trouble(), HasSubstr("warn function_search_path reads on shop.orders"));
  source.routines["shop.reads()"].search_path = "shop, pg_catalog";
  EXPECT_EQ(trouble(), "fail trigger_relation reads on shop.orders");
  source.routines["shop.reads()"].search_path = "audit";  // there is none of the name
  EXPECT_EQ(trouble(), "");
}

TEST_F(object_checks, a_trigger_whose_writes_cannot_be_known_is_refused) {
  add_trigger("dynamic", "BEGIN EXECUTE 'INSERT INTO ' || TG_ARGV[0]; RETURN NEW; END");
  EXPECT_EQ(trouble(), "fail trigger_unknown dynamic on shop.orders");
  source.triggers.clear();
  add_trigger("foreign", "");
  source.routines["shop.foreign()"].language = "plperl";
  EXPECT_EQ(trouble(), "fail trigger_unknown foreign on shop.orders");
  source.routines["shop.foreign()"].is_of_extension = true;
  EXPECT_EQ(trouble(), "");
}

TEST_F(object_checks, a_trigger_that_changes_keys_notifies_or_gives_values_of_a_node) {
  add_trigger("keyed", "BEGIN NEW.customer_id := 1; RETURN NEW; END", true);
  EXPECT_EQ(trouble(), "warn trigger_changes_key keyed on shop.orders");
  source.triggers.clear();
  add_trigger("loud", "BEGIN NEW.note := txid_current(); NOTIFY x; RETURN NEW; END", true);
  EXPECT_EQ(trouble(), "warn trigger_notify loud on shop.orders; warn node_local_value loud on shop.orders");
}

TEST_F(object_checks, AS16_functions_that_tables_use) {
  add_function("shop.rank(pg_catalog.text)", "rank", "SELECT count(*) FROM settings", "sql");
  source.reached = {{.catalog = "pg_proc",
                     .kind = "function",
                     .identity = "shop.rank(pg_catalog.text)",
                     .schema = "shop",
                     .extension = {},
                     .uses = {"index", "routine"},
                     .user = "shop.orders"}};
  EXPECT_EQ(trouble(),
            "fail function_relation shop.rank(pg_catalog.text); fail function_search_path "
            "shop.rank(pg_catalog.text)");
  source.routines["shop.rank(pg_catalog.text)"].body = "SELECT shop.other()";
  add_function("shop.other()", "other", "SELECT txid_current()", "sql");
  EXPECT_EQ(trouble(), "warn node_local_value shop.rank(pg_catalog.text)");
  source.routines["shop.rank(pg_catalog.text)"].body = "SELECT other()";
  source.reached[0].uses = {"default", "routine"};
  EXPECT_THAT(trouble(), HasSubstr("warn function_search_path shop.rank(pg_catalog.text)"));
  source.routines["shop.rank(pg_catalog.text)"].language = "c";
  EXPECT_THAT(trouble(), HasSubstr("fail c_function shop.rank(pg_catalog.text)"));
  source.reached[0].uses = {"routine"};
  EXPECT_EQ(trouble(), "warn c_function shop.rank(pg_catalog.text)");
}

TEST_F(object_checks, AS16_objects_that_do_not_come_along) {
  source.reached = {{.catalog = "pg_proc",
                     .kind = "function",
                     .identity = "audit.record()",
                     .schema = "audit",
                     .extension = {},
                     .uses = {"trigger"},
                     .user = "shop.orders"}};
  EXPECT_EQ(trouble(), "fail function_missing audit.record()");
  source.reached[0].uses = {"routine"};
  EXPECT_EQ(trouble(), "warn function_missing audit.record()");
  shard.definitions["function audit.record()"] = "x";
  EXPECT_EQ(trouble(), "");
  source.definitions["function audit.record()"] = "y";
  EXPECT_EQ(trouble(), "warn object_differs audit.record()");
  source.reached[0].uses = {"trigger"};
  EXPECT_EQ(trouble(), "fail object_differs audit.record()");
}

TEST_F(object_checks, each_kind_of_missing_object_has_its_id_and_unknown_ones_are_refused) {
  std::map<std::string, std::string> const ids{
      {"pg_type", "type_missing"},        {"pg_class", "relation_missing"},
      {"pg_operator", "object_missing"},  {"pg_collation", "collation_missing"},
      {"pg_ts_config", "object_missing"}, {"pg_transform", "unknown_object"}};
  for (auto const& [catalog, id] : ids) {
    source.reached = {{.catalog = catalog,
                       .kind = "thing",
                       .identity = "util.it",
                       .schema = "util",
                       .extension = {},
                       .uses = {"column"},
                       .user = "shop.orders"}};
    EXPECT_EQ(trouble(), "fail " + id + " util.it");
  }
  source.reached.clear();
  source.unknown = {{"shop.orders", "shop.orders", "thing of orders", "pg_thing"}};
  EXPECT_EQ(trouble(), "fail unknown_object thing of orders");
  EXPECT_EQ(
      fix(),
      "in the manifest of shop.orders: accept { finding: \"unknown_object\" subject: \"thing of orders\" "
      "reason: \"...\" }");
}

TEST_F(object_checks, AS3_AS16_extensions_by_presence_version_and_schema) {
  source.extensions = {{"citext", {"citext", "1.6", "public"}}};
  shard.schemas = {{"public", "postgres"}, {"shop", "owner"}};
  shard.schema_creators = {{"shop", {"owner", "engine"}}};
  shard.available_versions = {{"citext", {"1.6", "1.5"}}};
  EXPECT_EQ(trouble(), "warn extension citext");  // no table needs it
  source.reached = {{.catalog = "pg_type",
                     .kind = "type",
                     .identity = "public.citext",
                     .schema = "public",
                     .extension = "citext",
                     .uses = {"column"},
                     .user = "shop.orders"}};
  EXPECT_EQ(trouble(), "fail extension citext");
  EXPECT_EQ(fix(), "CREATE EXTENSION \"citext\" SCHEMA \"public\" VERSION '1.6';");
  shard.extensions = {{"citext", {"citext", "1.5", "public"}}};
  EXPECT_EQ(fix(), "DROP EXTENSION \"citext\"; CREATE EXTENSION \"citext\" SCHEMA \"public\" VERSION '1.6';");
  shard.available_versions = {{"citext", {"1.5"}}};
  EXPECT_THAT(fix(), HasSubstr("in the migration's manifest: accept {"));
  source.available_versions = {{"citext", {"1.5", "1.6"}}};
  EXPECT_EQ(fix(), "on the source: ALTER EXTENSION \"citext\" UPDATE TO '1.5';");
  shard.extensions = {{"citext", {"citext", "1.6", "ext"}}};
  EXPECT_EQ(fix(), "ALTER EXTENSION \"citext\" SET SCHEMA \"public\";");
  shard.extensions = source.extensions;
  EXPECT_EQ(trouble(), "");
}

TEST_F(object_checks, owners_and_their_rights_in_the_schemas) {
  source.owners = {{"maker", "function shop.f()"}};
  EXPECT_EQ(trouble(), "fail owner_on_shard maker");
  shard.roles.insert("maker");
  EXPECT_EQ(fix(), "GRANT \"maker\" TO \"engine\";");
  shard.engine_memberships.insert("maker");
  EXPECT_EQ(trouble(), "");
  shard.schemas = {{"shop", "postgres"}};
  EXPECT_EQ(trouble(), "fail schema_rights shop: engine; fail schema_rights shop: owner");
  shard.is_engine_superuser = true;
  EXPECT_EQ(trouble(), "");
  shard.is_engine_superuser = false;
  shard.schemas.clear();
  source.tables[0].owner_owns_schema = false;
  EXPECT_EQ(
      fix(),
      "CREATE SCHEMA \"shop\" AUTHORIZATION \"owner\"; GRANT USAGE, CREATE ON SCHEMA \"shop\" TO \"owner\";");
}

TEST_F(object_checks, settings_that_differ_are_compared_as_they_take_effect) {
  source.overrides = {{true, "", "search_path", "shop, public"}};
  EXPECT_THAT(trouble(), HasSubstr("fail setting search_path"));
  EXPECT_EQ(fix(), "ALTER ROLE \"app\" IN DATABASE \"shop\" SET search_path = shop, public;");
  shard.overrides = {{false, "app", "search_path", "shop,public"}};
  EXPECT_EQ(trouble(), "");
  source.overrides = {{false, "app", "statement_timeout", "30s"}, {true, "", "statement_timeout", "1min"}};
  shard.overrides = {{true, "app", "statement_timeout", "30000"}};
  EXPECT_EQ(trouble(), "");
  shard.overrides = {};
  shard.server_settings = source.server_settings = {{"statement_timeout", "0"}};
  EXPECT_EQ(trouble(), "warn setting statement_timeout");
  source.overrides = shard.overrides = {};
  source.server_settings = {{"TimeZone", "America/Sao_Paulo"}};
  shard.server_settings = {{"TimeZone", "UTC"}};
  EXPECT_EQ(trouble(), "fail setting TimeZone");
  source.overrides = {{false, "engine", "timezone", "UTC"}};
  EXPECT_EQ(trouble(), "warn setting TimeZone");  // what the server itself has is hidden
}

TEST_F(object_checks, a_custom_setting_is_named_and_its_value_is_not) {
  source.overrides = {{true, "", "app.secret", "hunter2"}};
  EXPECT_EQ(trouble(), "fail setting app.secret");
  EXPECT_EQ(troubles().find("hunter2"), std::string::npos);
  shard.overrides = {{true, "", "app.secret", "hunter2"}};
  EXPECT_EQ(trouble(), "");
}

TEST_F(object_checks, a_role_that_cannot_write_or_runs_no_triggers) {
  source.overrides = {{false, "engine", "default_transaction_read_only", "on"}};
  EXPECT_THAT(trouble(), HasSubstr("fail setting default_transaction_read_only of engine"));
  source.overrides = {{false, "mirror", "session_replication_role", "replica"}};
  EXPECT_THAT(trouble(), HasSubstr("fail setting session_replication_role of mirror"));
}

TEST_F(object_checks, order_of_text) {
  shard.locale = {"C.utf8", "C.utf8", "c", "", ""};
  EXPECT_EQ(trouble(), "");
  shard.locale = {"en_US.UTF-8", "en_US.UTF-8", "c", "", "2.36"};
  EXPECT_EQ(trouble(), "fail collation shop");
  source.locale = shard.locale;
  source.locale.version = "2.27";
  EXPECT_EQ(trouble(), "warn collation shop");
  source.text_partitions = {{"shop.orders", "shop.orders", "name", ""}};
  EXPECT_EQ(trouble(), "fail collation shop");
  source.locale = shard.locale;
  source.collations = {{"shop.german", {"de", "1"}}};
  shard.collations = {{"shop.german", {"de", "2"}}};
  EXPECT_EQ(trouble(), "warn collation shop.german");
  shard.collations = {{"shop.german", {"fr", "1"}}};
  EXPECT_EQ(trouble(), "fail collation shop.german");
}

TEST_F(object_checks, statements_that_would_miss_something_on_a_shard) {
  source.views = {{"shop.recent", "shop.recent", "", "view"}};
  EXPECT_EQ(trouble(), "warn view_missing shop.recent");
  shard.definitions["view shop.recent"] = "";
  EXPECT_EQ(trouble(), "");
  source.casts = {{"(point AS date)", {"(point AS date)", "CREATE CAST ...", {"pg_catalog"}}}};
  EXPECT_EQ(trouble(), "fail cast_missing (point AS date)");
  source.casts = {{"(shop.mood AS int)", {"(shop.mood AS int)", "CREATE CAST ...", {"pg_catalog", "shop"}}}};
  EXPECT_EQ(trouble(), "warn cast_missing (shop.mood AS int)");
  source.casts = {{"(other.x AS int)", {"(other.x AS int)", "CREATE CAST ...", {"other"}}}};
  source.grants = {{"reporter", "SELECT", "TABLE shop.orders"}};
  EXPECT_EQ(trouble(), "warn other_grants reporter: SELECT");
  EXPECT_THAT(fix(), HasSubstr("GRANT SELECT ON TABLE shop.orders TO \"reporter\""));
  shard.roles.insert("reporter");
  EXPECT_EQ(trouble(), "");
}

TEST_F(object_checks, what_stands_on_a_table_or_under_it) {
  auto const only = [&](auto&& change) {
    auto const before = source;
    change();
    auto const out = trouble();
    source = before;
    return out;
  };
  table_object const one{"shop.orders", "shop.orders", "it", "detail"};
  EXPECT_EQ(only([&] { source.statistics = {one}; }), "warn statistics it");
  EXPECT_EQ(only([&] { source.security_labels = {one}; }), "fail security_label it on shop.orders");
  EXPECT_EQ(only([&] { source.extension_tables = {one}; }), "fail extension_table shop.orders");
  EXPECT_EQ(only([&] { source.constraint_tables = {one}; }), "fail constraint_trigger it on shop.orders");
  EXPECT_EQ(only([&] { source.dictionary_files = {one}; }), "warn text_search_file it");
  EXPECT_EQ(only([&] { source.subscriptions = {one}; }), "fail inbound_subscription it into shop.orders");
  EXPECT_EQ(only([&] { source.event_triggers = {"watch"}; }), "warn event_trigger watch");
  EXPECT_EQ(only([&] { source.default_privileges = {{"", "", "owner", "shop"}}; }),
            "warn default_privileges owner in shop");
  EXPECT_EQ(only([&] { source.tables[0].kind = 'f'; }), "fail foreign_table shop.orders");
  EXPECT_EQ(only([&] { source.tables[0].access_method = "columnar"; }),
            "fail table_access_method shop.orders");
  EXPECT_EQ(only([&] { source.tables[0].tablespace = "fast"; }), "warn tablespace fast");
  EXPECT_EQ(only([&] { source.tables[0].policies = 1; }), "warn row_security shop.orders");
  EXPECT_EQ(only([&] { source.tables[0].table = "shop.a.b"; }), "fail name_with_dot shop.a.b");
  EXPECT_EQ(only([&] { source.compressed_columns = {one}; }), "fail column_compression shop.orders.it");
  EXPECT_EQ(only([&] { source.server_version = 160000; }), "warn version_order PostgreSQL 15");
}

TEST_F(object_checks, a_finding_names_the_onboarded_table_that_it_is_about) {
  auto const table_of = [&](std::string const& id) {
    for (auto const& one : all())
      if (one.id == id && one.level != finding_level::pass) return one.table;
    return std::string("no finding");
  };
  source.tables.push_back(source.tables[0]);
  source.tables[1].table = source.tables[1].quoted = "shop.orders_1";
  source.tables[1].kind = 'f';
  EXPECT_EQ(table_of("foreign_table"), "shop.orders");
  source.rules = {{"shop.orders_1", "shop.orders_1", "also", ""}};
  EXPECT_EQ(table_of("rule"), "shop.orders");
  source.rules.clear();
  source.rules_elsewhere = {{"audit.log", "audit.log", "copies", ""}};
  EXPECT_EQ(table_of("rule"), "");
  add_trigger("dynamic", "BEGIN EXECUTE 'x'; RETURN NEW; END");
  EXPECT_EQ(table_of("trigger_unknown"), "shop.orders");
  source.event_triggers = {"watch"};
  EXPECT_EQ(table_of("event_trigger"), "");
}

}  // namespace
}  // namespace shardway
