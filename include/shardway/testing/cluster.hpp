// All servers of a test: a source, its replicas and shards, in one temporary folder that is removed with the
// test.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/testing/server.hpp"

namespace shardway {
inline namespace v0 {
namespace testing {

/// A folder below the system's temporary folder. It is removed with the object. If the process is killed, a
/// small child process removes it.
class scratch_folder {
 public:
  static result<std::unique_ptr<scratch_folder>> make();
  ~scratch_folder();
  scratch_folder(scratch_folder const&) = delete;
  scratch_folder& operator=(scratch_folder const&) = delete;
  std::filesystem::path const& path() const noexcept { return path_; }

 private:
  scratch_folder(std::filesystem::path path, int reaper_pipe, pid_t reaper);
  std::filesystem::path path_;
  int reaper_pipe_;
  pid_t reaper_;
};

struct cluster_options {
  /// The major versions of PostgreSQL: 13, 15 or 18.
  int source_major = 15;
  int shard_major = 15;

  /// How many shards there are: shard1, shard2 ...
  std::size_t shards = 2;

  /// Replicas of the source: replica1, replica2 ...
  std::size_t replicas = 0;

  /// Replicas of each shard: shard1_replica1 ...
  std::size_t replicas_per_shard = 0;

  /// The delay of the source's last replica, to have a replica that lags.
  std::chrono::milliseconds replay_delay{0};

  /// Created on every node, unless it is `postgres`.
  std::string database = "postgres";

  /// Settings for every node.
  settings_map settings{};

  /// See `server_options::fast`.
  bool fast = false;
};

/// The servers of one test, named `source`, `replica1`..., `shard1`... Primaries start in parallel, then the
/// replicas.
///
/// Thread safety: distinct objects: safe. Shared object: `find` and the accessors may be called at the same
/// time; one server may not be used by two threads.
class cluster {
 public:
  static result<std::unique_ptr<cluster>> start(cluster_options options);
  ~cluster();
  cluster(cluster const&) = delete;
  cluster& operator=(cluster const&) = delete;

  server& source() noexcept { return *source_; }

  /// Counted from 0: `shard(0)` is the node `shard1`. Preconditions (of all three): the index exists.
  server& shard(std::size_t index) noexcept { return *shards_[index]; }
  server& replica(std::size_t index) noexcept { return *replicas_[index]; }
  server& shard_replica(std::size_t index) noexcept { return *shard_replicas_[index]; }
  std::size_t shard_count() const noexcept { return shards_.size(); }

  /// The server of that name. Null if there is none.
  server* find(std::string_view name) noexcept;

  std::vector<server*> all();
  std::string const& database() const noexcept { return options_.database; }
  std::filesystem::path const& folder() const noexcept { return folder_->path(); }

  /// The connection string of a node, for the cluster's database.
  std::string conninfo(server const& node) const { return node.conninfo(options_.database); }

 private:
  cluster(cluster_options options, std::unique_ptr<scratch_folder> folder);
  result<void> launch_primaries();
  result<void> make_databases();
  result<void> launch_replicas();

  cluster_options options_;
  std::unique_ptr<scratch_folder> folder_;  // before the servers: removed after them
  std::unique_ptr<server> source_;
  std::vector<std::unique_ptr<server>> shards_, replicas_, shard_replicas_;
};

}  // namespace testing
}  // namespace v0
}  // namespace shardway
