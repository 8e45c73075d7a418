// Which keys follow the stream: the chunks of every table under copy, as the dispatcher and the copy workers
// share them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/migrate/stream/apply/batch.hpp"
#include "lib/migrate/stream/chunk.hpp"
#include "shardway/migrate/stream/state.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

/// How the leading column of a primary key is ordered, where the server and this process order it alike. A
/// table in any other order is one chunk: `whole`.
enum class key_order : unsigned char { integer, uuid, whole };
key_order order_of(followed_table const&);

struct chunk_range {
  std::optional<std::string>
      lower;  ///< first value of the leading key column in the chunk; nothing: from the lowest
  std::optional<std::string> upper;  ///< first value past it; nothing: to the highest
};

struct followed_chunk {
  struct deferred {
    std::size_t shard{};
    stream_change change;
  };
  std::int64_t id{};  ///< of shardway.chunk
  chunk_range range;
  chunk_machine machine;
  std::vector<deferred> kept;
  std::int64_t rows{};
  std::int64_t bytes{};
  bool is_emptied{};  ///< a TRUNCATE came while it was copied: copy it again
};

struct followed_copy {
  table_ptr table;
  key_order order{};
  std::vector<followed_chunk> chunks;  ///< by lower bound
  std::size_t unfinished{};            ///< chunks whose keys do not follow the stream yet

  /// The chunk of a key. Errors: `corrupt_data` if the leading value is not of its type.
  result<followed_chunk*> find(std::vector<std::string> const& key);
};

/// Thread safety: not safe; the dispatcher's mutex guards it.
class copy_registry {
 public:
  void put(followed_copy copy);
  void forget(std::string const& table) { copies_.erase(table); }
  /// Null if no chunk of the table is planned.
  followed_copy* find(std::string const& table);
  followed_copy const* find(std::string const& table) const;
  /// Preconditions: the table has a chunk of that number.
  followed_chunk& chunk(std::string const& table, std::size_t number);
  followed_chunk const& chunk(std::string const& table, std::size_t number) const;
  /// Takes the table as a new generation describes it.
  void replace_table(table_ptr table);
  table_copy_progress progress(std::string const& table) const;

  /// What the dispatcher does with a change; `chunk` is set if it is to be deferred. Errors: as
  /// `followed_copy::find`.
  result<chunk_route> route(stream_change const& change, followed_chunk** chunk);
  void defer(followed_chunk& chunk, std::size_t shard, stream_change change);
  /// Takes the deferred changes that the copied rows lack, in order.
  std::vector<followed_chunk::deferred> drain(followed_chunk& chunk);
  void drop_deferred(followed_chunk& chunk);
  std::size_t deferred_bytes() const noexcept { return deferred_bytes_; }
  /// A TRUNCATE of the table ended at `end`: chunks under copy are copied again, and no other is read before
  /// the shards are past it.
  void empty(followed_copy& copy, lsn end);
  /// End of the newest TRUNCATE that was dispatched; 0 if there was none.
  lsn emptied_until(std::string const& table) const;

 private:
  std::map<std::string, followed_copy> copies_;
  std::map<std::string, lsn>
      emptied_until_;  ///< kept when a table is forgotten: a shard may still have the emptying before it
  std::size_t deferred_bytes_{};
};

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
