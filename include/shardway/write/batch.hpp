// Many rows in one call: what is given, and what became of each part of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/base/error.hpp"
#include "shardway/route/shard_key.hpp"
#include "shardway/write/receipt.hpp"
#include "shardway/write/write_options.hpp"

namespace shardway {
inline namespace v0 {

/// The most rows that one call takes. The rows and their answers are held in memory.
inline constexpr std::size_t batch_rows_max = 10'000;

/// One row of a batch: the parameters of the statement, and the shard key of the row that they change.
struct batch_row {
  shard_key key;
  std::vector<text_value> parameters;
};

/// Options of `client_session::execute_batch`.
struct batch_options {
  /// The isolation level of each part's transaction.
  isolation_level isolation{isolation_level::read_committed};

  /// > 0. Covers the whole call.
  std::chrono::milliseconds deadline{30000};

  /// As `write_options::retries_max`, for each part.
  unsigned retries_max{10};

  /// Writes all rows in one transaction, or none. The call is refused with `cross_shard` if several nodes
  /// have authority for the rows.
  bool single_transaction{};
};

/// What became of the rows of one node.
enum class part_state : unsigned char {
  committed,
  committed_locally,  ///< the wait for a synchronous standby was cancelled: a failover may lose it
  rolled_back,        ///< nothing of the part was written
  in_doubt,  ///< COMMIT got no answer, and its outcome could not be found out: look for the rows; the library
             ///< never sends them again
};
std::string_view name(part_state state) noexcept;

/// The rows of one node, in one transaction.
struct batch_part {
  std::string node;
  part_state state{part_state::rolled_back};
  write_id id{};
  std::vector<std::size_t> rows;            ///< positions in the caller's order, ascending
  std::optional<error> why{};               ///< set if the part did not commit
  std::optional<std::size_t> failed_row{};  ///< position of the row whose statement failed, if one did
  dual_write_state dual_write{dual_write_state::none};
  std::string dual_write_reason;  ///< as in `write_receipt`
  std::int64_t dual_write_rows{};
  lsn position{};  ///< as in `write_receipt`
  unsigned retries{};
  bool answer_lost{};  ///< the part committed, but what its rows returned is not known
};

/// What the statement of one row returned. Nothing if its part did not commit or the answer was lost.
struct batch_row_answer {
  std::size_t part{};  ///< position in `batch_receipt::parts`
  std::int64_t affected{};
  rows returned;
};

/// What became of a batch.
struct batch_receipt {
  std::vector<batch_part> parts;
  std::vector<batch_row_answer> rows;  ///< one for each row, in the caller's order
  std::int64_t affected{};             ///< rows changed by the parts that committed

  bool all_committed() const noexcept {
    for (auto const& part : parts)
      if (part.state == part_state::rolled_back || part.state == part_state::in_doubt) return false;
    return true;
  }
};

}  // namespace v0
}  // namespace shardway
