// The catalog on real servers: a source of 13 and shards of 15 and 18.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/catalog/guarded.hpp"
#include "lib/pg/change_stream.hpp"
#include "lib/pg/replication_slot.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/schema.hpp"
#include "shardway/catalog/audit.hpp"
#include "shardway/catalog/certificate.hpp"
#include "shardway/catalog/client_registry.hpp"
#include "shardway/catalog/generation_store.hpp"
#include "shardway/catalog/install.hpp"
#include "shardway/catalog/journal.hpp"
#include "shardway/catalog/lease.hpp"
#include "shardway/catalog/request.hpp"
#include "shardway/catalog/status.hpp"
#include "shardway/pg/connect.hpp"
#include "shardway/testing/cluster.hpp"
#include "support/must.hpp"

namespace shardway {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

migration_manifest shop() {
  migration_manifest out;
  out.name = "shop";
  out.source.name = "source";
  out.shards = {{"shard1", "", {}}, {"shard2", "", {}}};
  out.application_role = "app";
  out.engine_role = "engine";
  out.mirror_role = "mirror";
  return out;
}

generation first_generation() {
  generation out;
  out.number = 1;
  out.migration = shop();
  out.placement = even_placement(2);
  out.groups = {{"orders", stage::dual_writing, {{all_slots, std::nullopt, epoch{1}, lsn{}}}}};
  return out;
}

class catalog_test : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    fleet_ = must(testing::cluster::start({.source_major = 13, .shard_major = 18, .shards = 2, .fast = true}))
                 .release();
  }
  static void TearDownTestSuite() { delete fleet_; }

  static std::unique_ptr<session> open(testing::server& node) {
    return must(connect({.node = node.name(), .conninfo = fleet_->conninfo(node)}));
  }

  void SetUp() override {
    for (auto* node : fleet_->all()) {
      auto const made = node->query(
          "SET client_min_messages = error; DROP SCHEMA IF EXISTS shardway CASCADE; DO $$ DECLARE r text; "
          "BEGIN"
          " FOREACH r IN ARRAY '{app,engine,mirror}'::text[] LOOP"
          " IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = r) THEN EXECUTE 'CREATE ROLE ' || r || '"
          " LOGIN'; END IF; END LOOP; END $$");
      must(made);
    }
    source_ = open(fleet_->source());
    for (std::size_t i = 0; i < fleet_->shard_count(); ++i) shards_.push_back(open(fleet_->shard(i)));
    must(install(nodes(), shop()));
    for (auto const& at : nodes()) must(raise_token(*at.node, 1, "test"));
  }

  std::vector<install_node> nodes() {
    return {{source_.get(), node_role::source, "source"},
            {shards_[0].get(), node_role::shard, "shard1"},
            {shards_[1].get(), node_role::shard, "shard2"}};
  }
  std::vector<session*> shards() { return {shards_[0].get(), shards_[1].get()}; }

  static testing::cluster* fleet_;
  std::unique_ptr<session> source_;
  std::vector<std::unique_ptr<session>> shards_;
};
testing::cluster* catalog_test::fleet_ = nullptr;

TEST_F(catalog_test, installing_again_changes_nothing) {
  must(install(nodes(), shop()));
  EXPECT_EQ(must(installed_schema_version(*source_)), schema_version);
}

TEST_F(catalog_test, a_newer_schema_is_refused) {
  must(source_->query({"INSERT INTO shardway.schema_version (version) VALUES (999)"}));
  auto const refused = install(nodes(), shop());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::precondition_failed);
  EXPECT_THAT(refused.error().message(), HasSubstr("999"));
}

TEST_F(catalog_test, a_node_of_another_migration_is_refused) {
  auto other = shop();
  other.name = "billing";
  EXPECT_THAT(install(nodes(), other).error().message(), HasSubstr("migration shop"));
  EXPECT_THAT(uninstall(nodes(), "billing").error().message(), HasSubstr("migration shop"));
}

