// A key is not a place (AP10): while authority is split, two nodes may give out one primary key for different
// shard keys. No change made for one side's slots touches a row of the other's, and none is dropped in
// silence.
#include "stream_fixture.hpp"

namespace shardway_test {
namespace {

// A wave of half of the first shard's slots.
constexpr slot_range moved{slot_id{0}, slot_id{1023}};

class place_test : public stream_fixture {
 protected:
  void TearDown() override {
    stream_fixture::TearDown();
    ::unsetenv("SHARDWAY_GUARD_OFF");
  }

  static table_state codes(std::string key_type = "text") {
    return table_of("shop.codes", {"code"}, {"customer_id"},
                    {{"code", std::move(key_type), false, true},
                     {"customer_id", "bigint", false, true},
                     {"note", "text", false, false},
                     {"large", "text", false, false}});
  }
  static table_state lines() {
    return table_of("shop.lines", {"country", "number"}, {"customer_id"},
                    {{"country", "text", false, true},
                     {"number", "integer", false, true},
                     {"customer_id", "bigint", false, true},
                     {"note", "text", false, false}});
  }

  /// Tables without a row; a customer of each side, both placed on the first shard; the wave is done.
  void begin(std::string const& key_type = "text") {
    install(
        "CREATE TABLE shop.codes (code " + key_type +
            " PRIMARY KEY, customer_id bigint NOT NULL, note text, large text); ALTER TABLE shop.codes ALTER "
            "COLUMN large SET STORAGE EXTERNAL; CREATE TABLE shop.lines (country text, number integer, "
            "customer_id bigint NOT NULL, note text, PRIMARY KEY (country, number))",
        {codes(key_type), lines()}, "SELECT 1");
    start();
    copy();
    shard_ = open(fleet_->shard(0));
    a_ = customer("BETWEEN 1024 AND 2047");
    b_ = customer("< 1024");
  }
  void split() {
    require(engine_->start_mirror(shard_id{0}));
    flip(*source_, moved, epoch{2}, false);
    catch_up();
    flip(*shard_, moved, epoch{3}, true);
  }
  std::string customer(std::string const& slots) {
    return one(*source_, "SELECT n FROM generate_series(1::bigint, 9999) AS n WHERE shardway.slot_of(n) " +
                             slots + " ORDER BY n LIMIT 1");
  }

  /// Everything written from now on is late: streams and mirrors are away.
  void hold_back() { engine_.reset(); }
  void let_go() {
    start();
    require(engine_->start_mirror(shard_id{0}));
  }
  void settle() {
    catch_up();
    auto const end = *lsn::parse(one(*shard_, "SELECT pg_current_wal_flush_lsn()"));
    expect_soon("the mirror has caught up", [&] {
      auto const state = engine_->mirror(shard_id{0});
      if (state.failure)
        throw std::runtime_error(state.failure->to_string() + " " + state.failure->server_detail());
      return state.position.applied >= end;
    });
  }

  void write_shard(std::string const& sql) {
    run(*shard_, "BEGIN; SET LOCAL shardway.writer = 'client/sales'; " + sql + "; COMMIT");
  }
  static std::string owners(session& node, std::string const& table = "shop.codes") {
    return one(node,
               "SELECT coalesce(string_agg(customer_id || ':' || count, ' ' ORDER BY customer_id), '') FROM "
               "(SELECT customer_id, count(*) FROM " +
                   table + " GROUP BY 1) AS x");
  }
  static std::string conflicts(session& node) {
    return one(node,
               "SELECT coalesce(string_agg(stream || ' ' || relation, ',' ORDER BY id), '') FROM "
               "shardway.conflict");
  }
  /// A dual write of a row of A, made now.
  std::string dual(std::string const& code, std::string const& customer, int slot, bool remove = false,
                   session* by = nullptr) {
    run(*source_, "SELECT pg_logical_emit_message(true, 'test', 'past what was applied')");
    auto const version = one(*source_, "SELECT shardway.row_version(1, pg_current_wal_insert_lsn())");
    return one(by ? *by : *shard_, "SELECT " + names::apply_function("shop.codes") +
                                       "(gen_random_uuid(), 1, " + version + ", " + std::to_string(slot) +
                                       ", " + (remove ? "true" : "false") + ", ARRAY['" + code +
                                       "'], ARRAY['" + code + "', '" + customer + "', 'dual', NULL])");
  }
  int slot_of(std::string const& customer) {
    return std::stoi(one(*source_, "SELECT shardway.slot_of(" + customer + "::bigint)"));
  }

