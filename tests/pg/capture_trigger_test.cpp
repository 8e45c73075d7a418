// Capture by triggers: changes are captured whatever code makes them, and rows of another shard key are
// refused.
#include "capture_fixture.hpp"

namespace {

using namespace shardway_test;

TEST_F(captured, several_statements_and_rows_are_captured_with_their_versions_and_reach_the_shard) {
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const done = value_of(run(session, key, [&](pqxx::dbtransaction& tx) {
    tx.exec(insert_sql(key, key) + ", (" + text(key + 500000) + ", " + text(key) + ", 'second')");
    tx.exec("UPDATE shop.orders SET note = 'changed' WHERE customer_id = " + text(key));
    tx.exec("INSERT INTO shop.items SELECT order_id, 1, customer_id FROM shop.orders WHERE customer_id = $1",
            pqxx::params{key});
  }));
  EXPECT_EQ(done.affected, 6);
  ASSERT_EQ(done.versions.size(), 6U);
  EXPECT_TRUE(std::is_sorted(done.versions.begin(), done.versions.end()));
  EXPECT_EQ(done.dual_write, dual_write_state::applied) << done.dual_write_reason;
  EXPECT_EQ(done.dual_write_rows, 6);
  EXPECT_EQ(note_at(shard_of(key), key), "changed");
  EXPECT_EQ(note_at(shard_of(key), key + 500000), "changed");
  EXPECT_EQ(at(shard_of(key), "SELECT count(*) FROM shop.items WHERE customer_id = " + text(key)), "2");
  EXPECT_EQ(at(shard_of(key),
               "SELECT count(*) FROM shardway.dual_applied WHERE write_id = '" + done.id.to_string() + "'"),
            "6");
  // Each version lies between the change and the commit, under the epoch of the fence.
  EXPECT_EQ(at(source(),
               "SELECT count(*) FROM shardway.outbox o JOIN shop.orders t ON o.relation = 'shop.orders' AND "
               "t.order_id = o.key_values[1]::bigint WHERE o.write_id = '" +
                   done.id.to_string() + "' AND o.version <= shardway.row_version(1, '" +
                   done.position.to_string() + "') AND o.version >> 53 = 1"),
            "4");
  EXPECT_EQ(
      at(shard_of(key), "SELECT _shardway_version FROM shop.orders WHERE order_id = " + text(key)),
      at(source(),
         "SELECT max(version) FROM shardway.outbox WHERE relation = 'shop.orders' AND key_values = ARRAY['" +
             text(key) + "'] AND write_id = '" + done.id.to_string() + "'"));
}

TEST_F(captured, what_a_function_changes_is_captured) {
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const done = value_of(run(session, key, [&](pqxx::dbtransaction& tx) {
    tx.exec("SELECT shop.add_order($1, $2)", pqxx::params{key, key});
  }));
  EXPECT_EQ(outbox_of(done), "i shop.orders " + text(key) + ",i shop.items " + text(key) +
                                 "/1,i shop.items " + text(key) + "/2");
  EXPECT_EQ(done.dual_write, dual_write_state::applied);
  EXPECT_EQ(note_at(shard_of(key), key), "new");
  // The same through `execute`, which cannot analyse such a statement, and through a query of a transaction.
  auto const again = fresh_key();
  auto const one =
      value_of(session.execute("shop.orders", again, "SELECT shop.add_order($1, $1)", {text(again)}));
  EXPECT_EQ(one.dual_write_rows, 3);
  EXPECT_EQ(note_at(shard_of(again), again), "new");
  auto const third = fresh_key();
  auto const queried = value_of(session.write("shop.orders", third, [&](write_transaction& tx) -> result<> {
    BOOST_OUTCOME_TRYV(tx.query("SELECT shop.add_order($1, $1)", {text(third)}));
    return success();
  }));
  EXPECT_EQ(queried.dual_write_rows, 3);
}

TEST_F(captured, what_is_rolled_back_to_a_savepoint_is_not_captured) {  // W14
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const done = value_of(run(session, key, [&](pqxx::dbtransaction& tx) {
    tx.exec(insert_sql(key, key));
    {
      pqxx::subtransaction inner{tx};
      inner.exec(insert_sql(key + 500000, key));
      inner.abort();
    }
    try {
      pqxx::subtransaction inner{tx};
      inner.exec(insert_sql(key, key));
    } catch (pqxx::unique_violation const&) {
    }
    pqxx::subtransaction inner{tx};
    inner.exec("UPDATE shop.orders SET note = 'kept' WHERE order_id = " + text(key));
    inner.commit();
  }));
  EXPECT_EQ(outbox_of(done), "i shop.orders " + text(key) + ",u shop.orders " + text(key));
  EXPECT_EQ(done.affected, 2);
  EXPECT_EQ(done.dual_write_rows, 2);
  EXPECT_EQ(note_at(shard_of(key), key), "kept");
  EXPECT_EQ(note_at(shard_of(key), key + 500000), "absent");
}

TEST_F(captured, without_the_triggers_duty_nothing_reaches_outbox_or_shard) {
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  setenv("SHARDWAY_GUARD_OFF", "capture_trigger", 1);
  auto const escaped = run(session, key, [&](pqxx::dbtransaction& tx) { tx.exec(insert_sql(key, key)); });
  unsetenv("SHARDWAY_GUARD_OFF");
  ASSERT_TRUE(escaped);
  EXPECT_EQ(outbox_of(escaped.value()), "");
  EXPECT_EQ(note_at(shard_of(key), key), "absent");
}

TEST_F(captured, a_function_of_a_role_that_may_not_write_the_outbox_is_captured) {
  at_stage(stage::dual_writing);
  for (auto const* sql :
       {"DROP OWNED BY keeper; DROP ROLE keeper", "CREATE ROLE keeper",
        "GRANT USAGE ON SCHEMA shop TO keeper; GRANT INSERT ON shop.orders, shop.items TO keeper",
        "ALTER FUNCTION shop.add_order(bigint, bigint) OWNER TO keeper"})
    if (auto const ran = source().query(sql); !std::string_view(sql).starts_with("DROP")) require(ran);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const done = value_of(run(session, key, [&](pqxx::dbtransaction& tx) {
    tx.exec("SELECT shop.add_order($1, $1)", pqxx::params{key});
  }));
  at(source(),
     "ALTER FUNCTION shop.add_order(bigint, bigint) OWNER TO postgres; DROP OWNED BY keeper; DROP ROLE "
     "keeper");
  EXPECT_EQ(done.dual_write_rows, 3);
}

TEST_F(captured, W12_W13_rows_of_triggers_and_cascades_are_captured_as_they_are_at_the_end) {
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const stamped = value_of(run(session, key, [&](pqxx::dbtransaction& tx) {
    tx.exec(insert_sql(key, key, "stamped"));
    tx.exec("INSERT INTO shop.items VALUES ($1, 1, $1), ($1, 2, $1)", pqxx::params{key});
  }));
  EXPECT_EQ(note_at(shard_of(key), key), "stamped+");
  EXPECT_EQ(stamped.dual_write, dual_write_state::applied);
  auto const removed = value_of(run(session, key, [&](pqxx::dbtransaction& tx) {
    tx.exec("DELETE FROM shop.orders WHERE order_id = $1", pqxx::params{key});
  }));
  EXPECT_EQ(removed.dual_write_rows, 3);
  EXPECT_EQ(removed.dual_write, dual_write_state::applied) << removed.dual_write_reason;
  EXPECT_EQ(note_at(shard_of(key), key), "absent");
  EXPECT_EQ(at(shard_of(key), "SELECT count(*) FROM shop.items WHERE customer_id = " + text(key)), "0");
}

TEST_F(captured, a_row_that_comes_and_goes_in_one_transaction_is_no_refused_dual_write) {
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const done = value_of(run(session, key, [&](pqxx::dbtransaction& tx) {
    tx.exec(insert_sql(key, key));
    tx.exec("DELETE FROM shop.orders WHERE order_id = " + text(key));
  }));
  EXPECT_EQ(outbox_of(done), "i shop.orders " + text(key) + ",d shop.orders " + text(key));
  EXPECT_EQ(done.dual_write, dual_write_state::none);
}

TEST_F(captured, M16_leaves_and_their_parent_capture_each_row_once) {
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const done = value_of(in_pqxx_transaction(session, "shop.visits", key, [&](pqxx::dbtransaction& tx) {
    tx.exec("INSERT INTO shop.visits VALUES ($1, $1, 'a'), ($1 + 1000000, $1, 'b')", pqxx::params{key});
    tx.exec("INSERT INTO shop.visits_high VALUES ($1 + 1500000, $1, 'c')", pqxx::params{key});
    tx.exec("UPDATE shop.visits SET visit_id = visit_id + 1000001 WHERE visit_id = $1", pqxx::params{key});
    auto copy = pqxx::stream_to::table(tx, {"shop", "visits"}, {"visit_id", "customer_id", "page"});
    copy.write_values(key + 100000, key, "d");
    copy.complete();
  }));
  auto const name = [&](std::int64_t add) { return " shop.visits " + text(key + add) + "/" + text(key); };
  EXPECT_EQ(outbox_of(done), "i" + name(0) + ",i" + name(1000000) + ",i" + name(1500000) + ",d" + name(0) +
                                 ",u" + name(1000001) + ",i" + name(100000));
  EXPECT_EQ(at(shard_of(key),
               "SELECT string_agg(page, '' ORDER BY page) FROM shop.visits WHERE customer_id = " + text(key)),
            "abcd");
}

TEST_F(captured, a_changed_primary_key_takes_the_old_row_away) {  // W20
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  require(run(session, key, [&](pqxx::dbtransaction& tx) { tx.exec(insert_sql(key, key)); }));
  auto const done = value_of(run(session, key, [&](pqxx::dbtransaction& tx) {
    tx.exec("UPDATE shop.orders SET order_id = order_id + 700000 WHERE order_id = $1", pqxx::params{key});
  }));
  EXPECT_EQ(outbox_of(done), "d shop.orders " + text(key) + ",u shop.orders " + text(key + 700000));
  EXPECT_EQ(done.dual_write, dual_write_state::applied) << done.dual_write_reason;
  EXPECT_EQ(note_at(shard_of(key), key), "absent");
  EXPECT_EQ(note_at(shard_of(key), key + 700000), "new");
}

TEST_F(captured, I1_rows_of_another_shard_key_are_refused_from_copying_on) {  // W29
  auto const key = fresh_key(), other = fresh_key();
  auto app = fleet_->open();
  auto session = app.session();
  for (auto const now : {stage::copying, stage::replicating, stage::dual_writing}) {
    at_stage(now);
    require(app.refresh());
    auto const refused = run(session, key, [&](pqxx::dbtransaction& tx) {
      tx.exec(insert_sql(key, key));
      tx.exec(insert_sql(other, other));
    });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), error_code::shard_key_mismatch);
    EXPECT_EQ(refused.error().sqlstate(), "SW005");
    EXPECT_EQ(note_at(source(), key), "absent");
    auto const emptied =
        run(session, key, [&](pqxx::dbtransaction& tx) { tx.exec("TRUNCATE shop.orders CASCADE"); });
    ASSERT_FALSE(emptied);
    EXPECT_EQ(emptied.error().code(), error_code::statement_refused);
  }
}