TEST_F(catalog_test, uninstall_takes_everything_even_a_streaming_replication_slot) {
  must(
      source_->simple("DROP TABLE IF EXISTS public.t; CREATE TABLE public.t (id int PRIMARY KEY); CREATE "
                      "PUBLICATION shardway_shop FOR"
                      " TABLE public.t, shardway.marker"));
  must(source_->simple(write_guard_sql(write_guard::recording, "public.t", "orders", {})));
  auto const slot = names::forward_replication_slot("shop");
  must(create_logical_replication_slot(*source_, slot, 10s));
  auto const stream =
      must(open_change_stream({.node = "source", .conninfo = fleet_->conninfo(fleet_->source())},
                              {.replication_slot = slot, .publications = {"shardway_shop"}}));
  auto const listed = must(list_installed(nodes(), "shop"));
  EXPECT_EQ(listed.size(), 6u);  // replication slot, publication, trigger, three schemas
  auto const removed = must(uninstall(nodes(), "shop"));
  EXPECT_EQ(removed.size(), listed.size());
  EXPECT_TRUE(must(list_installed(nodes(), "shop")).empty());
  EXPECT_TRUE(must(uninstall(nodes(), "shop")).empty());
  must(source_->query({"INSERT INTO public.t VALUES (1)"}));  // no trigger is left that needs the schema
}

TEST_F(catalog_test, a_published_generation_is_on_every_node) {
  must(publish_generation(*source_, shards(), first_generation(), 1));
  for (auto const& at : nodes()) EXPECT_EQ(must(read_newest_generation(*at.node)), first_generation());
  must(publish_generation(*source_, shards(), first_generation(),
                          1));  // what a crash cut short is completed by the same call
  EXPECT_EQ(must(next_generation_number(*source_, shards())), 2u);
}

TEST_F(catalog_test, publishing_notifies) {
  auto const listener = open(fleet_->shard(0));
  must(listener->query({"LISTEN shardway_generation"}));
  must(publish_generation(*source_, shards(), first_generation(), 1));
  auto const heard = must(listener->notifications(std::chrono::steady_clock::now() + 5s));
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(heard[0].second, "1");
}

TEST_F(catalog_test, an_epoch_never_goes_back) {
  auto wanted = first_generation();
  wanted.groups[0].authority[0].epoch = epoch{5};
  must(publish_generation(*source_, shards(), wanted, 1));
  wanted.number = 2;
  wanted.groups[0].authority = {{{slot_id{0}, slot_id{9}}, shard_id{0}, epoch{6}, lsn{}},
                                {{slot_id{10}, slot_id{4095}}, std::nullopt, epoch{4}, lsn{}}};
  auto const refused = publish_generation(*source_, shards(), wanted, 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::precondition_failed);
  EXPECT_THAT(refused.error().message(), HasSubstr("slots 10 to 4095"));
  EXPECT_EQ(must(newest_generation_number(*shards_[0])), 1u);  // refused before any node had it
}

TEST_F(catalog_test, authority_does_not_change_without_a_new_epoch) {
  auto wanted = first_generation();
  must(publish_generation(*source_, shards(), wanted, 1));
  wanted.number = 2;
  wanted.groups[0].authority[0].shard = shard_id{1};
  EXPECT_THAT(publish_generation(*source_, shards(), wanted, 1).error().message(),
              HasSubstr("without a new epoch"));
}

TEST_F(catalog_test, a_number_left_on_one_shard_by_a_crash_is_not_used_again) {
  must(publish_generation(*source_, shards(), first_generation(), 1));
  auto half = first_generation();
  half.number = 2;
  half.migration.mirror_role = "other";
  must(
      shards_[1]->query({"INSERT INTO shardway.generation (generation, document, sha256) VALUES (2, $1, "
                         "encode(sha256(convert_to($1,"
                         " 'UTF8')), 'hex'))",
                         {encode(half)}}));
  auto wanted = first_generation();
  wanted.number = 2;
  EXPECT_EQ(publish_generation(*source_, shards(), wanted, 1).error().code(),
            error_code::precondition_failed);
  wanted.number = must(next_generation_number(*source_, shards()));
  EXPECT_EQ(wanted.number, 3u);
  must(publish_generation(*source_, shards(), wanted, 1));
}

