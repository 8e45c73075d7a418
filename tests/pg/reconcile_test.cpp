// Repairs: the side without authority becomes equal to the authority's copy, and nothing newer is ever
// undone.
#include "shardway/migrate/verify/reconcile.hpp"

#include <cstdlib>
#include <future>

#include "shardway/catalog/certificate.hpp"
#include "shardway/testing/stop_points.hpp"
#include "verify_fixture.hpp"

namespace {

using namespace shardway_test;

class reconcile_test : public verify_fixture {
 protected:
  static std::string text(int id) { return std::to_string(id); }
  static std::string row_of(int id, std::string const& note) {
    return "(" + text(id) + ", " + text(id) + ", '" + note + "', " + text(id) + " * 1.10)";
  }

  result<std::vector<repair_report>> try_repair(std::vector<table_verdict> const& found,
                                                std::int64_t token = 0) {
    return reconcile_group(nodes(), now_, "sales", found, token, options_);
  }

  std::vector<repair_report> repair(std::vector<table_verdict> const& found) {
    return value_of(try_repair(found));
  }

  /// A verdict that names one row of shop.orders, as a verification would have.
  static std::vector<table_verdict> verdict_on(int id, difference_kind kind, std::string node) {
    table_verdict found;
    found.relation = "shop.orders";
    found.found = verdict::different;
    found.rows_named = {{.kind = kind, .node = std::move(node), .key_digest = "d1", .key = {text(id)}}};
    return {found};
  }

  /// "kind node", sorted.
  static std::vector<std::string> told(std::vector<repair_report> const& repairs) {
    std::vector<std::string> out;
    for (auto const& one : repairs) out.push_back(one.kind + " " + one.node);
    std::sort(out.begin(), out.end());
    return out;
  }

  static std::string note(session& on, int id) {
    auto const found = run(on, "SELECT coalesce(note, 'null') FROM shop.orders WHERE id = " + text(id));
    return found.empty() ? "absent" : std::string(found.text(0, 0));
  }

  std::string recorded() {
    return one(
        *source_,
        "SELECT coalesce(string_agg(kind || ' ' || node, ',' ORDER BY kind, node), '') FROM shardway.repair");
  }

  void expect_equal() {
    for (auto const& found : verify())
      EXPECT_EQ(found.found, verdict::equal) << found.relation << ::testing::PrintToString(named(found));
  }

  /// Runs a repair that pauses at a stop point, does `meanwhile`, and lets it go on.
  std::vector<repair_report> repair_while_paused(std::vector<table_verdict> const& found,
                                                 std::string const& where,
                                                 std::function<void()> const& meanwhile) {
    auto const file = fleet_->folder() / "stopped";
    setenv("SHARDWAY_STOP_FILE", file.c_str(), 1);
    shardway::testing::selected_stop_points const stops(where + ":pause");
    auto repairing = std::async(std::launch::async, [&] { return try_repair(found); });
    auto const reached = shardway::testing::wait_for_stop(file, 5s);
    if (reached) meanwhile();
    shardway::testing::release_stop(file);
    auto repairs = repairing.get();
    require(reached);
    return value_of(std::move(repairs));
  }

