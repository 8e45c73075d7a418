// Onboarding of schemas that nobody here wrote: what it makes on shards.
#include "lib/migrate/onboard/table_shape.hpp"
#include "onboard_shapes_fixture.hpp"

namespace shardway {
namespace {

// What does not depend on the servers' versions.
class shapes_once : public shapes {};

// --- Schema public, and types of extensions there

TEST_P(shapes, AS3_tables_in_public_with_types_and_functions_of_extensions_there) {
  std::string columns, indexes;
  for (std::string const name : {"citext", "hstore", "pg_trgm", "uuid-ossp"}) {
    if (!has_extension(name)) continue;
    for (auto* server : {&source_server(), &shard_server()})
      must(server->query("CREATE EXTENSION IF NOT EXISTS \"" + name + "\" SCHEMA public",
                         server == &source_server() ? source_database_ : shard_database_));
    if (GetParam().source == GetParam().shard) on_shard("CREATE EXTENSION IF NOT EXISTS \"" + name + '"');
    if (name == "citext") columns += ", email citext UNIQUE, mails citext[] NOT NULL DEFAULT '{}'";
    if (name == "hstore") columns += ", tags hstore DEFAULT ''";
    if (name == "uuid-ossp") columns += ", token uuid NOT NULL DEFAULT uuid_generate_v4()";
    if (name == "pg_trgm") indexes += "CREATE INDEX names ON people USING gin (name gin_trgm_ops);";
  }
  ASSERT_THAT(columns, HasSubstr("citext")) << "the servers of these tests have contrib modules";
  on_source(
      "SET ROLE owner; CREATE TYPE public.mood AS ENUM ('good', 'bad'); CREATE SEQUENCE public.numbers;"
      "CREATE TABLE public.people (id bigserial PRIMARY KEY, tenant bigint NOT NULL, name text, mood "
      "public.mood, number bigint DEFAULT nextval('public.numbers')" +
      columns + ");" + indexes +
      "CREATE FUNCTION public.tidy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
      "CREATE TRIGGER tidy BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION public.tidy();"
      "CREATE TABLE public.other (id int PRIMARY KEY);"
      "GRANT SELECT, INSERT ON people TO app; GRANT USAGE ON SEQUENCE numbers, people_id_seq TO app;");
  auto const owner_before =
      ask_shard("SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'public'");
  install_for({table("public.people")});
  must(bring_up());
  must(require_same_shape(*source_, *shard_, tables_, {.shard = "shard0", .finished = true}));
  EXPECT_EQ(ask_shard("SELECT to_regclass('public.other') IS NULL"), "t");
  EXPECT_EQ(ask_shard("SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'public'"),
            owner_before)
      << "the shard's public keeps its owner";
  EXPECT_EQ(ask_shard("SELECT count(*) FROM pg_trigger WHERE tgname = 'tidy'"), "1");
  auto const app = open(shard_server(), shard_database_, "app", "shard0");
  must(
      app->simple("INSERT INTO public.people (id, tenant, name) VALUES (nextval('public.people_id_seq'), 1, "
                  "'x') RETURNING email"));
}

TEST_P(shapes_once, AS3_an_extension_that_the_shard_lacks_is_named_before_anything_is_made) {
  on_source("CREATE EXTENSION citext SCHEMA public");
  on_source(
      "SET ROLE owner; CREATE SCHEMA shop; CREATE DOMAIN shop.mail AS public.citext;"
      "CREATE TABLE shop.people (id bigint PRIMARY KEY, tenant bigint NOT NULL, mails shop.mail[])");
  install_for({table("shop.people")});
  auto const failed = bring_up();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), error_code::precondition_failed);
  EXPECT_THAT(failed.error().message(), HasSubstr("extension citext in schema public"));
  EXPECT_THAT(failed.error().hint(), HasSubstr("CREATE EXTENSION \"citext\" SCHEMA \"public\""));
  EXPECT_EQ(ask_shard("SELECT to_regnamespace('shop') IS NULL"), "t");
}