TEST_F(catalog_test, a_changed_copy_is_noticed) {
  must(publish_generation(*source_, shards(), first_generation(), 1));
  must(source_->query({"UPDATE shardway.generation SET document = replace(document, 'orders', 'ordars')"}));
  EXPECT_EQ(read_newest_generation(*source_).error().code(), error_code::corrupt_data);
}

TEST_F(catalog_test, one_lease_at_a_time_and_tokens_only_grow) {
  auto const first = must(acquire_lease(*source_, "a:1", 10s));
  EXPECT_GT(first.token, 1);  // above the token that stands on the node
  auto const refused = acquire_lease(*source_, "b:2", 10s);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::lease_held);
  EXPECT_THAT(refused.error().message(), HasSubstr("a:1 until 20"));
  must(renew_lease(*source_, first.token, 10s));
  must(release_lease(*source_, first.token));
  auto const second = must(acquire_lease(*source_, "b:2", 10s, 41));
  EXPECT_EQ(second.token, 42);
  EXPECT_EQ(renew_lease(*source_, first.token, 10s).error().code(), error_code::not_leader);
  must(release_lease(*source_, first.token));  // changes nothing
  EXPECT_TRUE(must(read_lease(*source_))->is_alive);
}

TEST_F(catalog_test, an_expired_lease_is_taken_over) {  // X13: by the database's clock
  auto const first = must(acquire_lease(*source_, "a:1", 1ms));
  must(source_->query({"SELECT pg_sleep(0.01)"}));
  EXPECT_EQ(must(acquire_lease(*source_, "b:2", 10s)).token, first.token + 1);
}

TEST_F(catalog_test, a_replaced_controller_changes_nothing) {  // X2
  must(raise_token(*source_, 7, "new"));
  EXPECT_EQ(raise_token(*source_, 6, "old").error().code(), error_code::not_leader);
  EXPECT_EQ(append_journal(*source_, 1, "", "step").error().code(), error_code::not_leader);
  EXPECT_EQ(put_status(*source_, 1, "s", "{}").error().code(), error_code::not_leader);
  EXPECT_EQ(publish_generation(*source_, {}, first_generation(), 1).error().code(), error_code::not_leader);
  EXPECT_EQ(run_guarded_text(*source_, 1, "CREATE TABLE shardway.never (a int)", 1s).error().code(),
            error_code::not_leader);
  EXPECT_TRUE(must(read_journal(*source_, "")).empty());
  EXPECT_FALSE(source_->in_transaction());
}

TEST_F(catalog_test, a_request_is_served_once_and_its_result_comes_back) {
  auto const id = must(enqueue_request(*source_, "wave", R"({"group": "orders"})"));
  auto const taken = must(take_request(*source_, 1));
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->id, id);
  EXPECT_EQ(taken->kind, "wave");
  EXPECT_FALSE(must(take_request(*source_, 1)));
  EXPECT_EQ(wait_for_request(*source_, id, std::chrono::steady_clock::now() + 20ms).error().code(),
            error_code::deadline_exceeded);
  must(finish_request(*source_, 1, id, R"({"ok": true})"));
  auto const done = must(wait_for_request(*source_, id, std::chrono::steady_clock::now() + 1s));
  EXPECT_EQ(done.state, request_state::done);
  EXPECT_EQ(done.result, R"({"ok": true})");
  EXPECT_EQ(finish_request(*source_, 1, id, "{}").error().code(), error_code::precondition_failed);
}

