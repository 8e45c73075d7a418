// From the events of a change stream to whole transactions. Decides without I/O.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lib/store/change_stream.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

/// A row that was changed or tables that were emptied, in the order of the transaction.
using decoded_change = std::variant<row_event, truncate_event>;

/// A decoded transaction, whole.
struct decoded_transaction {
  begin_event begin;
  lsn end{};
  std::vector<decoded_change> changes{};
  bool has_message{};  ///< it carries the mark that the engine leaves on a shard
  std::size_t bytes{};
};

/// The transaction that an event completed.
struct transaction_complete {
  decoded_transaction transaction;
};
/// Nothing to decode up to `position`, and no transaction is open.
struct nothing_until {
  lsn position;
};
/// What follows from one event; `monostate`: nothing yet.
using assembled = std::variant<std::monostate, transaction_complete, nothing_until>;

/// Puts the events of one stream together. Bounds the memory of the open transaction by refusing: nothing is
/// spilled to disk (S18). Thread safety: not safe.
class transaction_assembler {
 public:
  /// `origin` names what is read in error texts: "source", "shard".
  transaction_assembler(std::string origin, std::size_t bytes_max)
      : origin_(std::move(origin)), bytes_max_(bytes_max) {}

  /// Errors: `protocol_violation` (an event outside a transaction), `stream_broken` (the transaction is
  /// larger than `bytes_max`).
  result<assembled> take(stream_event event);
  bool is_open() const noexcept { return open_.has_value(); }
  /// The stream starts again: the server sends an open transaction from its beginning.
  void reset() noexcept { open_.reset(); }

 private:
  result<assembled> keep(decoded_change change, std::size_t bytes);
  result<assembled> complete(commit_event const& commit);

  std::string const origin_;
  std::size_t const bytes_max_;
  std::optional<decoded_transaction> open_;
};

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
