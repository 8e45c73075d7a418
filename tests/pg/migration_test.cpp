// A live migration from stage to stage and back, with writers and readers at work and the controller killed
// on the way.
#include "migration_fixture.hpp"

namespace shardway_test {
namespace {

class migration : public migration_fixture {
 protected:
  std::string where_is(std::int64_t order) {
    for (std::size_t i = 0; i < fleet_->shard_count(); ++i)
      if (on_shard(i, "SELECT count(*) FROM shop.orders WHERE id = " + std::to_string(order)) == "1")
        return "shard" + std::to_string(i);
    return "nowhere";
  }

  /// Every acknowledged operation is exactly once in the table that has authority, and the copy equals it.
  void expect_exact(std::vector<writers::operation> const& log, bool on_shards) {
    std::map<std::int64_t, int> seen;
    auto const count = [&](rows const& found) {
      for (std::size_t i = 0; i < found.size(); ++i) ++seen[value_of(found.integer(i, 0))];
    };
    std::string const sql = "SELECT unnest(operations) FROM shop.orders";
    if (on_shards)
      for (std::size_t i = 0; i < fleet_->shard_count(); ++i) count(run_on(fleet_->shard(i), sql));
    else
      count(run_on(fleet_->source(), sql));
    std::size_t lost = 0, twice = 0;
    for (auto const& operation : log) {
      if (seen[operation.number] == 0 && !operation.in_doubt) ++lost;
      if (seen[operation.number] > 1) ++twice;
    }
    EXPECT_EQ(lost, 0u);
    EXPECT_EQ(twice, 0u);
    EXPECT_GT(log.size(), 50u);
  }
};

TEST_F(migration, moves_a_group_to_the_shards_and_back_while_it_is_written) {  // X11
  start();
  controller_process controller(file_);
  writers service(address(fleet_->source()), 3);
  std::this_thread::sleep_for(300ms);
  done(ask("advance", R"({"group": "sales", "to": "dual_writing"})"));
  std::this_thread::sleep_for(1000ms);
  done(ask("guard", R"({"group": "sales", "mode": "refusing"})"));
  done(ask("verify", R"({"group": "sales"})"));
  done(ask_until_done("wave", R"({"group": "sales", "percent": 10, "approved_by": "test"})"));
  std::this_thread::sleep_for(300ms);
  done(ask_until_done("wave", R"({"group": "sales", "percent": 100, "approved_by": "test"})"));
  std::this_thread::sleep_for(500ms);
  done(ask_until_done("rollback", R"({"group": "sales", "shard": "shard1", "approved_by": "test"})"));
  std::this_thread::sleep_for(500ms);
  done(ask_until_done("wave", R"({"group": "sales", "percent": 100, "approved_by": "test"})"));
  std::this_thread::sleep_for(300ms);
  service.stop();
  EXPECT_EQ(service.failed(), 0) << service.first_failure();
  EXPECT_EQ(service.stale_reads(), 0);
  done(ask("verify", R"({"group": "sales"})"));
  EXPECT_EQ(on_source("SELECT string_agg(DISTINCT c.result, ',') FROM shardway.certificate c WHERE NOT "
                      "EXISTS (SELECT 1 FROM "
                      "shardway.certificate n WHERE n.relation = c.relation AND n.id > c.id)"),
            "equal");
  expect_exact(service.acknowledged(), true);
  expect_exact(service.acknowledged(), false);
  auto const duplicates = std::stoll(on_shard(0,
                                              "SELECT duplicates FROM shardway.stream_progress WHERE stream "
                                              "= 'source' ORDER BY id DESC LIMIT 1")) +
                          std::stoll(on_shard(1,
                                              "SELECT duplicates FROM shardway.stream_progress WHERE stream "
                                              "= 'source' ORDER BY id DESC LIMIT 1"));
  EXPECT_EQ(duplicates, service.applied_receipts());
  EXPECT_GT(duplicates, 0);
  done(ask("finalize", R"({"group": "sales", "approved_by": "test"})"));
  EXPECT_EQ(on_shard(0,
                     "SELECT count(*) FROM pg_attribute WHERE attname = '_shardway_version' AND NOT "
                     "attisdropped AND attrelid = 'shop.orders'::regclass"),
            "0");
}

// The end of an old wave was never recorded, but newer waves have ended. The next controller does not touch
// their fences (I1, K2).
TEST_F(migration, old_wave_without_an_end_does_not_reach_over_newer_ones) {
  start();
  auto const wave = [&](std::string const& kind, std::string const& more) {
    done(ask(kind, R"({"group": "sales", "approved_by": "test")" + more + "}"));
  };
  auto const forget_the_end_of_the_first = [&](std::string const& decision) {
    run_on(fleet_->source(),
           "UPDATE shardway.wave SET finished_at = NULL, state = 'switching' WHERE started_at = (SELECT "
           "min(started_at) FROM shardway.wave);"
           "UPDATE shardway.wave_decision SET decision = '" +
               decision + "' WHERE wave = (SELECT wave FROM shardway.wave ORDER BY started_at LIMIT 1)");
  };
  std::string const open_slots =
      "SELECT coalesce(sum(slot_to - slot_from + 1), 0) FROM shardway.fence_sales WHERE is_open";
  {
    controller_process controller(file_);
    done(ask("advance", R"({"group": "sales", "to": "dual_writing"})"));
    done(ask("guard", R"({"group": "sales", "mode": "refusing"})"));
    done(ask("verify", R"({"group": "sales"})"));
    wave("wave", R"(, "percent": 10)");
    wave("rollback", "");
    forget_the_end_of_the_first("commit");
  }
  {
    controller_process controller(file_);
    done(ask("verify", R"({"group": "sales"})"));
    EXPECT_EQ(on_source(open_slots), "4096");
    EXPECT_EQ(on_shard(0, open_slots), "0");
    wave("wave", R"(, "percent": 100)");
    forget_the_end_of_the_first("abort");
  }
  controller_process controller(file_);
  done(ask("verify", R"({"group": "sales"})"));
  EXPECT_EQ(on_source(open_slots), "0");
  EXPECT_EQ(on_shard(0, open_slots), "2048");
}

// I7, V2: the gate is computed from the database each time, so a restart does not lose what was found or
// repaired.
TEST_F(migration, wave_needs_a_certificate_newer_than_the_last_repair_also_after_a_restart) {
  start();
  auto const refused = [&] {
    auto const answer = ask("wave", R"({"group": "sales", "percent": 10, "approved_by": "test"})");
    return answer.state == request_state::failed && answer.error_code == "gate_red" &&
           answer.error_message.find("certificates") != std::string::npos;
  };
  {
    controller_process controller(file_);
    done(ask("advance", R"({"group": "sales", "to": "dual_writing"})"));
    done(ask("guard", R"({"group": "sales", "mode": "refusing"})"));
    EXPECT_TRUE(refused()) << "never verified";
    done(ask("verify", R"({"group": "sales"})"));
    run_on(fleet_->source(),
           "INSERT INTO shardway.repair (relation, node, kind, key_digest) VALUES ('shop.orders', 'shard0', "
           "'update', '0')");
    EXPECT_TRUE(refused()) << "repaired since";
    controller.kill_9();
  }
  controller_process controller(file_);
  EXPECT_TRUE(refused()) << "a restart changes nothing";
  EXPECT_EQ(on_shard(0, "SELECT count(*) FROM shardway.fence_sales WHERE is_open"), "0");
  done(ask("verify", R"({"group": "sales"})"));
  done(ask_until_done("wave", R"({"group": "sales", "percent": 10, "approved_by": "test"})"));
}

}  // namespace
}  // namespace shardway_test