TEST_F(catalog_test, a_failed_request_carries_its_error) {
  auto const id = must(enqueue_request(*source_, "verify", "{}"));
  must(take_request(*source_, 1));
  must(fail_request(*source_, 1, id, error{error_code::gate_red, "lag is too high"}));
  auto const failed = must(find_request(*source_, id));
  EXPECT_EQ(failed->error_code, "gate_red");
  EXPECT_THAT(failed->error_message, HasSubstr("lag is too high"));
}

TEST_F(catalog_test, requests_of_a_dead_controller_are_served_again_or_failed) {
  auto const safe = must(enqueue_request(*source_, "verify", "{}"));
  auto const unsafe = must(enqueue_request(*source_, "wave", "{}"));
  must(take_request(*source_, 1));
  must(take_request(*source_, 1));
  EXPECT_EQ(must(recover_requests(*source_, 1, {"verify"})).size(), 2u);
  EXPECT_EQ(must(find_request(*source_, safe))->state, request_state::queued);
  EXPECT_EQ(must(find_request(*source_, unsafe))->error_code, "in_doubt");
}

TEST_F(catalog_test, whoever_decides_a_wave_first_decides) {
  EXPECT_FALSE(must(read_decision(*source_, "w1")));
  EXPECT_EQ(must(decide_wave(*source_, 1, "w1", wave_decision::commit)), wave_decision::commit);
  EXPECT_EQ(must(decide_wave(*source_, 1, "w1", wave_decision::abort)), wave_decision::commit);
  must(source_->query(
      {"INSERT INTO shardway.wave_decision (wave, decision, decided_by) VALUES ('w2', 'abort', 'client')"}));
  EXPECT_EQ(must(decide_wave(*source_, 1, "w2", wave_decision::commit)), wave_decision::abort);
}

TEST_F(catalog_test, waves_are_found_until_they_end) {
  wave_record const wave{.wave = "w1",
                         .group = "orders",
                         .ranges = {{slot_id{0}, slot_id{4}}, {slot_id{10}, slot_id{12}}},
                         .before = epoch{1},
                         .after = epoch{2},
                         .state = "switching",
                         .token = 1};
  must(insert_wave(*source_, wave));
  EXPECT_EQ(insert_wave(*source_, wave).error().code(), error_code::precondition_failed);
  auto const open_waves = must(unfinished_waves(*source_));
  ASSERT_EQ(open_waves.size(), 1u);
  EXPECT_EQ(open_waves[0].ranges, wave.ranges);
  EXPECT_EQ(open_waves[0].after, epoch{2});
  must(append_journal(*source_, 1, "w1", "fence", R"({"lsn": "0/1"})"));
  must(append_journal(*source_, 1, "", "other"));
  EXPECT_EQ(must(read_journal(*source_, "w1")).size(), 1u);
  must(update_wave(*source_, 1, "w1", "done", R"({"moved": 8})"));
  EXPECT_TRUE(must(unfinished_waves(*source_)).empty());
  EXPECT_EQ(must(find_wave(*source_, "w1"))->report, R"({"moved": 8})");
  EXPECT_EQ(must(list_waves(*source_, "payments")).size(), 0u);
}

TEST_F(catalog_test, catalog_calls_join_an_open_transaction) {
  must(source_->query({"BEGIN"}));
  EXPECT_EQ(must(decide_wave(*source_, 1, "w9", wave_decision::commit)), wave_decision::commit);
  must(append_journal(*source_, 1, "w9", "decide"));
  must(source_->query({"ROLLBACK"}));
  EXPECT_FALSE(must(read_decision(*source_, "w9")));
}