TEST_P(shapes, AS16_functions_and_operator_classes_in_other_schemas_come_along) {
  on_source(
      "SET ROLE owner; CREATE SCHEMA lib; CREATE SCHEMA \"Code\"; CREATE SCHEMA shop;"
      "CREATE FUNCTION \"Code\".stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
      "CREATE FUNCTION lib.next_number() RETURNS bigint LANGUAGE sql AS 'SELECT 7::bigint';"
      "CREATE FUNCTION lib.folded(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower($1)';"
      "CREATE DOMAIN lib.positive AS int CHECK (VALUE > 0);"
      "CREATE COLLATION lib.plain (locale = 'C');"
      "CREATE TABLE lib.behind (id int PRIMARY KEY);"
      "CREATE TABLE shop.t (id bigint PRIMARY KEY DEFAULT lib.next_number(), tenant bigint NOT NULL, n "
      "lib.positive, name text COLLATE lib.plain, CHECK (lib.folded(name) <> 'no'));"
      "CREATE INDEX folded ON shop.t (lib.folded(name));"
      "CREATE TRIGGER stamp BEFORE INSERT ON shop.t FOR EACH ROW EXECUTE FUNCTION \"Code\".stamp();"
      "CREATE TRIGGER shardway_like BEFORE UPDATE ON shop.t FOR EACH ROW EXECUTE FUNCTION \"Code\".stamp();");
  install_for({table("shop.t")});
  must(bring_up());
  EXPECT_EQ(ask_shard("SELECT string_agg(tgname, ',' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = "
                      "'shop.t'::regclass AND tgfoid = '\"Code\".stamp'::regproc"),
            "shardway_like,stamp");
  EXPECT_EQ(ask_shard("SELECT to_regclass('shop.folded') IS NOT NULL AND to_regclass('lib.behind') IS NULL"),
            "t");
}

// --- Nothing may make an application's statement fail

TEST_P(shapes, AS1_a_table_without_a_usable_replica_identity_does_not_join) {
  on_source(
      "SET ROLE owner; CREATE SCHEMA shop;"
      "CREATE TABLE shop.late (id bigint PRIMARY KEY DEFERRABLE, tenant bigint NOT NULL);"
      "CREATE TABLE shop.parts (id bigint, tenant bigint NOT NULL, PRIMARY KEY (id, tenant)) PARTITION BY "
      "RANGE "
      "(id);"
      "CREATE TABLE shop.\"Part 1\" PARTITION OF shop.parts FOR VALUES FROM (0) TO (10);"
      "CREATE TABLE shop.part_2 PARTITION OF shop.parts FOR VALUES FROM (10) TO (20);"
      "CREATE UNLOGGED TABLE shop.part_3 PARTITION OF shop.parts FOR VALUES FROM (20) TO (30);"
      "CREATE TABLE shop.part_4 PARTITION OF shop.parts FOR VALUES FROM (30) TO (40);"
      "CREATE UNIQUE INDEX part_4_other ON shop.part_4 (tenant, id);"
      "ALTER TABLE shop.\"Part 1\" REPLICA IDENTITY NOTHING; ALTER TABLE shop.part_2 REPLICA IDENTITY FULL;"
      "ALTER TABLE shop.part_4 REPLICA IDENTITY USING INDEX part_4_other;");
  install_for({table("shop.late"), table("shop.parts", {"id", "tenant"})});
  must(prepare_groups(source(), {}, {"g"}, "app", options_));
  auto refused = join_publication(source(), migration_, {"g"}, tables_, options_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("shop.late has no primary key that is checked at once"));
  EXPECT_THAT(refused.error().message(), HasSubstr("shop.\"Part 1\" has REPLICA IDENTITY NOTHING"));
  EXPECT_THAT(refused.error().message(), HasSubstr("shop.part_3 is not logged"));
  EXPECT_THAT(refused.error().message(), Not(HasSubstr("part_2")));
  EXPECT_THAT(refused.error().message(), Not(HasSubstr("part_4")));
  EXPECT_EQ(ask_source("SELECT count(*) FROM pg_publication"), "0");
  EXPECT_EQ(ask_source("SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE "
                       "t.tgname LIKE 'shardway%' AND c.relnamespace = 'shop'::regnamespace"),
            "0");
  on_source("DROP INDEX shop.part_4_other");
  refused = join_publication(source(), migration_, {"g"}, tables_, options_);
  EXPECT_THAT(refused.error().message(), HasSubstr("shop.part_4 has no usable replica identity index"));
}

