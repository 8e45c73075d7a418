// Two databases of their own for each test of onboarding, on servers of two versions.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/migrate/onboard/capture.hpp"
#include "lib/migrate/onboard/finish.hpp"
#include "lib/migrate/onboard/guard.hpp"
#include "lib/migrate/onboard/ids.hpp"
#include "lib/migrate/onboard/inspect.hpp"
#include "lib/migrate/onboard/join.hpp"
#include "lib/migrate/onboard/missing.hpp"
#include "lib/migrate/onboard/schema.hpp"
#include "lib/migrate/onboard/source_checks.hpp"
#include "lib/protocol/schema.hpp"
#include "nodes.hpp"
#include "shardway/catalog/install.hpp"
#include "shardway/catalog/lease.hpp"
#include "shardway/migrate/preflight/roles.hpp"
#include "shardway/testing/cluster.hpp"
#include "support/must.hpp"

namespace shardway {
using namespace migrate::onboard;

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

inline migration_manifest migration() {
  migration_manifest out;
  out.name = "m";
  out.source.name = "source";
  out.shards = {{"shard0", "", {}}};
  out.application_role = "app";
  out.engine_role = "engine";
  out.mirror_role = "mirror";
  return out;
}

struct versions {
  int source, shard;
};

// One server of a version for the whole program; each test has a database of its own on two of them.
class shapes : public ::testing::TestWithParam<versions> {
 protected:
  static testing::server& server_of(int major) { return shardway_test::nodes::of(major); }
  void SetUp() override {
    ++count_;
    source_database_ = "source_" + std::to_string(count_);
    shard_database_ = "shard_" + std::to_string(count_);
    must(source_server().query("CREATE DATABASE " + source_database_));
    must(shard_server().query("CREATE DATABASE " + shard_database_));
    for (auto* server : {&source_server(), &shard_server()})
      for (std::string const role : {"owner", "app", "other_app", "stranger"})
        must(server->query("DO $$ BEGIN CREATE ROLE " + role +
                           " LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"));
    on_source(roles_sql(migration(), {.role = node_role::source,
                                      .server_version = GetParam().source * 10000,
                                      .database = source_database_,
                                      .owners = {"owner"}}));
    on_shard(roles_sql(migration(), {.role = node_role::shard,
                                     .server_version = GetParam().shard * 10000,
                                     .database = shard_database_,
                                     .owners = {"owner"}}));
    on_source("GRANT USAGE, CREATE ON SCHEMA public TO owner; GRANT CREATE ON DATABASE " + source_database_ +
              " TO owner");
    options_.token = 1;
    options_.drain_timeout = 20s;
  }
  void TearDown() override {
    source_.reset();
    shard_.reset();
    must(source_server().query("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"));
    must(source_server().query("DROP DATABASE " + source_database_ + " WITH (FORCE)"));
    must(shard_server().query("DROP DATABASE " + shard_database_ + " WITH (FORCE)"));
  }

  testing::server& source_server() { return server_of(GetParam().source); }
  testing::server& shard_server() { return server_of(GetParam().shard); }
  void on_source(std::string const& sql) { must(source_server().query(sql, source_database_)); }
  void on_shard(std::string const& sql) { must(shard_server().query(sql, shard_database_)); }
  bool has_extension(std::string const& name) {
    auto const sql = "SELECT count(*) FROM pg_available_extensions WHERE name = '" + name + "'";
    return must(source_server().query(sql)) == "1" && must(shard_server().query(sql)) == "1";
  }
  std::unique_ptr<session> open(testing::server& server, std::string const& database, std::string const& role,
                                std::string const& name) {
    return must(connect({.node = name, .conninfo = server.conninfo(database, role)}));
  }

  /// Ours on both nodes, and the tables inspected.
  void install_for(std::vector<table_manifest> const& manifests) {
    source_ = open(source_server(), source_database_, "engine", "source");
    shard_ = open(shard_server(), shard_database_, "engine", "shard0");
    must(install({{source_.get(), node_role::source, "source"}, {shard_.get(), node_role::shard, "shard0"}},
                 migration_));
    for (auto* node : {source_.get(), shard_.get()}) must(raise_token(*node, 1, "test"));
    tables_.clear();
    for (auto const& manifest : manifests) tables_.push_back(must(inspect_table(*source_, manifest)));
  }
  onboard_node source() {
    return {source_.get(), "source", source_server().conninfo(source_database_, "engine")};
  }
  onboard_node shard() {
    return {shard_.get(), "shard0", shard_server().conninfo(shard_database_, "engine")};
  }
  result<> bring_up() {
    BOOST_OUTCOME_TRYV(prepare_groups(source(), {shard()}, {"g"}, "app", options_));
    BOOST_OUTCOME_TRYV(create_schema_on_shard(source(), shard(), migration_, tables_, options_));
    BOOST_OUTCOME_TRYV(finish_schema(source(), shard(), tables_, options_));
    return success();
  }
  std::string ask_shard(std::string const& sql) { return must(shard_server().query(sql, shard_database_)); }
  std::string ask_source(std::string const& sql) {
    return must(source_server().query(sql, source_database_));
  }
  static table_manifest table(std::string name, std::vector<std::string> key = {"id"},
                              std::string shard_key = "tenant") {
    table_manifest out;
    out.table = std::move(name);
    out.group = "g";
    out.shard_key = {std::move(shard_key)};
    out.key = std::move(key);
    return out;
  }

  inline static int count_ = 0;
  std::string source_database_, shard_database_;
  migration_manifest migration_ = migration();
  std::unique_ptr<session> source_, shard_;
  std::vector<table_state> tables_;
  onboard_options options_;
};

inline std::string name_of(::testing::TestParamInfo<versions> const& info) {
  return "from_" + std::to_string(info.param.source) + "_to_" + std::to_string(info.param.shard);
}

}  // namespace shardway