TEST_F(captured, I1_after_a_wave_the_shard_refuses_rows_of_another_shard_key) {
  at_stage(stage::dual_writing);
  auto const key = fresh_key();
  auto other = fresh_key();
  while (&shard_of(other) != &shard_of(key)) other = fresh_key();
  at(shard_of(key), insert_sql(other, other) + " RETURNING 1");
  auto const slot = slot_of(shard_key{key});
  fleet_->flip(source(), slot, 1, false);
  fleet_->flip(shard_of(key), slot, 2, true);
  fleet_->assign(slot, fleet_->current().shard_of(slot), 2);
  at_stage(stage::sharded);
  auto app = fleet_->open();
  auto session = app.session();
  auto const done =
      value_of(run(session, key, [&](pqxx::dbtransaction& tx) { tx.exec(insert_sql(key, key)); }));
  EXPECT_NE(done.node, "source");
  EXPECT_EQ(done.affected, 1);
  EXPECT_EQ(done.dual_write, dual_write_state::none);
  for (auto const* change : {"UPDATE shop.orders SET note = 'stolen'", "DELETE FROM shop.orders",
                             "UPDATE shop.orders SET note = 'stolen' WHERE order_id = "}) {
    auto const refused = run(session, key, [&](pqxx::dbtransaction& tx) {
      tx.exec(std::string(change) + (std::string_view(change).ends_with("= ") ? text(other) : ""));
    });
    ASSERT_FALSE(refused) << change;
    EXPECT_EQ(refused.error().code(), error_code::shard_key_mismatch);
  }
  EXPECT_EQ(note_at(shard_of(key), other), "new");
}