TEST_P(shapes_once, AS15_names_of_ours_in_a_users_table_are_refused) {
  on_source(
      "SET ROLE owner; CREATE SCHEMA shop;"
      "CREATE FUNCTION shop.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
      "CREATE TABLE shop.t (id bigint PRIMARY KEY, tenant bigint NOT NULL, _shardway_version bigint, "
      "shardway_ordinal int);"
      "CREATE INDEX shardway_identity_x ON shop.t (tenant);"
      "CREATE TRIGGER shardway_guard AFTER INSERT ON shop.t EXECUTE FUNCTION shop.f();"
      "CREATE TRIGGER shardway_other AFTER INSERT ON shop.t EXECUTE FUNCTION shop.f()");
  install_for({table("shop.t")});
  auto const refused = check_reserved_names(*source_, tables_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("column _shardway_version of shop.t"));
  EXPECT_THAT(refused.error().message(), HasSubstr("column shardway_ordinal of shop.t"));
  EXPECT_THAT(refused.error().message(), HasSubstr("index shardway_identity_x of shop.t"));
  EXPECT_THAT(refused.error().message(), HasSubstr("trigger shardway_guard of shop.t"));
  EXPECT_THAT(refused.error().message(), Not(HasSubstr("shardway_other")));
}

// --- Nothing that the application may call lets it do what it may not

