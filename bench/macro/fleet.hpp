// Real servers with one onboarded table, its generations published by hand.
#pragma once

#include <string>

#include "macro/load.hpp"
#include "shardway/client/client.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/testing/cluster.hpp"

namespace shardway_bench {

using namespace shardway;

inline constexpr std::int64_t account_count = 20'000;
inline constexpr char read_sql[] = "SELECT id, customer_id, balance, note FROM shop.accounts WHERE id = $1";
inline constexpr char update_sql[] = "UPDATE shop.accounts SET balance = balance + 1 WHERE id = $1";
inline constexpr char table[] = "shop.accounts";

/// fsync is on everywhere. Table shop.accounts: primary key id, shard key customer_id, which equals it here;
/// about 100 B a row.
class fleet {
 public:
  /// Shards are databases: `databases` of them on each shard's server.
  explicit fleet(shardway::testing::cluster_options options, std::size_t databases = 1);
  ~fleet();

  shardway::testing::cluster& servers() { return *servers_; }
  shardway::testing::server& source() { return servers_->source(); }
  /// The next generation, with the table's group at this stage.
  void publish(stage at, dual_write_mode mode = dual_write_mode::sync,
               std::chrono::milliseconds budget = std::chrono::milliseconds{1000});
  /// Every slot moves to the shard it is placed on; rows stay only there.
  void move_all();
  client open(bool observe = true);
  std::size_t shard_count() const noexcept { return places_.size(); }
  std::string shard_conninfo(std::size_t shard) const {
    return places_[shard].server->conninfo(places_[shard].database);
  }

 private:
  struct place {
    shardway::testing::server* server{};
    std::string database;
  };
  void describe();
  void install();
  void put(shardway::testing::server& node, std::string const& database);
  void open_fence(std::size_t shard, slot_range slots);

  std::unique_ptr<shardway::testing::cluster> servers_;
  std::vector<place> places_;  ///< of the shards
  shardway::generation current_;
};

/// An account for the nth call of a client: clients never share a row.
std::int64_t account(std::size_t client, std::size_t call);

/// One session a client, on one client object.
struct sessions {
  sessions(fleet& on, std::size_t count, bool observe = true);
  void read(std::size_t client, std::int64_t id, read_options const& options = {});
  void update(std::size_t client, std::int64_t id);
  client app;
  std::vector<client_session> all;
};

}  // namespace shardway_bench