TEST_F(catalog_test, a_repair_makes_older_certificates_worthless) {  // V2
  EXPECT_THAT(must(certificate_gaps(*source_, {"public.orders"}, 0s))[0].why, HasSubstr("never"));
  certificate made{.group = "orders",
                   .relation = "public.orders",
                   .found = verdict::equal,
                   .row_count = 5,
                   .as_of = lsn{0x1234}};
  made.started_at = must(database_now(*source_));
  must(insert_certificate(*source_, 1, made));
  EXPECT_TRUE(must(certificate_gaps(*source_, {"public.orders"}, 60s)).empty());
  EXPECT_EQ(must(newest_certificate(*source_, "public.orders"))->as_of, lsn{0x1234});
  must(insert_repair(*source_, 1, {"public.orders", "shard1", "update", "ab12"}));
  EXPECT_THAT(must(certificate_gaps(*source_, {"public.orders"}, 60s))[0].why, HasSubstr("I7"));
  made.started_at = must(database_now(*source_));
  made.found = verdict::could_not_tell;
  must(insert_certificate(*source_, 1, made));
  EXPECT_THAT(must(certificate_gaps(*source_, {"public.orders"}, 60s))[0].why, HasSubstr("could_not_tell"));
}

TEST_F(catalog_test, silent_and_old_clients_are_named_until_they_expire) {  // K3
  auto const app =
      must(connect({.node = "source", .conninfo = fleet_->source().conninfo("postgres", "app")}));
  must(heartbeat_client(*app, {"00000000-0000-7000-8000-000000000001", "checkout", "0.1.0", 1}));
  must(heartbeat_client(*app, {"00000000-0000-7000-8000-000000000002", "billing", "0.1.0", 2}));
  auto behind = must(clients_behind(*source_, 2, 60s));
  ASSERT_EQ(behind.size(), 1u);
  EXPECT_EQ(behind[0].application, "checkout");
  must(source_->query(
      {"UPDATE shardway.client SET seen_at = seen_at - interval '30 s' WHERE application = 'checkout'"}));
  EXPECT_EQ(must(clients_behind(*source_, 2, 60s)).size(), 1u);  // silent, and still counted
  EXPECT_GE(must(clients_behind(*source_, 2, 60s))[0].silent_for, 30s);
  EXPECT_TRUE(must(clients_behind(*source_, 2, 20s)).empty());
  EXPECT_EQ(must(expire_clients(*source_, 1, 20s)), 1);
  must(leave_client(*app, "00000000-0000-7000-8000-000000000002"));
  EXPECT_TRUE(must(list_clients(*source_, 60s)).empty());
}

TEST_F(catalog_test, a_changed_or_missing_audit_entry_shows) {  // P7
  for (auto const* action : {"install", "approve", "wave"})
    must(append_audit(*source_, "ann", action, R"({"b": 1, "a": "x"})"));
  auto const head = must(verify_audit(*source_));
  EXPECT_EQ(head.entries, 3);
  EXPECT_EQ(head.sha256, must(read_audit(*source_, 1))[0].sha256);
  must(source_->query({"UPDATE shardway.audit SET actor = 'bob' WHERE action = 'approve'"}));
  EXPECT_EQ(verify_audit(*source_).error().code(), error_code::corrupt_data);
  must(source_->query({"DELETE FROM shardway.audit WHERE action = 'approve'"}));
  EXPECT_THAT(verify_audit(*source_).error().message(), HasSubstr("entry 3"));
}

TEST_F(catalog_test, status_and_manifests_are_replaced) {
  must(put_status(*source_, 1, "stream", R"({"lag": 1})"));
  must(put_status(*source_, 1, "stream", R"({"lag": 2})"));
  EXPECT_EQ(must(get_status(*source_, "stream"))->document, R"({"lag": 2})");
  EXPECT_FALSE(must(get_status(*source_, "none")));
  EXPECT_TRUE(must(put_manifest(*source_, "public.orders", "table: \"a\"")));
  EXPECT_FALSE(must(put_manifest(*source_, "public.orders", "table: \"a\"")));
  EXPECT_TRUE(must(put_manifest(*source_, "public.orders", "table: \"b\"")));
  EXPECT_EQ(must(list_manifests(*source_))[0].document, "table: \"b\"");
}

}  // namespace
}  // namespace shardway