TEST_P(shapes_once, AP15_functions_that_run_as_their_owner_are_few_and_ask_for_the_callers_right) {
  on_source(
      "SET ROLE owner; CREATE SCHEMA shop; CREATE TABLE shop.t (id bigint PRIMARY KEY, tenant bigint NOT "
      "NULL); "
      "GRANT USAGE ON SCHEMA shop TO app; GRANT SELECT ON shop.t TO app;");
  auto leased = table("shop.t");
  leased.ids = id_strategy_kind::leased;
  leased.capture = capture_kind::trigger;
  install_for({leased});
  must(prepare_groups(source(), {shard()}, {"g"}, "app", options_));
  must(join_publication(source(), migration_, {"g"}, tables_, options_));
  must(raise_capture(source(), node_role::source, tables_, options_));
  must(prepare_id_blocks(source(), tables_, options_));
  EXPECT_EQ(
      ask_source(
          "SELECT string_agg(p.proname, ',' ORDER BY p.proname) FROM pg_proc p WHERE p.pronamespace = "
          "'shardway'::regnamespace AND p.prosecdef AND has_function_privilege('app', p.oid, 'EXECUTE')"),
      "abandon,lease_ids,report_calls");
  EXPECT_EQ(
      ask_source(
          "SELECT count(*) FROM pg_proc p WHERE p.pronamespace = 'shardway'::regnamespace AND p.prosecdef "
          "AND NOT EXISTS (SELECT 1 FROM unnest(p.proconfig) c WHERE c LIKE 'search_path=%')"),
      "0");
  auto const app = open(source_server(), source_database_, "app", "source");
  auto const lease = app->query({"SELECT shardway.lease_ids('shop.t', 1000)"});
  ASSERT_FALSE(lease) << "it may not insert";
  EXPECT_EQ(lease.error().sqlstate(), "42501");
  EXPECT_EQ(app->query({"SELECT key_values FROM shardway.outbox"}).error().sqlstate(), "42501");
  must(app->query({"SELECT 1 FROM shardway.outbox WHERE write_id = '00000000-0000-0000-0000-000000000001'"}));
  on_source("GRANT INSERT ON shop.t TO app");
  EXPECT_GT(std::stoll(std::string(must(app->query({"SELECT shardway.lease_ids('shop.t', 10)"})).text(0, 0))),
            10'000);
}

TEST_P(shapes_once, AP18_foreign_writes_are_counted_and_sampled) {
  on_source(
      "SET ROLE owner; CREATE SCHEMA shop; CREATE TABLE shop.t (id bigint PRIMARY KEY, tenant bigint NOT "
      "NULL)");
  install_for({table("shop.t")});
  must(prepare_groups(source(), {}, {"g"}, "app", options_));
  must(join_publication(source(), migration_, {"g"}, tables_, options_));
  on_source("DO $$ BEGIN FOR i IN 1..250 LOOP INSERT INTO shop.t VALUES (i, i); END LOOP; END $$");
  on_source("SET application_name = 'other'; INSERT INTO shop.t VALUES (0, 0)");
  for (int i = 0; i < 2; ++i) must(source_->query({"SELECT shardway.count_foreign_writes(100)"}));
  EXPECT_EQ(ask_source("SELECT count(*) FROM shardway.foreign_write"), "101");
  EXPECT_EQ(ask_source("SELECT relation || operation || write_count FROM shardway.foreign_writer"),
            "shop.tinsert150");
}

// --- Names

TEST_P(shapes_once, AS14_AS15_odd_names_are_carried) {
  std::string const long_name(63, 'x');
  on_source(
      "SET ROLE owner; CREATE SCHEMA \"Shop Floor\"; CREATE SCHEMA \"select\";"
      "CREATE TYPE \"Shop Floor\".\"Kind Of\" AS ENUM ('a', 'b');"
      "CREATE SEQUENCE \"Shop Floor\".\"Number's \"\"Own\"\"\";"
      "CREATE TABLE \"select\".\"" +
      long_name +
      "\" (\"table\" bigint PRIMARY KEY, tenant bigint NOT NULL);"
      "CREATE TABLE \"Shop Floor\".\"Order Items\" (\"Id No\" bigint DEFAULT nextval('\"Shop "
      "Floor\".\"Number''s "
      "\"\"Own\"\"\"'), held bigint, p_key text, p_version bigint, p_image text, applied text, t int, "
      "excluded int, "
      "kind \"Shop Floor\".\"Kind Of\", \"it's \"\"odd\"\" $f$\" int, \"user\" text, parent bigint, "
      "CONSTRAINT \"Items "
      "Key\" PRIMARY KEY (\"Id No\", held, p_key, p_version), CONSTRAINT \"Other Table\" FOREIGN KEY "
      "(parent) "
      "REFERENCES \"select\".\"" +
      long_name +
      "\") PARTITION BY RANGE (held);"
      "CREATE TABLE \"Shop Floor\".\"Items, Part 1\" PARTITION OF \"Shop Floor\".\"Order Items\" DEFAULT;"
      "CREATE INDEX \"Some Index\" ON \"Shop Floor\".\"Order Items\" (\"user\");"
      "CREATE FUNCTION \"Shop Floor\".slot_of(bigint) RETURNS int LANGUAGE sql AS 'SELECT 0';"
      "CREATE FUNCTION \"Shop Floor\".\"Do It\"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; "
      "END';"
      "CREATE TRIGGER \"A Trigger\" BEFORE INSERT ON \"Shop Floor\".\"Order Items\" FOR EACH ROW EXECUTE "
      "FUNCTION "
      "\"Shop Floor\".\"Do It\"();"
      "GRANT USAGE ON SCHEMA \"Shop Floor\" TO app; GRANT ALL ON \"Shop Floor\".\"Order Items\" TO app; "
      "GRANT USAGE ON "
      "SEQUENCE \"Shop Floor\".\"Number's \"\"Own\"\"\" TO app;"
      "INSERT INTO \"Shop Floor\".\"Order Items\" (held, p_key, p_version) VALUES (7, 'k', 3)");
  auto items = table("Shop Floor.Order Items", {"Id No", "held", "p_key", "p_version"}, "held");
  items.ids = id_strategy_kind::interleaved;
  auto captured = items;
  captured.capture = capture_kind::trigger;
  install_for({captured, table("select." + long_name, {"table"})});
  must(check_reserved_names(*source_, tables_));
  must(bring_up());
  must(join_publication(source(), migration_, {"g"}, tables_, options_));
  must(raise_capture(source(), node_role::source, tables_, options_));
  must(raise_capture(shard(), node_role::shard, tables_, options_));
  must(prepare_ids(source(), {shard()}, {tables_[0]}, options_));
  EXPECT_EQ(ask_source("SELECT nextval('\"Shop Floor\".\"Number''s \"\"Own\"\"\"') % 64"), "0");
  EXPECT_EQ(ask_shard("SELECT nextval('\"Shop Floor\".\"Number''s \"\"Own\"\"\"') % 64"), "1");
  for (std::string const what : {"conname = 'Other Table'", "conname = 'Items Key'"})
    EXPECT_NE(ask_shard("SELECT count(*) FROM pg_constraint WHERE " + what), "0") << what;
  EXPECT_EQ(ask_shard("SELECT to_regclass('\"Shop Floor\".\"Some Index\"') IS NOT NULL"), "t");
}

// --- Sequences

TEST_P(shapes_once, AS5_AS26_sequences_keep_their_blocks_and_their_room_is_said) {
  on_source(
      "SET ROLE owner; CREATE SCHEMA shop; CREATE SEQUENCE shop.pooled INCREMENT 50; CREATE SEQUENCE "
      "shop.by_trigger; "
      "CREATE SEQUENCE shop.by_text;"
      "CREATE TABLE shop.a (id bigint PRIMARY KEY DEFAULT nextval('shop.pooled'), tenant bigint NOT NULL);"
      "CREATE FUNCTION shop.number() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id := "
      "nextval('shop.by_trigger'); RETURN NEW; END $$;"
      "CREATE TABLE shop.b (id bigint PRIMARY KEY, tenant bigint NOT NULL, code text DEFAULT 'N' || "
      "nextval('by_text'::text));"
      "CREATE TRIGGER number BEFORE INSERT ON shop.b FOR EACH ROW EXECUTE FUNCTION shop.number();"
      "CREATE TABLE shop.small (id smallserial PRIMARY KEY, tenant bigint NOT NULL);"
      "CREATE TABLE shop.outside (id bigserial PRIMARY KEY, tenant bigint NOT NULL);"
      "SELECT setval('shop.by_trigger', 900), setval('shop.by_text', 70), setval('shop.pooled', 1001), "
      "setval('shop.outside_id_seq', 444);"
      "GRANT USAGE ON SCHEMA shop TO app; GRANT USAGE ON ALL SEQUENCES IN SCHEMA shop TO app;");
  std::vector<table_manifest> manifests{table("shop.a"), table("shop.b"), table("shop.small"),
                                        table("shop.outside")};
  for (int i = 0; i < 3; ++i) manifests[static_cast<std::size_t>(i)].ids = id_strategy_kind::interleaved;
  install_for(manifests);
  auto const refused = check_id_room(source(), 1, tables_, options_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("shop.small_id_seq"));
  EXPECT_THAT(refused.error().message(),
              HasSubstr("has no room for interleaved ids: each node would have 35"));
  EXPECT_EQ(ask_source("SELECT count(*) FROM pg_sequence WHERE seqincrement = 64"), "0")
      << "nothing was changed";
  tables_.erase(tables_.begin() + 2);
  must(check_id_room(source(), 1, tables_, options_));
  must(bring_up());
  for (int i = 0; i < 2; ++i) must(prepare_ids(source(), {shard()}, tables_, options_));
  auto const next = [&](bool of_shard, std::string const& sequence) {
    auto const sql = "SELECT nextval('shop." + sequence + "')";
    return std::stoll(of_shard ? ask_shard(sql) : ask_source(sql));
  };
  for (int i = 0; i < 3; ++i) {
    auto const here = next(false, "pooled"), there = next(true, "pooled");
    EXPECT_EQ(here % 3200, 0) << "blocks of 50, as many as the stride";
    EXPECT_EQ(there % 3200, 50);
    EXPECT_GT(std::min(here, there), 11'000);
    EXPECT_EQ(next(false, "by_trigger") % 64, 0);
    EXPECT_EQ(next(true, "by_trigger") % 64, 1);
    EXPECT_EQ(next(false, "by_text") % 64, 0);
    EXPECT_EQ(next(true, "by_text") % 64, 1);
  }
  EXPECT_EQ(ask_source("SELECT string_agg(sequence || ' ' || increment, ',' ORDER BY sequence) FROM "
                       "shardway.sequence_increment"),
            "shop.by_text 1,shop.by_trigger 1,shop.pooled 50");
  EXPECT_EQ(next(true, "outside_id_seq"), 445) << "it does not begin at 1 again";
  auto const app = open(shard_server(), shard_database_, "app", "shard0");
  for (std::string const sequence : {"pooled", "by_trigger", "by_text", "outside_id_seq"})
    must(app->query({"SELECT nextval('shop." + sequence + "')"}));
}

// --- What comes later, and what shards do not have

TEST_P(shapes, AS9_a_foreign_key_waits_until_its_table_is_copied) {
  on_source(
      "SET ROLE owner; CREATE SCHEMA shop; CREATE TABLE shop.colours (name text PRIMARY KEY);"
      "CREATE TABLE shop.t (id bigint PRIMARY KEY, tenant bigint NOT NULL, colour text CONSTRAINT t_colour "
      "REFERENCES shop.colours, amount int);"
      "ALTER TABLE shop.t ADD CONSTRAINT amounts CHECK (amount > 0) NOT VALID;"
      "CREATE VIEW shop.seen AS SELECT * FROM shop.t; GRANT SELECT ON shop.t TO stranger, app;");
  auto colours = table("shop.colours", {"name"});
  colours.kind = table_kind::reference;
  colours.shard_key.clear();
  install_for({table("shop.t"), colours});
  std::vector<table_state> const first{tables_[0]}, second{tables_[1]};
  must(prepare_groups(source(), {shard()}, {"g"}, "app", options_));
  must(create_schema_on_shard(source(), shard(), migration_, first, options_));
  must(finish_schema(source(), shard(), first, options_, std::vector<std::string>{"shop.t"}));
  auto const texts = [&](missing_object::kind_type kind) {
    std::string text;
    for (auto const& object : must(missing_on_shard(*source_, *shard_, migration_, first)))
      if (object.kind == kind) text += object.what + ';';
    return text;
  };
  EXPECT_EQ(texts(missing_object::kind_type::foreign_key), "foreign key t_colour of shop.t;");
  EXPECT_EQ(texts(missing_object::kind_type::other), "");
  EXPECT_EQ(texts(missing_object::kind_type::left_behind), "view shop.seen;");

  must(create_schema_on_shard(source(), shard(), migration_, second, options_));
  on_shard("INSERT INTO shop.t (id, tenant, colour) VALUES (1, 1, 'red')");
  must(complete_foreign_keys(source(), shard(), first, options_, {"shop.t"}));
  EXPECT_NE(texts(missing_object::kind_type::foreign_key), "") << "its rows are not there yet";
  on_shard("INSERT INTO shop.colours (name) VALUES ('red')");
  must(complete_foreign_keys(source(), shard(), first, options_, {"shop.t", "shop.colours"}));
  EXPECT_EQ(texts(missing_object::kind_type::foreign_key), "");
  EXPECT_EQ(ask_shard("SELECT convalidated FROM pg_constraint WHERE conname = 't_colour'"), "t");
  EXPECT_EQ(ask_shard("SELECT convalidated FROM pg_constraint WHERE conname = 'amounts'"), "f");
  on_shard(
      "ALTER TABLE shop.t DROP CONSTRAINT amounts; REVOKE SELECT ON shop.t "
      "FROM "
      "app, stranger");
  EXPECT_EQ(texts(missing_object::kind_type::other),
            "constraint amounts of shop.t;right SELECT on shop.t of role app;");
  EXPECT_EQ(texts(missing_object::kind_type::left_behind),
            "right SELECT on shop.t of role stranger;view shop.seen;");
}

INSTANTIATE_TEST_SUITE_P(servers, shapes,
                         ::testing::Values(versions{13, 15}, versions{15, 15}, versions{13, 18}), name_of);
INSTANTIATE_TEST_SUITE_P(servers, shapes_once, ::testing::Values(versions{13, 15}), name_of);

}  // namespace
}  // namespace shardway