TEST_F(captured, a_shard_key_may_change_while_the_source_has_authority_for_both) {  // W20
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  auto const from = fresh_key(), to = fresh_key();
  at(source(), shard_key_trigger_sql(fleet_->current().tables[0], true));
  require(run(session, from, [&](pqxx::dbtransaction& tx) { tx.exec(insert_sql(from, from)); }));
  auto const moved = run(session, to, [&](pqxx::dbtransaction& tx) {
    tx.exec("UPDATE shop.orders SET customer_id = $2 WHERE order_id = $1", pqxx::params{from, to});
  });
  at(source(), shard_key_trigger_sql(fleet_->current().tables[0], false));
  ASSERT_TRUE(moved) << moved.error().to_string();
  EXPECT_EQ(
      at(source(), "SELECT count(*) FROM shardway.outbox WHERE operation = 'k' AND key_values = ARRAY['" +
                       text(from) + "']"),
      "1");
  // If the old key's slot is closed on the source, the source must not change its row.
  auto const gone = fresh_key();
  require(run(session, gone, [&](pqxx::dbtransaction& tx) { tx.exec(insert_sql(gone, gone)); }));
  fleet_->flip(source(), slot_of(shard_key{gone}), 1, false);
  auto const refused = run(session, to, [&](pqxx::dbtransaction& tx) {
    tx.exec("UPDATE shop.orders SET customer_id = $2 WHERE order_id = $1", pqxx::params{gone, to});
  });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::shard_key_mismatch);
}