  bool key_lock_is_free(session& on, int id) {
    return one(on,
               "SELECT pg_try_advisory_xact_lock(shardway.key_lock_class('shop.orders'), "
               "shardway.key_lock_bucket(ARRAY['" +
                   text(id) + "']))") == "t";
  }
};

TEST_F(reconcile_test, repairs_every_kind_of_fault) {  // V6
  add_orders(200);
  auto const a = id_on(0, 1), b = id_on(0, 2), c = id_on(1, 1), d = id_on(1, 2), e = id_on(0, 3),
             f = id_on(1, 3);
  run(shard(0), "UPDATE shop.orders SET _shardway_version = 77");
  run(shard(0), "DELETE FROM shop.orders WHERE id = " + text(a));
  run(shard(0), "UPDATE shop.orders SET total = total + 0.01 WHERE id = " + text(b));
  run(*source_, "UPDATE shop.orders SET note = NULL WHERE id = " + text(c));
  run(shard(1), "UPDATE shop.orders SET note = '' WHERE id = " + text(c));
  run(shard(1), "DELETE FROM shop.orders WHERE id = " + text(d));
  run(shard(0), "INSERT INTO shop.orders VALUES " + row_of(d, "note " + text(d)));
  run(shard(1), "INSERT INTO shop.orders VALUES " + row_of(e, "note " + text(e)));
  run(*source_, "DELETE FROM shop.orders WHERE id = " + text(f));
  auto const repairs = repair(verify());
  EXPECT_EQ(told(repairs),
            (std::vector<std::string>{"delete shard1", "delete shard2", "delete shard2", "insert shard1",
                                      "insert shard2", "update shard1", "update shard2"}));
  EXPECT_EQ(
      recorded(),
      "delete shard1,delete shard2,delete shard2,insert shard1,insert shard2,update shard1,update shard2");
  EXPECT_EQ(one(shard(0), "SELECT _shardway_version FROM shop.orders WHERE id = " + text(b)), "77")
      << "a repair never raises a version";
  EXPECT_EQ(one(shard(0), "SELECT _shardway_version FROM shop.orders WHERE id = " + text(a)), "0");
  expect_equal();
  EXPECT_TRUE(repair(verify()).empty());
}

TEST_F(reconcile_test, repairs_every_shard_of_a_reference_table) {
  add_table("shop.colors", "code text PRIMARY KEY, label text", {"code"}, {});
  run(*source_, "INSERT INTO shop.colors SELECT 'c' || i, 'color ' || i FROM generate_series(1, 30) i");
  copy_table("shop.colors");
  run(shard(0), "DELETE FROM shop.colors WHERE code = 'c7'");
  run(shard(1),
      "UPDATE shop.colors SET label = 'x' WHERE code = 'c7'; INSERT INTO shop.colors VALUES ('c99', 'new')");
  EXPECT_EQ(told(repair(verify())),
            (std::vector<std::string>{"delete shard2", "insert shard1", "update shard2"}));
  expect_equal();
}

TEST_F(reconcile_test, repairs_rows_of_many_types_and_keys) {
  everywhere("CREATE TYPE shop.mood AS ENUM ('zeta', 'alpha')");
  add_table("shop.kinds",
            "customer_id bigint, line text, m shop.mood, j jsonb, a text[], f float8, raw bytea, n numeric, "
            "doubled numeric GENERATED ALWAYS AS (n * 2) STORED, "
            "at timestamptz, ident bigint GENERATED BY DEFAULT AS IDENTITY, PRIMARY KEY (customer_id, line)",
            {"customer_id", "line"}, {"customer_id"});
  run(*source_,
      "INSERT INTO shop.kinds (customer_id, line, m, j, a, f, raw, n, at) SELECT i, E'\"l'' \\\\' || i, "
      "'zeta', '{\"a\": [1, null]}', ARRAY['x', NULL, '\"'], '-0', '\\x00ff', 1.50, now() "
      "FROM generate_series(1, 40) i");
  copy_table("shop.kinds");
  for (std::size_t i = 0; i < 2; ++i)
    run(shard(i),
        "DELETE FROM shop.kinds WHERE customer_id % 3 = 0; UPDATE shop.kinds SET f = 0, m = 'alpha', a = "
        "NULL WHERE customer_id % 3 = 1");
  EXPECT_FALSE(repair(verify()).empty());
  expect_equal();
}

TEST_F(reconcile_test, repairs_the_source_where_the_shards_have_authority) {
  add_orders(60);
  move_all();
  auto const a = id_on(0, 1), b = id_on(1, 1), c = id_on(1, 2);
  run(*source_, "DELETE FROM shop.orders WHERE id = " + text(a));
  run(*source_, "UPDATE shop.orders SET note = 'x' WHERE id = " + text(b));
  run(shard(1), "DELETE FROM shop.orders WHERE id = " + text(c));
  EXPECT_EQ(told(repair(verify())),
            (std::vector<std::string>{"delete source", "insert source", "update source"}));
  EXPECT_EQ(note(shard(0), a), "note " + text(a));
  EXPECT_EQ(note(shard(1), b), "note " + text(b));
  EXPECT_EQ(one(*source_, "SELECT count(*) FROM shardway.stream_progress WHERE stream = 'repair'"), "3")
      << "the mark by which the stream skips them";
  expect_equal();
}

TEST_F(reconcile_test, runs_no_trigger_and_no_write_guard) {  // F2
  add_orders(20);
  everywhere(
      "CREATE FUNCTION shop.shout() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.note := ''trigger''; "
      "RETURN NEW; END'; "
      "CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION "
      "shop.shout()");
  for (std::size_t i = 0; i < 2; ++i)
    run(shard(i), write_guard_sql(write_guard::refusing, "shop.orders", "sales", {}));
  auto const id = id_on(0);
  run(shard(0),
      "BEGIN; SELECT set_config('shardway.writer', 'stream', true); SET LOCAL session_replication_role = "
      "replica; DELETE FROM shop.orders WHERE id = " +
          text(id) + "; COMMIT");
  EXPECT_EQ(told(repair(verify())), (std::vector<std::string>{"insert shard1"}));
  EXPECT_EQ(note(shard(0), id), "note " + text(id));
}

TEST_F(reconcile_test, makes_older_certificates_void) {
  add_orders(20);
  auto const certify = [&](table_verdict const& found) {
    require(insert_certificate(*source_, 0,
                               {.group = "sales",
                                .relation = found.relation,
                                .found = found.found,
                                .row_count = found.rows,
                                .as_of = found.as_of,
                                .started_at = found.started_at}));
  };
  auto const gaps = [&] { return value_of(certificate_gaps(*source_, {"shop.orders"}, 0s)).size(); };
  certify(verify().at(0));
  EXPECT_EQ(gaps(), 0u);
  auto const before = verify();
  run(shard(0), "DELETE FROM shop.orders WHERE id = " + text(id_on(0)));
  EXPECT_EQ(repair(verify()).size(), 1u);
  EXPECT_EQ(gaps(), 1u);
  certify(before.at(0));  // written now, but its reads are older than the repair
  EXPECT_EQ(gaps(), 1u);
  certify(verify().at(0));
  EXPECT_EQ(gaps(), 0u);
}

TEST_F(reconcile_test, is_refused_to_a_controller_that_was_replaced) {
  add_orders(20);
  auto const id = id_on(0);
  run(shard(0), "DELETE FROM shop.orders WHERE id = " + text(id));
  run(shard(0), "SELECT shardway.raise_token(5, 'other')");
  auto const refused = try_repair(verify(), 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::not_leader);
  EXPECT_EQ(note(shard(0), id), "absent");
  EXPECT_EQ(recorded(), "");
}

TEST_F(reconcile_test, frees_rows_that_hold_each_others_unique_values) {
  add_table("shop.people", "id bigint PRIMARY KEY, customer_id bigint NOT NULL, email text UNIQUE", {"id"},
            {"customer_id"});
  auto const a = id_on(0, 1), b = id_on(0, 2);
  run(*source_, "INSERT INTO shop.people VALUES (" + text(a) + ", " + text(a) + ", 'x'), (" + text(b) + ", " +
                    text(b) + ", 'y')");
  run(shard(0), "INSERT INTO shop.people VALUES (" + text(b) + ", " + text(b) + ", 'x')");
  EXPECT_EQ(told(repair(verify())), (std::vector<std::string>{"insert shard1", "update shard1"}));
  expect_equal();
}

// V8: the authority's transaction is open while the repair looks, and the stream has not delivered it.
TEST_F(reconcile_test, does_not_lose_an_open_transaction_of_the_authority) {
  add_orders(20);
  auto const id = id_on(0);
  run(shard(0), "DELETE FROM shop.orders WHERE id = " + text(id));
  auto const found = verify();
  auto const writer = open_source();
  run(*writer, "BEGIN");
  run(*writer, "UPDATE shop.orders SET note = 'newest' WHERE id = " + text(id));
  auto repairing = std::async(std::launch::async, [&] { return repair(found); });
  EXPECT_EQ(repairing.wait_for(300ms), std::future_status::timeout) << "a repair must wait for it";
  EXPECT_EQ(note(shard(0), id), "absent");
  run(*writer, "COMMIT");
  EXPECT_EQ(told(repairing.get()), (std::vector<std::string>{"insert shard1"}));
  EXPECT_EQ(note(shard(0), id), "newest");
  EXPECT_EQ(one(shard(0), "SELECT _shardway_version FROM shop.orders WHERE id = " + text(id)), "0")
      << "the stream's own version, when it comes, is newer";
}

TEST_F(reconcile_test, gives_up_on_a_transaction_that_does_not_end) {
  add_orders(20);
  auto const id = id_on(0);
  run(shard(0), "DELETE FROM shop.orders WHERE id = " + text(id));
  auto const found = verify();
  auto const writer = open_source();
  run(*writer, "BEGIN");
  run(*writer, "UPDATE shop.orders SET note = 'newest' WHERE id = " + text(id));
  options_.recheck_wait = 200ms;
  auto const refused = try_repair(found);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::could_not_tell);
  EXPECT_EQ(refused.error().node(), "source");
  EXPECT_EQ(note(shard(0), id), "absent");
}

