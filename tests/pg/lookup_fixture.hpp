// A fleet with a table that has a unique lookup and one that is not unique.
#pragma once

#include "client_fleet.hpp"
#include "lib/protocol/lookup.hpp"
#include "lib/protocol/names.hpp"
#include "shardway/pg/connect.hpp"

namespace shardway_test {

class lookup_fleet : public client_fleet {
 public:
  lookup_fleet() {
    auto table = table_of("shop.users", "shop", {"id"},
                          {column("id", "bigint"), column("customer_id", "bigint"), column("email", "text"),
                           column("phone", "character varying(20)"), column("note", "text")});
    table.manifest.lookups = {{.name = "email", .columns = {"email"}, .unique = true},
                              {.name = "phone", .columns = {"phone"}, .unique = false}};
    current().tables.push_back(table);
    for (std::size_t i = 0; i < servers().shard_count(); ++i) install(servers().shard(i), true);
    install(servers().source(), false);
    set_mode(dual_write_mode::sync);
    publish(stage::dual_writing);
  }

  table_state const& users() { return *current().find_table("shop.users"); }
  lookup_of_table lookup(std::string_view name) { return *find_lookup(users(), name); }
  shardway::testing::server& source() { return servers().source(); }
  shardway::testing::server& holder_of(shard_key const& value) {
    return servers().shard(lookup_shard(current(), value).value());
  }

  /// "customer,customer": the customers that the mappings of a value lead to.
  std::string mapped(std::string_view name, std::string const& value) {
    return on(holder_of(shard_key(value)),
              "SELECT coalesce(string_agg(shard_key[1], ',' ORDER BY shard_key), '') FROM " +
                  names::lookup_table("shop.users", name) + " WHERE v1 = '" + value + "'");
  }
  /// How many rows have the e-mail address, on the nodes that have authority for them.
  int rows_with(std::string const& email, std::vector<std::int64_t> const& customers) {
    int count = 0;
    for (auto const customer : customers) {
      auto const& range =
          generation::authority_of(*current().find_group("shop"), slot_of(shard_key(customer)));
      auto& node = range.shard ? servers().shard(range.shard->value()) : source();
      count += std::stoi(on(node, "SELECT count(*) FROM shop.users WHERE email = '" + email +
                                      "' AND customer_id = " + text(customer)));
    }
    return count;
  }
  /// Gives a slot's authority to its shard.
  void move(std::int64_t customer) {
    auto const slot = slot_of(shard_key(customer));
    flip(source(), slot, 1, false, "w");
    flip(shard_of(slot), slot, 2, true);
    assign(slot, current().shard_of(slot), 2);
    publish();
  }
  std::unique_ptr<session> connected(shardway::testing::server& node) {
    return value_of(connect({.node = node.name(), .conninfo = node.conninfo()}));
  }

 private:
  static constexpr char users_sql[] =
      "CREATE TABLE shop.users (id bigint PRIMARY KEY, customer_id bigint NOT NULL, email text, phone "
      "varchar(20), note text);"
      // A COMMIT that waits: rows of note 'slow' are checked at the end of their transaction.
      "CREATE FUNCTION shop.wait() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN PERFORM "
      "pg_advisory_xact_lock_shared(77, 77); RETURN NULL; END $f$;"
      "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON shop.users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
      "WHEN (NEW.note = 'slow')"
      " EXECUTE FUNCTION shop.wait();";

  void install(shardway::testing::server& node, bool is_shard) {
    std::string sql = users_sql + lookup_state_sql("postgres");
    if (is_shard) {
      sql += shard_table_sql(users(), "postgres");
      for (auto const& one : users().manifest.lookups) sql += lookup_table_sql({&users(), &one}, "postgres");
      for (auto const& one : users().manifest.lookups)
        sql += "INSERT INTO shardway.lookup (relation, name, is_ready) VALUES ('shop.users', '" + one.name +
               "', true);";
    }
    require(node.query(sql));
  }
};

}  // namespace shardway_test
