#include "macro/fleet.hpp"

#include "lib/protocol/schema.hpp"

namespace shardway_bench {
namespace {

using namespace shardway;

table_state accounts() {
  table_state made;
  made.manifest.table = table;
  made.manifest.group = "shop";
  made.manifest.kind = table_kind::sharded;
  made.manifest.key = {"id"};
  made.manifest.shard_key = {"customer_id"};
  for (auto const* name : {"id", "customer_id", "balance"})
    made.columns.push_back({.name = name, .type = "bigint"});
  made.columns.push_back({.name = "note", .type = "text"});
  return made;
}

std::string schema_sql(bool with_rows) {
  std::string sql =
      "CREATE SCHEMA shop; CREATE TABLE shop.accounts (id bigint PRIMARY KEY, customer_id bigint NOT NULL, "
      "balance bigint NOT NULL, "
      "note text NOT NULL) WITH (fillfactor = 50);";
  if (with_rows)
    sql += "INSERT INTO shop.accounts SELECT i, i, 0, repeat(md5(i::text), 2) FROM generate_series(1, " +
           std::to_string(account_count) + ") i; ANALYZE shop.accounts;";
  return sql;
}

}  // namespace

fleet::fleet(shardway::testing::cluster_options options, std::size_t databases)
    : servers_(must(shardway::testing::cluster::start(std::move(options)))) {
  for (std::size_t i = 0; i < servers_->shard_count(); ++i)
    for (std::size_t j = 0; j < databases; ++j)
      places_.push_back({&servers_->shard(i), databases == 1 ? "postgres" : "shard_" + std::to_string(j)});
  describe();
  install();
  publish(stage::observing);
}

fleet::~fleet() = default;

void fleet::describe() {
  current_.migration.name = "shop";
  current_.migration.source = {"source", servers_->conninfo(source()), {}};
  current_.migration.application_role = current_.migration.engine_role = current_.migration.mirror_role =
      "postgres";
  for (std::size_t i = 0; i < places_.size(); ++i)
    current_.migration.shards.push_back({"shard" + std::to_string(i + 1), shard_conninfo(i), {}});
  for (auto* node : servers_->all())
    if (node->name().starts_with("replica"))
      current_.migration.source.replicas.push_back({node->name(), servers_->conninfo(*node), {}});
  current_.placement = even_placement(static_cast<std::uint16_t>(places_.size()));
  current_.groups.push_back({"shop", stage::observing, {{all_slots, std::nullopt, epoch{1}, {}}}});
  current_.tables = {accounts()};
}

void fleet::install() {
  auto const on = [&](shardway::testing::server& node, std::string const& database, std::string const& name,
                      node_role role) {
    if (database != "postgres") must(node.query("CREATE DATABASE " + database));
    must(node.query(schema_sql(true), database));
    must(node.query(node_schema_sql(role, name, current_.migration), database));
    must(node.query(group_sql(role, "shop", epoch{1}, "postgres"), database));
    if (role == node_role::shard)
      must(node.query(shard_table_sql(current_.tables.front(), "postgres"), database));
  };
  on(source(), "postgres", "source", node_role::source);
  for (std::size_t i = 0; i < places_.size(); ++i)
    on(*places_[i].server, places_[i].database, current_.migration.shards[i].name, node_role::shard);
}

void fleet::put(shardway::testing::server& node, std::string const& database) {
  auto const document = encode(current_);
  must(node.query("INSERT INTO shardway.generation (generation, document, sha256) VALUES (" +
                      std::to_string(current_.number) + ", $shardway$" + document +
                      "$shardway$, encode(sha256(convert_to($shardway$" + document +
                      "$shardway$, 'UTF8')), 'hex'))",
                  database));
}

void fleet::open_fence(std::size_t shard, slot_range slots) {
  auto const first = std::to_string(slots.first.value()), last = std::to_string(slots.last.value());
  auto const& at = places_[shard];
  must(at.server->query(
      "BEGIN; LOCK TABLE shardway.\"fence_lock_shop\" IN EXCLUSIVE MODE; SELECT shardway.fence_set('shop', " +
          first + ", " + last + ", 2, true, '', NULL); COMMIT",
      at.database));
  must(at.server->query(
      "DELETE FROM shop.accounts WHERE shardway.slot_of(customer_id) NOT BETWEEN " + first + " AND " + last,
      at.database));
  must(at.server->query("VACUUM ANALYZE shop.accounts", at.database));
}

void fleet::move_all() {
  must(
      source().query("BEGIN; LOCK TABLE shardway.\"fence_lock_shop\" IN EXCLUSIVE MODE; SELECT "
                     "shardway.fence_set('shop', 0, 4095, 2, false, "
                     "'bench', NULL); COMMIT"));
  current_.groups.front().authority.clear();
  current_.tables.front().manifest.reads.scatter = true;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    auto const slots = current_.placement[i].slots;
    open_fence(i, slots);
    current_.groups.front().authority.push_back(
        {slots, shard_id{static_cast<std::uint16_t>(i)}, epoch{2}, {}});
  }
  publish(stage::sharded);
}

void fleet::publish(stage at, dual_write_mode mode, std::chrono::milliseconds budget) {
  ++current_.number;
  current_.groups.front().stage = at;
  current_.tables.front().manifest.mode = mode;
  current_.tables.front().manifest.budget = budget;
  for (auto const& one : places_) put(*one.server, one.database);
  put(source(), "postgres");
}

client fleet::open(bool observe) {
  client_options options;
  options.source = {.node = "source", .conninfo = servers_->conninfo(source())};
  options.application = "bench";
  options.connections_max = 16;
  options.observe = observe;
  return must(client::open(std::move(options)));
}

std::int64_t account(std::size_t client, std::size_t call) {
  constexpr std::size_t share = account_count / 16;
  return static_cast<std::int64_t>(client * share + call * 7 % share + 1);
}

sessions::sessions(fleet& on, std::size_t count, bool observe) : app(on.open(observe)) {
  for (std::size_t i = 0; i < count; ++i) all.push_back(app.session());
}

void sessions::read(std::size_t client, std::int64_t id, read_options const& options) {
  auto const answer = must(all[client].read(table, id, read_sql, {std::to_string(id)}, options));
  if (answer.returned.size() != 1) give_up("a read found no row");
}

void sessions::update(std::size_t client, std::int64_t id) {
  auto const receipt = must(all[client].execute(table, id, update_sql, {std::to_string(id)}));
  if (receipt.affected != 1) give_up("an update changed no row");
}

}  // namespace shardway_bench
