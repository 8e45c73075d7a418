// A source of 13 and a shard, a database for each test, and a doctor whose every way out is tried.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pg/fix_texts.hpp"
#include "shardway/migrate/preflight/preflight.hpp"
#include "shardway/migrate/preflight/roles.hpp"
#include "shardway/pg/connect.hpp"
#include "shardway/testing/cluster.hpp"
#include "support/must.hpp"

namespace shardway {

/// Counts what is asked, and passes it on.
class counting_session final : public session {
 public:
  counting_session(std::unique_ptr<session> inner, std::size_t& count)
      : inner_(std::move(inner)), count_(&count) {}
  result<rows> query(statement const& asked, steady_time deadline) override {
    ++*count_;
    return inner_->query(asked, deadline);
  }
  result<std::vector<result<rows>>> flush(std::span<statement const> asked, steady_time deadline) override {
    *count_ += asked.size();
    return inner_->flush(asked, deadline);
  }
  result<rows> simple(std::string_view sql, steady_time deadline) override {
    ++*count_;
    return inner_->simple(sql, deadline);
  }
  commit_outcome commit(steady_time deadline) override { return inner_->commit(deadline); }
  result<std::unique_ptr<copy_reader>> copy_out(std::string_view sql) override {
    return inner_->copy_out(sql);
  }
  result<std::unique_ptr<copy_writer>> copy_in(std::string_view sql) override { return inner_->copy_in(sql); }
  result<std::vector<std::pair<std::string, std::string>>> notifications(steady_time deadline) override {
    return inner_->notifications(deadline);
  }
  bool is_broken() const noexcept override { return inner_->is_broken(); }
  bool in_transaction() const noexcept override { return inner_->in_transaction(); }
  node_identity const& identity() const noexcept override { return inner_->identity(); }
  std::string quote_literal(std::string_view text) const override { return inner_->quote_literal(text); }
  std::string quote_identifier(std::string_view text) const override {
    return inner_->quote_identifier(text);
  }
  std::function<void()> cancel_handle() const override { return inner_->cancel_handle(); }

 private:
  std::unique_ptr<session> inner_;
  std::size_t* count_;
};

class doctor_tables : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    fleet_ =
        must(testing::cluster::start({.source_major = 13, .shard_major = 15, .shards = 1, .fast = true}));
    for (auto* node : fleet_->all()) {
      must(node->query("CREATE ROLE shop_owner", "postgres"));
      must(node->query("ALTER ROLE shop_owner SET client_min_messages = error", "postgres"));
    }
  }
  static void TearDownTestSuite() { fleet_.reset(); }

  void SetUp() override {
    database_ = "tables_" + std::to_string(++count_);
    for (auto* node : fleet_->all()) {
      must(node->query("CREATE DATABASE " + database_));
      auto const role = node == &fleet_->source() ? node_role::source : node_role::shard;
      must(node->query(roles_sql(migration(), {.role = role,
                                               .server_version = node->major() * 10000,
                                               .database = database_,
                                               .owners = {"shop_owner"}}),
                       database_));
    }
    on_source(
        "GRANT CREATE ON DATABASE " + database_ +
        " TO shop_owner; CREATE SCHEMA shop AUTHORIZATION shop_owner; GRANT USAGE ON SCHEMA shop TO app");
  }
  void TearDown() override {
    for (auto* node : fleet_->all()) must(node->query("DROP DATABASE " + database_ + " WITH (FORCE)"));
  }

  void on_source(std::string const& sql) { must(fleet_->source().query(sql, database_)); }
  /// Makes objects of the shop's owner.
  void make(std::string const& sql) {
    on_source("SET client_min_messages = error; SET ROLE shop_owner; SET search_path = shop, public; " + sql);
  }

  migration_manifest migration() const {
    migration_manifest out;
    out.name = "shop";
    out.source = {"source", fleet_->source().conninfo(database_, "engine"), {}};
    out.shards = {{"shard1", fleet_->shard(0).conninfo(database_, "engine"), {}}};
    out.application_role = "app";
    out.engine_role = "engine";
    out.mirror_role = "mirror";
    return out;
  }
  static table_manifest table(std::string name, std::vector<std::string> key = {"id"}) {
    return {.table = "shop." + std::move(name),
            .group = "sales",
            .shard_key = {"customer_id"},
            .key = std::move(key),
            .ids_given = true};
  }
  static table_manifest reference(std::string name, std::vector<std::string> key = {"id"}) {
    return {.table = "shop." + std::move(name),
            .group = "catalogue",
            .kind = table_kind::reference,
            .key = std::move(key)};
  }
  static table_manifest interleaved(table_manifest made) {
    made.ids = id_strategy_kind::interleaved;
    made.ids_given = false;
    return made;
  }

  std::vector<finding> check(std::vector<table_manifest> const& tables) {
    options_.connect = [this](node_definition const& node) -> result<std::unique_ptr<session>> {
      BOOST_OUTCOME_TRY(auto opened, connect({.node = node.name, .conninfo = node.conninfo}));
      return std::unique_ptr<session>(std::make_unique<counting_session>(std::move(opened), asked_));
    };
    auto const begin = std::chrono::steady_clock::now();
    auto found = must(run_preflight(migration(), tables, options_));
    took_ = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
    auto const engine = must(connect({.node = "source", .conninfo = migration().source.conninfo}));
    fixes_ += shardway_test::expect_fixes_parse(found, "source", *engine);
    return found;
  }

  static std::string text_of(finding const& one) {
    return std::string(name(one.level)) + ' ' + one.id + ' ' + one.subject + ": " + one.what + " -> " +
           one.fix + '\n';
  }
  static std::string listing(std::vector<finding> const& list, std::string const& id) {
    std::string out;
    for (auto const& one : list)
      if (one.id == id) out += "  " + text_of(one);
    return out;
  }
  static bool has(std::vector<finding> const& list, finding_level level, std::string const& id,
                  std::string const& says) {
    return std::any_of(list.begin(), list.end(), [&](finding const& one) {
      return one.id == id && one.level == level && text_of(one).find(says) != std::string::npos;
    });
  }
  static void expect_fail(std::vector<finding> const& list, std::string const& id, std::string const& says) {
    EXPECT_TRUE(has(list, finding_level::fail, id, says)) << "no " << id << " with " << says << " in\n"
                                                          << listing(list, id);
  }
  static void expect_warn(std::vector<finding> const& list, std::string const& id, std::string const& says) {
    EXPECT_TRUE(has(list, finding_level::warn, id, says)) << "no " << id << " with " << says << " in\n"
                                                          << listing(list, id);
  }
  static void expect_pass(std::vector<finding> const& list, std::string const& id, std::string const& says) {
    EXPECT_TRUE(has(list, finding_level::pass, id, says)) << "no " << id << " with " << says << " in\n"
                                                          << listing(list, id);
  }
  static void expect_no_fail(std::vector<finding> const& list, std::string const& id) {
    EXPECT_THAT(listing(list, id), ::testing::Not(::testing::HasSubstr("  fail "))) << listing(list, id);
  }

  inline static std::unique_ptr<testing::cluster> fleet_;
  inline static int count_ = 0;
  std::string database_ = "postgres";
  preflight_options options_;
  std::size_t asked_{};
  int fixes_{};
  std::chrono::milliseconds took_{};
};

}  // namespace shardway
