// Real servers with one onboarded table. The benchmarks publish its generations themselves.
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

/// fsync is on everywhere. Table shop.accounts has the primary key id and the shard key customer_id; here
/// both are equal. A row has about 100 bytes.
class fleet {
 public:
  /// Each shard is a database. `databases` of them are on each shard's server.
  explicit fleet(shardway::testing::cluster_options options, std::size_t databases = 1);
  ~fleet();

  shardway::testing::cluster& servers() { return *servers_; }
  shardway::testing::server& source() { return servers_->source(); }

  /// Publishes the next generation, with the table's group in this stage.
  void publish(stage stage, dual_write_mode mode = dual_write_mode::sync,
               std::chrono::milliseconds budget = std::chrono::milliseconds{1000});

  /// Moves every slot to the shard on which it is placed. Rows then exist only there.
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
  std::vector<place> places_;  ///< where each shard is
  shardway::generation current_;
};

/// The account for the nth call of a client. Clients never share a row.
std::int64_t account(std::size_t client, std::size_t call);

/// One session per client, on one client object.
struct sessions {
  sessions(fleet& servers, std::size_t count, bool observe = true);
  void read(std::size_t client, std::int64_t id, read_options const& options = {});
  void update(std::size_t client, std::int64_t id);
  client app;
  std::vector<client_session> all;
};

}  // namespace shardway_bench
