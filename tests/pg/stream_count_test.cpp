// What the stream counts, and what its guards against late and repeated dual writes prevent.
#include "shardway/testing/stop_points.hpp"
#include "stream_fixture.hpp"
#include "support/parallel_work.hpp"

namespace shardway_test {
namespace {

class counts : public stream_fixture {
 protected:
  void SetUp() override {
    install("CREATE TABLE shop.orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, note text)",
            {table_of("shop.orders", {"id"}, {"customer_id"},
                      {{"id", "bigint", false, true},
                       {"customer_id", "bigint", false, true},
                       {"note", "text", false, false}})},
            "INSERT INTO shop.orders SELECT n, 1, 'old' FROM generate_series(1, 20) AS n");
    start();
    copy();
    engine_->update_generation(generation_at(stage::dual_writing));
    slot_ = std::stoi(one(*source_, "SELECT shardway.slot_of(1::bigint)"));
    number_ = slot_ < 2048 ? 0 : 1;
    shard_ = open(fleet_->shard(number_));
  }
  void TearDown() override {
    stream_fixture::TearDown();
    ::unsetenv("SHARDWAY_GUARD_OFF");
  }

  struct dual {
    std::string write_id, version, id;
  };
  /// A write of the library on the source, with its outbox row. `op` is i, u or d.
  dual write_source(std::string const& change, std::string const& id, char op) {
    auto const write_id = one(*source_, "SELECT gen_random_uuid()");
    run(*source_, "BEGIN; " + change +
                      "; INSERT INTO shardway.outbox (version, write_id, ordinal, epoch, relation, slot, "
                      "operation, key_values, shard_key_values) VALUES "
                      "(shardway.row_version(1, pg_current_wal_insert_lsn()), '" +
                      write_id + "', 1, 1, 'shop.orders', " + std::to_string(slot_) + ", '" + op +
                      "', ARRAY['" + id + "'], ARRAY['1']); COMMIT");
    return {write_id,
            one(*source_, "SELECT version FROM shardway.outbox WHERE write_id = '" + write_id + "'"), id};
  }
  std::string apply_on_shard(dual const& what, bool remove, std::string const& note) {
    return one(*shard_, "SELECT " + names::apply_function("shop.orders") + "('" + what.write_id + "', 1, " +
                            what.version + ", " + std::to_string(slot_) + ", " + (remove ? "true" : "false") +
                            ", ARRAY['" + what.id + "'], ARRAY['" + what.id + "', '1', '" + note + "'])");
  }
  /// Blocks the applier while the session lives: the applier waits for the table.
  std::unique_ptr<session> hold() {
    auto holder = open(fleet_->shard(number_));
    run(*holder, "BEGIN; SELECT pg_advisory_xact_lock(1936224359, 1)");
    return holder;
  }
  stream_totals totals() {
    return engine_->stream(shard_id{static_cast<std::uint16_t>(number_)}).position.totals;
  }
  std::string note_of(std::string const& id) {
    return one(*shard_, "SELECT coalesce(max(note), 'absent') FROM shop.orders WHERE id = " + id);
  }

