// A schema on a source and a shard, without a server, that the rules for objects have nothing against.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lib/migrate/preflight/object_checks.hpp"

namespace shardway {

class object_checks : public ::testing::Test {
 protected:
  object_checks() {
    migration.application_role = "app";
    migration.engine_role = "engine";
    migration.mirror_role = "mirror";
    tables = {{.table = "shop.orders", .group = "orders", .shard_key = {"customer_id"}, .key = {"id"}}};
    source.node = "source";
    source.database = shard.database = "shop";
    source.server_version = 130023;
    shard.server_version = 150020;
    shard.node = "shard1";
    source.carried_schemas = {"shop"};
    source.schemas = {{"shop", "owner"}, {"audit", "owner"}};
    shard.roles = {"app", "engine", "owner"};
    shard.engine_memberships = {"engine", "owner"};
    source.locale = shard.locale = {"C.UTF-8", "C.UTF-8", "c", "", ""};
    source.tables = {{.table = "shop.orders",
                      .root = "shop.orders",
                      .quoted = "shop.orders",
                      .tablespace = {},
                      .access_method = {},
                      .schema = "shop",
                      .owner = "owner",
                      .owner_owns_schema = true}};
    source.relations = {{"shop", "orders", true}, {"audit", "log", false}, {"shop", "settings", false}};
  }

  std::vector<finding> all() const {
    using namespace migrate::preflight;
    auto out = judge_source(migration, tables, source);
    for (auto& one : judge_shard(migration, tables, source, shard)) out.push_back(std::move(one));
    return out;
  }
  std::string troubles() const {
    std::string out;
    for (auto const& one : all())
      if (one.level != finding_level::pass)
        out += std::string(name(one.level)) + ' ' + one.id + ' ' + one.subject + ": " + one.what + " -> " +
               one.fix + '\n';
    return out;
  }
  // The only trouble, as "fail rule also on shop.orders".
  std::string trouble() const {
    std::string out;
    for (auto const& one : all())
      if (one.level != finding_level::pass)
        out += (out.empty() ? "" : "; ") + std::string(name(one.level)) + ' ' + one.id + ' ' + one.subject;
    return out;
  }
  std::string fix() const {
    for (auto const& one : all())
      if (one.level != finding_level::pass) return one.fix;
    return {};
  }
  void add_trigger(std::string const& name, std::string const& body, bool before_row = false) {
    source.triggers.push_back({.table = "shop.orders",
                               .root = "shop.orders",
                               .quoted = "shop.orders",
                               .name = name,
                               .function = "shop." + name + "()",
                               .is_before_row = before_row,
                               .constraint = {},
                               .arguments = {}});
    add_function("shop." + name + "()", name, body);
  }
  void add_function(std::string const& identity, std::string const& name, std::string const& body,
                    std::string const& language = "plpgsql") {
    source.routines[identity] = {identity, "shop", name, language, body, {}, false, false};
  }

  migration_manifest migration;
  std::vector<table_manifest> tables;
  migrate::preflight::source_objects source;
  migrate::preflight::shard_objects shard;
};

}  // namespace shardway