TEST_F(captured, foreign_writers_leave_no_outbox_row) {
  at_stage(stage::dual_writing);
  auto const before = at(source(), "SELECT count(*) FROM shardway.outbox");
  auto const key = fresh_key();
  require(source().query(insert_sql(key, key)));
  EXPECT_EQ(at(source(), "SELECT count(*) FROM shardway.outbox"), before);
}

TEST_F(captured, settings_and_names_of_the_borrowing_code_change_nothing_of_ours) {  // P2
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  // Puts names of shardway and of pg_catalog into the schema on the code's search path: a statement that
  // resolved them there would fail.
  for (auto* node : nodes())
    require(
        node->query("CREATE OR REPLACE FUNCTION shop.set_config(text, text, boolean) RETURNS text LANGUAGE "
                    "plpgsql AS $$ BEGIN RAISE 'caught'; END $$;"
                    "CREATE OR REPLACE FUNCTION shop.row_version(int, pg_lsn) RETURNS bigint LANGUAGE "
                    "plpgsql AS $$ BEGIN RAISE 'caught'; END $$;"
                    "CREATE OR REPLACE FUNCTION shop.current_setting(text, boolean) RETURNS text LANGUAGE "
                    "plpgsql AS $$ BEGIN RAISE 'caught'; END $$;"
                    "CREATE TABLE IF NOT EXISTS shop.outbox (nothing int)"));
  auto const done = value_of(
      run(session, key,
          [&](pqxx::dbtransaction& tx) {
            tx.exec("SET LOCAL DateStyle = 'German'; SET LOCAL bytea_output = 'escape'");
            tx.exec(pqxx::prepped{"adopted_insert"}, pqxx::params{key});
            EXPECT_EQ(tx.query_value<std::string>("SELECT note FROM orders WHERE order_id = " + text(key)),
                      "by name");
          },
          {.search_path = {"shop"},
           .prepared = {{"adopted_insert",
                         "INSERT INTO orders (order_id, customer_id, note) VALUES ($1, $1, 'by name')"}}}));
  EXPECT_EQ(done.dual_write, dual_write_state::applied);
  EXPECT_EQ(note_at(shard_of(key), key), "by name");
  for (auto* node : nodes())
    require(
        node->query("DROP FUNCTION shop.set_config(text, text, boolean), shop.row_version(int, pg_lsn), "
                    "shop.current_setting(text, boolean); DROP TABLE shop.outbox"));
}

TEST_F(captured, a_transaction_may_mix_frames_and_borrowed_code) {
  at_stage(stage::dual_writing);
  fleet_->current().tables[1].manifest.capture = capture_kind::statement;
  for (auto* node : nodes())
    require(node->query(capture_triggers_sql(fleet_->current().tables[1],
                                             node == &source() ? node_role::source : node_role::shard, {})));
  fleet_->publish(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const done = value_of(session.write("shop.orders", key, [&](write_transaction& tx) -> result<> {
    BOOST_OUTCOME_TRYV(tx.execute("shop.orders", insert_sql(key, key)));
    BOOST_OUTCOME_TRYV(tx.execute("shop.items", "INSERT INTO shop.items VALUES ($1, 1, $1)",
                                  std::vector<text_value>{text(key)}));
    {
      BOOST_OUTCOME_TRY(auto lent, lent_transaction::lend(tx));
      lent->exec("UPDATE shop.orders SET note = 'lent' WHERE order_id = " + text(key));
      BOOST_OUTCOME_TRYV(lent.give_back());
    }
    BOOST_OUTCOME_TRYV(tx.execute("shop.items", "INSERT INTO shop.items VALUES ($1, 2, $1)",
                                  std::vector<text_value>{text(key)}));
    return success();
  }));
  fleet_->current().tables[1].manifest.capture = capture_kind::trigger;
  capture_by(capture_kind::trigger);
  EXPECT_EQ(done.versions.size(), 4U);
  EXPECT_TRUE(std::is_sorted(done.versions.begin(), done.versions.end()));
  EXPECT_EQ(done.dual_write_rows, 4);
  EXPECT_EQ(note_at(shard_of(key), key), "lent");
}

}  // namespace