  /// 200 rounds: A deletes its row on the source, its dual write takes it from the shard, B gives the key out
  /// there; the stream's delete comes last.
  void play_late_deletes() {
    run(*source_,
        "INSERT INTO shop.codes SELECT 'N' || n, " + a_ + ", 'of A' FROM generate_series(1, 200) AS n");
    catch_up();
    ASSERT_EQ(owners(*shard_), a_ + ":200");
    hold_back();
    for (int n = 1; n <= 200; ++n) {
      auto const code = "N" + std::to_string(n);
      run(*source_, "DELETE FROM shop.codes WHERE code = '" + code + "'");
      ASSERT_EQ(dual(code, a_, slot_of(a_), true), "applied");
      write_shard("INSERT INTO shop.codes VALUES ('" + code + "', " + b_ + ", 'of B')");
    }
    let_go();
  }

  std::string a_, b_;
  std::unique_ptr<session> shard_;
};

TEST_F(place_test, late_deletes_leave_the_rows_of_another_place) {  // AP10
  begin();
  split();
  play_late_deletes();
  settle();
  EXPECT_EQ(owners(*shard_), b_ + ":200");
  EXPECT_EQ(owners(*source_), b_ + ":200");
  EXPECT_EQ(conflicts(*shard_) + conflicts(*source_), "") << "what the delete was for is so";
}

TEST_F(place_test, without_the_guard_every_one_of_them_is_lost) {  // AP10
  ::setenv("SHARDWAY_GUARD_OFF", "key_and_place", 1);
  begin();
  split();
  play_late_deletes();
  catch_up();
  EXPECT_EQ(owners(*shard_), "");
}

// Both sides give one key out, and neither knows. Each row stays where it was acknowledged; each target says
// what it could not write; everything else goes on.
TEST_F(place_test, a_key_that_both_sides_gave_out_is_noted_and_nothing_stops) {  // AP10
  begin();
  split();
  run(*source_, "INSERT INTO shop.codes SELECT 'old' || n, " + a_ +
                    ", 'of A', repeat(md5('a'), 200) FROM "
                    "generate_series(1, 3) AS n");
  settle();
  hold_back();
  run(*source_, "INSERT INTO shop.codes VALUES ('both', " + a_ + ", 'of A', repeat(md5('b'), 200)), ('A', " +
                    a_ + ", 'of A')");
  write_shard("INSERT INTO shop.codes VALUES ('both', " + b_ + ", 'of B'), ('B', " + b_ + ", 'of B')");
  let_go();
  settle();
  EXPECT_EQ(owners(*source_),
            one(*source_, "SELECT least(" + a_ + ", " + b_ + ") || ':' || CASE WHEN " + a_ + " < " + b_ +
                              " THEN '5 " + b_ + ":1' ELSE '1 " + a_ + ":5' END"));
  EXPECT_EQ(one(*shard_, "SELECT note FROM shop.codes WHERE code = 'both'"), "of B");
  EXPECT_EQ(one(*shard_, "SELECT count(*) FROM shop.codes WHERE code IN ('A', 'B')"), "2");
  EXPECT_EQ(conflicts(*shard_), "source shop.codes");
  EXPECT_EQ(conflicts(*source_), "shard1 shop.codes");
  EXPECT_EQ(one(*shard_,
                "SELECT slot || ' ' || held_slot || ' ' || (version > 0)::text || ' ' || held_version || "
                "' ' || (key_digest = encode(sha256('{\"both\"}'), 'hex'))::text FROM shardway.conflict"),
            std::to_string(slot_of(a_)) + " " + std::to_string(slot_of(b_)) + " true 0 true");

  // Later changes of either row: whole images, images with large values left out, a new key.
  run(*source_, "UPDATE shop.codes SET note = 'A again' WHERE code = 'both'");
  write_shard(
      "UPDATE shop.codes SET note = 'B again' WHERE code = 'both'; UPDATE shop.codes SET code = 'old1x' "
      "WHERE code = 'B'");
  run(*source_,
      "BEGIN; UPDATE shop.codes SET note = note || '!' WHERE code IN ('old1', 'old2', 'old3'); DELETE FROM "
      "shop.codes WHERE "
      "code = 'old2'; COMMIT");
  settle();
  EXPECT_EQ(one(*shard_, "SELECT note FROM shop.codes WHERE code = 'both'"), "B again");
  EXPECT_EQ(one(*source_, "SELECT note FROM shop.codes WHERE code = 'both'"), "A again");
  EXPECT_EQ(one(*source_, "SELECT count(*) FROM shop.codes WHERE code = 'old1x'"), "1");
  EXPECT_EQ(
      one(*shard_,
          "SELECT string_agg(code || note, ' ' ORDER BY code) FROM shop.codes WHERE customer_id = " + a_),
      "Aof A old1of A! old3of A!");
  EXPECT_EQ(conflicts(*shard_), "source shop.codes");
  EXPECT_EQ(conflicts(*source_), "shard1 shop.codes");

  // A gives the key up: the shard has nothing left to say, and the source still lacks B's row.
  run(*source_, "DELETE FROM shop.codes WHERE code = 'both'");
  write_shard("UPDATE shop.codes SET note = 'B alone' WHERE code = 'both'");
  settle();
  EXPECT_EQ(conflicts(*shard_), "");
  EXPECT_EQ(conflicts(*source_), "shard1 shop.codes");
  EXPECT_EQ(one(*shard_, "SELECT note FROM shop.codes WHERE code = 'both'"), "B alone");
  write_shard("DELETE FROM shop.codes WHERE code = 'both'; INSERT INTO shop.codes VALUES ('both', " + b_ +
              ", 'B anew')");
  settle();
  EXPECT_EQ(conflicts(*source_), "");
  EXPECT_EQ(one(*source_, "SELECT note FROM shop.codes WHERE code = 'both'"), "B anew");
}

// A copy onto a shard that has authority for other slots: after a table was to be copied again, say.
TEST_F(place_test, a_copy_leaves_the_rows_of_another_place) {  // AP10
  install(
      "CREATE TABLE shop.codes (code text PRIMARY KEY, customer_id bigint NOT NULL, note text, large text)",
      {codes()}, "SELECT 1");
  shard_ = open(fleet_->shard(0));
  a_ = customer("BETWEEN 1024 AND 2047");
  b_ = customer("< 1024");
  start();
  flip(*source_, moved, epoch{2}, false);
  flip(*shard_, moved, epoch{3}, true);
  write_shard("INSERT INTO shop.codes VALUES ('both', " + b_ + ", 'of B')");
  run(*source_, "INSERT INTO shop.codes SELECT 'A' || n, " + a_ +
                    ", 'of A' FROM generate_series(1, 700) AS n; INSERT "
                    "INTO shop.codes VALUES ('both', " +
                    a_ + ", 'of A')");
  copy();
  EXPECT_EQ(one(*shard_, "SELECT note FROM shop.codes WHERE code = 'both'"), "of B");
  EXPECT_EQ(one(*shard_, "SELECT count(*) FROM shop.codes"), "701");
  EXPECT_EQ(conflicts(*shard_), "copy shop.codes");
}

// A new key of a row of one side may be one that the other has given out.
TEST_F(place_test, a_row_that_moves_to_a_key_of_another_place_leaves_its_old_one) {  // AP10
  begin();
  split();
  run(*source_, "INSERT INTO shop.codes VALUES ('a1', " + a_ + ", 'of A')");
  write_shard("INSERT INTO shop.codes VALUES ('b1', " + b_ + ", 'of B'), ('b3', " + b_ + ", 'of B')");
  settle();
  hold_back();
  run(*source_, "INSERT INTO shop.codes VALUES ('b2', " + a_ +
                    ", 'of A'); UPDATE shop.codes SET code = 'a2' WHERE "
                    "code = 'a1'");
  write_shard("UPDATE shop.codes SET code = 'b2' WHERE code = 'b1'; INSERT INTO shop.codes VALUES ('a2', " +
              b_ + ", 'of B')");
  let_go();
  settle();
  EXPECT_EQ(one(*source_, "SELECT string_agg(code || ' ' || note, ',' ORDER BY code) FROM shop.codes"),
            "a2 of A,b2 of A,b3 of B");
  EXPECT_EQ(one(*shard_, "SELECT string_agg(code || ' ' || note, ',' ORDER BY code) FROM shop.codes"),
            "a2 of B,b2 of B,b3 of B");
  EXPECT_EQ(one(*shard_, "SELECT count(*) FROM shardway.conflict"), "2");
  EXPECT_EQ(one(*source_, "SELECT count(*) FROM shardway.conflict"), "2");
}

TEST_F(place_test, other_keys_a_truncate_and_a_unique_value_are_guarded_too) {  // AP10
  begin("uuid");
  run(*source_, "CREATE UNIQUE INDEX ON shop.codes (note)");
  run(*shard_, "CREATE UNIQUE INDEX ON shop.codes (note)");
  split();
  auto const u = [](int n) { return "'00000000-0000-0000-0000-00000000000" + std::to_string(n) + "'"; };
  run(*source_, "INSERT INTO shop.codes VALUES (" + u(1) + ", " + a_ + ", 'a1'), (" + u(2) + ", " + a_ +
                    ", 'a2'); INSERT INTO shop.lines VALUES ('de', 1, " + a_ + ", 'of A'), ('de', 2, " + a_ +
                    ", 'of A')");
  settle();
  hold_back();
  run(*source_, "DELETE FROM shop.codes WHERE code = " + u(1) +
                    "; DELETE FROM shop.lines WHERE number = 1; UPDATE "
                    "shop.codes SET note = 'same' WHERE code = " +
                    u(2));
  ASSERT_EQ(dual(u(1).substr(1, 36), a_, slot_of(a_), true), "applied");
  run(*shard_,
      "SET session_replication_role = replica; DELETE FROM shop.lines WHERE number = 1; RESET "
      "session_replication_role");
  write_shard("INSERT INTO shop.codes VALUES (" + u(1) + ", " + b_ + ", 'b1'), (" + u(3) + ", " + b_ +
              ", 'same'); INSERT INTO shop.lines VALUES ('de', 1, " + b_ + ", 'of B')");
  let_go();
  settle();
  EXPECT_EQ(one(*shard_, "SELECT string_agg(note, ' ' ORDER BY code) FROM shop.codes"), "b1 a2 same");
  EXPECT_EQ(one(*source_, "SELECT string_agg(note, ' ' ORDER BY code) FROM shop.codes"), "b1 same");
  EXPECT_EQ(one(*shard_, "SELECT string_agg(note, ' ' ORDER BY number) FROM shop.lines"), "of B of A");
  EXPECT_EQ(one(*source_, "SELECT string_agg(note, ' ' ORDER BY number) FROM shop.lines"), "of B of A");
  EXPECT_EQ(one(*shard_, "SELECT reason FROM shardway.conflict"),
            "a row of another place has a unique value of it");
  EXPECT_EQ(one(*source_, "SELECT reason FROM shardway.conflict"),
            "a row of the source has a unique value of a shard's row");
  run(*source_, "TRUNCATE shop.lines");
  catch_up();
  EXPECT_EQ(owners(*shard_, "shop.lines"), b_ + ":1");
}

// After the way back one node decides again: the key passes from hand to hand as before.
TEST_F(place_test, after_a_rollback_a_key_changes_hands_as_before) {  // AP10
  begin();
  split();
  write_shard("INSERT INTO shop.codes VALUES ('N', " + b_ + ", 'of B')");
  settle();
  flip(*shard_, moved, epoch{4}, false);
  settle();
  flip(*source_, moved, epoch{5}, true);
  run(*source_, "DELETE FROM shop.codes WHERE code = 'N'");
  run(*source_, "INSERT INTO shop.codes VALUES ('N', " + a_ + ", 'of A')");
  catch_up();
  EXPECT_EQ(owners(*shard_), a_ + ":1");
  EXPECT_EQ(conflicts(*shard_) + conflicts(*source_), "");
}

TEST_F(place_test, the_guarded_apply_trusts_no_slot_and_no_role_without_rights) {  // AP10, AP15
  begin();
  split();
  write_shard("INSERT INTO shop.codes VALUES ('B', " + b_ + ", 'of B')");
  settle();
  hold_back();
  EXPECT_EQ(dual("B", a_, slot_of(a_)), "conflict");
  EXPECT_EQ(dual("B", b_, slot_of(a_)), "other_slot");
  EXPECT_EQ(dual("B", b_, slot_of(b_)), "authority");
  EXPECT_EQ(dual("B", b_, slot_of(a_), true), "newer_present");
  EXPECT_EQ(dual("A", a_, slot_of(a_)), "applied");
  run(*shard_, "GRANT USAGE ON SCHEMA shop TO app");
  auto const app =
      value_of(connect({.node = "shard1", .conninfo = fleet_->conninfo(fleet_->shard(0)) + " user=app"}));
  EXPECT_EQ(dual("new", a_, slot_of(a_), false, app.get()), "not_permitted");
  EXPECT_EQ(dual("A", a_, slot_of(a_), true, app.get()), "not_permitted");
  run(*shard_, "GRANT UPDATE (note) ON shop.codes TO app");
  EXPECT_EQ(dual("A", a_, slot_of(a_), false, app.get()), "applied");
  EXPECT_EQ(dual("A", a_, slot_of(a_), true, app.get()), "not_permitted");
  EXPECT_EQ(owners(*shard_), one(*shard_, "SELECT least(" + a_ + ", " + b_ + ") || ':1 ' || greatest(" + a_ +
                                              ", " + b_ + ") || ':1'"));
}

// Whoever sets the mark of a dual write: a row that the shard has authority for is mirrored.
TEST_F(place_test, a_mark_does_not_hide_what_the_shard_has_authority_for) {  // AP15
  begin();
  split();
  write_shard("SELECT shardway.mark('dual_write'); INSERT INTO shop.codes VALUES ('B', " + b_ + ", 'of B')");
  settle();
  EXPECT_EQ(owners(*source_), b_ + ":1");
  write_shard("SELECT shardway.mark('dual_write'); DELETE FROM shop.codes");
  settle();
  EXPECT_EQ(owners(*source_), "");
}

// AP20: a delete of the shard that finds no row on the source is counted.
TEST_F(place_test, a_mirrored_delete_that_finds_nothing_is_counted) {  // AP20
  begin();
  split();
  write_shard("INSERT INTO shop.codes VALUES ('B', " + b_ + ", 'of B')");
  settle();
  run(*source_,
      "SET session_replication_role = replica; BEGIN; " +
          std::string("INSERT INTO shardway.stream_progress (stream, applied_lsn, marker, changes, outbox, "
                      "duplicates, healed, corrected, side_effects, foreign_writes) VALUES ('repair', '0/0', "
                      "0, 0, 0, 0, 0, 0, 0, 0); DELETE FROM shop.codes; COMMIT; RESET "
                      "session_replication_role"));
  write_shard("DELETE FROM shop.codes");
  settle();
  EXPECT_EQ(engine_->mirror(shard_id{0}).position.totals.corrected, 1);
}

// AP20: in numeric 1.0 equals 1.00. A row found by its key still gets the key's own text.
TEST_F(place_test, a_key_that_is_equal_but_not_the_same_is_written) {  // AP20
  begin("numeric");
  run(*source_, "INSERT INTO shop.codes VALUES (1.0, " + a_ + ", 'first')");
  catch_up();
  hold_back();
  run(*source_, "DELETE FROM shop.codes");
  run(*source_, "INSERT INTO shop.codes VALUES (1.00, " + a_ + ", 'second')");
  EXPECT_EQ(dual("1.00", a_, slot_of(a_)), "applied");
  EXPECT_EQ(one(*shard_, "SELECT code FROM shop.codes"), "1.00");
  start();
  catch_up();
  EXPECT_EQ(one(*shard_, "SELECT code FROM shop.codes"), "1.00");
}

}  // namespace
}  // namespace shardway_test