// V8: the commit is in the WAL, and so on the shard, but a standby delays it: no snapshot of the authority
// shows it yet.
TEST_F(reconcile_test, does_not_undo_a_commit_that_snapshots_do_not_show_yet) {
  add_orders(20);
  auto const id = id_on(0);
  require(fleet_->source().configure({{"synchronous_standby_names", "nobody"}}));
  require(fleet_->source().reload());
  auto writer = std::async(std::launch::async, [&, on = open_source()] {
    (void)on->simple("SET synchronous_commit = on; UPDATE shop.orders SET note = 'newest' WHERE id = " +
                     text(id));
  });
  auto const waiting = [&] {
    return one(*source_, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == "1";
  };
  for (int i = 0; i < 500 && !waiting(); ++i) std::this_thread::sleep_for(10ms);
  bool const was_waiting = waiting();
  run(shard(0),
      "UPDATE shop.orders SET note = 'newest' WHERE id = " + text(id));  // what the stream does with it
  auto repairing = std::async(
      std::launch::async, [&] { return try_repair(verdict_on(id, difference_kind::different, "shard1")); });
  auto const early = repairing.wait_for(400ms);
  auto const meanwhile = note(shard(0), id);
  require(fleet_->source().configure({{"synchronous_standby_names", ""}}));
  require(fleet_->source().reload());
  writer.get();
  auto const repairs = value_of(repairing.get());
  EXPECT_TRUE(was_waiting);
  EXPECT_EQ(early, std::future_status::timeout);
  EXPECT_EQ(meanwhile, "newest");
  EXPECT_TRUE(repairs.empty());
  EXPECT_EQ(note(shard(0), id), "newest");
}

// The stream corrects the row while the repair waits for its lock: there is nothing left to do.
TEST_F(reconcile_test, leaves_a_row_alone_that_changed_meanwhile) {
  add_orders(20);
  auto const id = id_on(0);
  run(shard(0), "UPDATE shop.orders SET note = 'wrong' WHERE id = " + text(id));
  auto const found = verify();
  auto const stream = open_shard(0);
  run(*stream, "BEGIN");
  run(*stream, "UPDATE shop.orders SET note = 'note " + text(id) +
                   "', _shardway_version = 900 WHERE id = " + text(id));
  auto repairing = std::async(std::launch::async, [&] { return repair(found); });
  EXPECT_EQ(repairing.wait_for(200ms), std::future_status::timeout);
  run(*stream, "COMMIT");
  EXPECT_TRUE(repairing.get().empty());
  EXPECT_EQ(one(shard(0), "SELECT _shardway_version FROM shop.orders WHERE id = " + text(id)), "900");
  EXPECT_EQ(recorded(), "");
}

TEST_F(reconcile_test, holds_the_row_between_look_and_write) {
  add_orders(20);
  auto const id = id_on(0);
  run(shard(0), "UPDATE shop.orders SET note = 'wrong' WHERE id = " + text(id));
  auto const repairs = repair_while_paused(verify(), "repair_after_authority", [&] {
    auto const changed = open_shard(0)->simple(
        "SET lock_timeout = '100ms'; UPDATE shop.orders SET note = 'newer' WHERE id = " + text(id));
    ASSERT_FALSE(changed);
    EXPECT_EQ(changed.error().sqlstate(), "55P03");
  });
  EXPECT_EQ(told(repairs), (std::vector<std::string>{"update shard1"}));
  EXPECT_EQ(note(shard(0), id), "note " + text(id));
}

// I9: the row is deleted on the authority after the repair has read it; the stream's delete must come after
// the repair's insert, not before.
TEST_F(reconcile_test, brings_no_deleted_row_back_to_a_shard) {
  add_orders(20);
  auto const id = id_on(0);
  run(shard(0), "DELETE FROM shop.orders WHERE id = " + text(id));
  bool free_meanwhile = true;
  auto const repairs = repair_while_paused(verify(), "repair_after_authority", [&] {
    run(*source_, "DELETE FROM shop.orders WHERE id = " + text(id));
    free_meanwhile = key_lock_is_free(*open_shard(0), id);
  });
  EXPECT_FALSE(free_meanwhile) << "the stream takes this lock before it deletes";
  EXPECT_TRUE(key_lock_is_free(shard(0), id));
  EXPECT_EQ(told(repairs), (std::vector<std::string>{"delete shard1", "insert shard1"}))
      << "its next look finds the row gone";
  expect_equal();
}

TEST_F(reconcile_test, brings_no_deleted_row_back_to_the_source) {
  add_orders(20);
  move_all();
  auto const id = id_on(0);
  run(*source_, "DELETE FROM shop.orders WHERE id = " + text(id));
  std::string mirror_said;
  auto const repairs = repair_while_paused(verify(), "repair_after_authority", [&] {
    run(shard(0), "DELETE FROM shop.orders WHERE id = " + text(id));
    // A mirror's transaction begins with its progress row.
    auto const begun = open_source()->simple(
        "SET lock_timeout = '100ms'; INSERT INTO shardway.stream_progress (stream, applied_lsn, marker, "
        "changes, outbox, duplicates, healed, "
        "corrected, side_effects, foreign_writes) VALUES ('shard1', '0/1', 0, 0, 0, 0, 0, 0, 0, 0)");
    mirror_said = begun ? "begun" : begun.error().sqlstate();
  });
  EXPECT_EQ(mirror_said, "55P03");
  EXPECT_EQ(told(repairs), (std::vector<std::string>{"delete source", "insert source"}))
      << "its next look finds the row gone";
  expect_equal();
}

TEST_F(reconcile_test, does_not_write_a_slot_that_has_moved) {
  add_orders(20);
  auto const a = id_on(0, 1), b = id_on(0, 2), c = id_on(0, 3);
  run(shard(0), "UPDATE shop.orders SET note = 'wrong' WHERE id = " + text(a));
  run(shard(0), "DELETE FROM shop.orders WHERE id = " + text(b));
  run(*source_, "DELETE FROM shop.orders WHERE id = " + text(c));
  auto const found = verify();
  ASSERT_EQ(found.at(0).rows_named.size(), 3u);
  // A wave went on meanwhile. The caller's generation does not show it yet.
  flip(*source_, all_slots, epoch{1}, false);
  flip(shard(0), now_.placement[0].slots, epoch{2}, true);
  EXPECT_TRUE(repair(found).empty());
  EXPECT_EQ(note(shard(0), a), "wrong");
  EXPECT_EQ(note(shard(0), b), "absent");
  EXPECT_EQ(note(shard(0), c), "note " + text(c));
  EXPECT_EQ(recorded(), "");
}

TEST_F(reconcile_test, records_a_repair_before_it_counts) {
  add_orders(20);
  auto const id = id_on(0);
  run(shard(0), "DELETE FROM shop.orders WHERE id = " + text(id));
  repair_while_paused(verify(), "repair_before_commit", [&] {
    EXPECT_EQ(recorded(), "insert shard1");
    EXPECT_EQ(note(shard(0), id), "absent");
  });
  EXPECT_EQ(note(shard(0), id), "note " + text(id));
}

}  // namespace
