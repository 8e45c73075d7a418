// Shadow reads: a share of the reads that the source answers runs on the shard too, off the caller's path,
// and the answers are compared.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>

#include "lib/authority/call_target.hpp"
#include "lib/client/pools/node_pools.hpp"
#include "lib/client/reads/background.hpp"
#include "lib/read/shadow_compare.hpp"

namespace shardway {
inline namespace v0 {

/// It has connections of its own, so that no caller waits for one because of it. Thread safety: shared use is
/// safe.
class shadow_reads {
 public:
  explicit shadow_reads(client_options const& options);

  /// Takes a share of the reads that the source or one of its replicas has answered, as the table's
  /// manifest says. Cost: one pass over the rows of a read that is taken; otherwise nothing.
  void answered(call_target const& target, statement const& what, read_answer const& answer);
  std::map<std::string, client::shadow_counts> totals() const;
  /// Ends what runs, within some seconds.
  void stop() noexcept;

 private:
  struct job;
  shadow_class compare(job const&);
  shadow_class compare_later(job const&);
  result<answer_digest> on_shard(job const&, lsn past);
  result<answer_digest> on_source(job const&);
  result<lsn> source_position(job const&);
  void count(std::string const& table, slot_id, std::uint64_t fingerprint, shadow_class) noexcept;
  void drop(std::string const& table) noexcept;

  client_options const options_;
  node_pools pools_;
  std::atomic<std::size_t> turn_{};
  std::atomic<bool> stopping_{};
  mutable std::mutex mutex_;  ///< of totals_
  std::map<std::string, client::shadow_counts> totals_;
  background work_;
};

}  // namespace v0
}  // namespace shardway
