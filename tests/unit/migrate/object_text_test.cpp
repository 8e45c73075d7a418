#include "lib/migrate/preflight/object_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shardway {
namespace {

using namespace migrate::preflight;

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(object_text, relations_that_are_written_and_read) {
  auto const body = read_body(R"(
    BEGIN
      INSERT INTO audit.log (what) SELECT x FROM shop.a, "Odd Name" o JOIN only b USING (id);
      UPDATE ONLY shop.totals SET n = n + 1;
      DELETE FROM Stale WHERE id = OLD.id;
      TRUNCATE TABLE scratch;
    END)");
  EXPECT_THAT(body.written, ElementsAre(object_name{"", "scratch"}, object_name{"", "stale"},
                                        object_name{"audit", "log"}, object_name{"shop", "totals"}));
  EXPECT_THAT(body.read,
              ElementsAre(object_name{"", "Odd Name"}, object_name{"", "b"}, object_name{"shop", "a"}));
}

TEST(object_text, comments_and_literals_name_nothing) {
  auto const body = read_body(R"(
    -- INSERT INTO a VALUES (1)
    /* UPDATE b /* nested */ SET x = 1 */
    RAISE NOTICE 'DELETE FROM c ''quoted'' FROM d', E'\'FROM e', $q$ FROM f $q$, $$ FROM g $$;)");
  EXPECT_THAT(body.written, IsEmpty());
  EXPECT_THAT(body.read, IsEmpty());
}

TEST(object_text, words_of_sql_that_only_look_like_a_relation) {
  auto const body = read_body(
      "SELECT a FOR UPDATE; INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET x = 1;"
      " IF a IS DISTINCT FROM b THEN c := 1; END IF; SELECT * FROM generate_series(1, 2)");
  EXPECT_THAT(body.written, ElementsAre(object_name{"", "t"}));
  EXPECT_THAT(body.read, IsEmpty());
}

TEST(object_text, columns_of_new_that_are_assigned) {
  auto const body = read_body(
      "BEGIN NEW.a := 1; NEW.b = 2; IF NEW.c = 3 THEN NEW.d = 4; END IF; SELECT 1 INTO NEW.e; RETURN NEW; "
      "END");
  EXPECT_THAT(body.assigned, ElementsAre("a", "b", "d", "e"));
  EXPECT_THAT(read_body("BEGIN NEW := jsonb_populate_record(NEW, '{}'); END").assigned, ElementsAre("*"));
}

TEST(object_text, dynamic_sql_notifications_and_calls) {
  EXPECT_TRUE(read_body("BEGIN EXECUTE format('INSERT INTO %I', x); END").is_dynamic);
  EXPECT_FALSE(read_body("GRANT EXECUTE ON FUNCTION f() TO x").is_dynamic);
  EXPECT_TRUE(read_body("PERFORM pg_notify('a', 'b')").notifies);
  EXPECT_TRUE(read_body("NOTIFY changed;").notifies);
  EXPECT_FALSE(read_body("SELECT 'NOTIFY x'").notifies);
  auto const body = read_body("SELECT util.next_code(), pg_catalog.txid_current(), now()");
  EXPECT_THAT(body.called, ElementsAre(object_name{"", "now"}, object_name{"pg_catalog", "txid_current"},
                                       object_name{"util", "next_code"}));
  EXPECT_THAT(node_local_calls(body), ElementsAre("txid_current"));
}

TEST(object_text, text_that_ends_too_early_is_read_to_its_end) {
  for (auto const* text :
       {"'", "\"", "$a$", "/*", "--", "E'\\", "insert into", "new.", "from x,", "$", "a.b."})
    read_body(text);
}

TEST(object_text, schemas_of_a_search_path) {
  EXPECT_THAT(schemas_of_path("\"$user\", public, \"Shop Floor\""), ElementsAre("public", "Shop Floor"));
}

}  // namespace
}  // namespace shardway