  int slot_{};
  std::size_t number_{};
  std::unique_ptr<session> shard_;
};

TEST_F(counts, duplicates_healed_corrected_side_effects_and_foreign_are_exact) {  // W4, W12, W13
  auto const before = totals();
  {
    auto const held = hold();
    for (int i = 1; i <= 4; ++i) {
      auto const id = std::to_string(i);
      auto const written = write_source("UPDATE shop.orders SET note = 'new' WHERE id = " + id, id, 'u');
      if (i <= 3) {
        EXPECT_EQ(apply_on_shard(written, false, i == 3 ? "other" : "new"), "applied");
      }
    }
    auto const removed = write_source("DELETE FROM shop.orders WHERE id = 5", "5", 'd');
    EXPECT_EQ(apply_on_shard(removed, true, ""), "applied");
    write_source(
        "UPDATE shop.orders SET note = 'new' WHERE id = 6; UPDATE shop.orders SET note = 'by trigger' WHERE "
        "id = 7",
        "6", 'u');
    run(*source_, "UPDATE shop.orders SET note = 'foreign' WHERE id = 8");
    run(*held, "ROLLBACK");
  }
  catch_up();
  auto const now = totals();
  EXPECT_EQ(now.outbox - before.outbox, 6);
  EXPECT_EQ(now.duplicates - before.duplicates, 4);
  EXPECT_EQ(now.healed - before.healed, 2);
  EXPECT_EQ(now.corrected - before.corrected, 1);
  EXPECT_EQ(now.side_effects - before.side_effects, 1);
  EXPECT_EQ(now.foreign - before.foreign, 1);
  EXPECT_EQ(note_of("3"), "new");
  EXPECT_EQ(one(*shard_, "SELECT count(*) FROM shardway.dual_applied"), "0");
  EXPECT_EQ(digest_on_shards("shop.orders", "id, customer_id, note"),
            digest("shop.orders", "id, customer_id, note"));
}

// W12: an equal version is no proof of an equal row.
TEST_F(counts, without_the_comparison_a_wrong_image_of_equal_version_would_stay) {
  ::setenv("SHARDWAY_GUARD_OFF", "equal_version_compare", 1);
  auto const held = hold();
  auto const written = write_source("UPDATE shop.orders SET note = 'new' WHERE id = 3", "3", 'u');
  EXPECT_EQ(apply_on_shard(written, false, "other"), "applied");
  run(*held, "ROLLBACK");
  catch_up();
  EXPECT_EQ(note_of("3"), "other");
}

// S1: the position moves in the batch's own transaction: without that, a crash in between applies the batch
// again, and its receipts are gone.
TEST_F(counts, without_the_position_in_the_batch_a_duplicate_would_be_counted_as_healed) {
  for (bool const guarded : {true, false}) {
    auto const before = totals();
    if (!guarded) ::setenv("SHARDWAY_GUARD_OFF", "progress_in_batch", 1);
    {
      auto const held = hold();
      auto const written = write_source("UPDATE shop.orders SET note = note || '.' WHERE id = 3", "3", 'u');
      EXPECT_EQ(apply_on_shard(written, false, one(*source_, "SELECT note FROM shop.orders WHERE id = 3")),
                "applied");
      std::string failures = "after_batch_commit:error:1";
      for (int i = 2; i <= 8; ++i)
        failures += ",after_batch_commit:error:" + std::to_string(i);  // an idle commit passes there, too
      shardway::testing::selected_stop_points const stops(failures);
      run(*held, "ROLLBACK");
      catch_up();
    }
    ::unsetenv("SHARDWAY_GUARD_OFF");
    EXPECT_EQ(totals().duplicates - before.duplicates, guarded ? 1 : 0);
    EXPECT_EQ(totals().healed - before.healed, guarded ? 0 : 1);
  }
}

// I9, W7: a late dual write of a row whose delete the stream has applied must not bring it back.
TEST_F(counts, delete_in_the_stream_beats_a_late_dual_write) {
  auto const late = write_source("UPDATE shop.orders SET note = 'late' WHERE id = 9", "9", 'u');
  write_source("DELETE FROM shop.orders WHERE id = 9", "9", 'd');
  catch_up();
  EXPECT_EQ(note_of("9"), "absent");
  EXPECT_EQ(apply_on_shard(late, false, "late"), "delivered");
  EXPECT_EQ(note_of("9"), "absent");
}

// W7: a dual write has passed its checks but not yet written when the stream's delete arrives. Only the key
// lock keeps them apart.
TEST_F(counts, key_lock_keeps_a_dual_write_from_bringing_back_what_the_stream_deletes) {
  run(*shard_,
      "CREATE FUNCTION shop.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.note = 'late' THEN "
      "PERFORM pg_advisory_xact_lock(42); END IF; RETURN NEW; END $$; "
      "CREATE TRIGGER wait BEFORE INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.wait(); ALTER "
      "TABLE shop.orders ENABLE ALWAYS TRIGGER wait");
  for (bool const guarded : {true, false}) {
    std::string const id = guarded ? "11" : "12";
    if (!guarded) ::setenv("SHARDWAY_GUARD_OFF", "key_lock", 1);
    auto const gate = open(fleet_->shard(number_));
    run(*gate, "BEGIN; SELECT pg_advisory_xact_lock(42)");
    auto const held = hold();
    auto const late = write_source("UPDATE shop.orders SET note = 'late' WHERE id = " + id, id, 'u');
    write_source("DELETE FROM shop.orders WHERE id = " + id, id, 'd');
    parallel_work applying([&] { EXPECT_EQ(apply_on_shard(late, false, "late"), "applied"); },
                           [&] { run(*gate, "ROLLBACK"); });
    expect_soon("the dual write waits", [&] {
      return one(*gate,
                 "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT "
                 "granted") == "1";
    });
    run(*held, "ROLLBACK");
    if (guarded)
      expect_soon("the stream waits for the key", [&] {
        return one(*gate, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == "2";
      });
    else
      catch_up();
    applying.finish();
    catch_up();
    EXPECT_EQ(note_of(id), guarded ? "absent" : "late");
    ::unsetenv("SHARDWAY_GUARD_OFF");
  }
}

}  // namespace
}  // namespace shardway_test
