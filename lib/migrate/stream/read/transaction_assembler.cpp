#include "lib/migrate/stream/read/transaction_assembler.hpp"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

std::size_t size_of(std::optional<stream_tuple> const& tuple) {
  std::size_t bytes = 0;
  if (tuple)
    for (auto const& value : *tuple) bytes += sizeof value + value.text.size();
  return bytes;
}

std::size_t size_of(row_event const& row) { return sizeof row + size_of(row.before) + size_of(row.after); }

}  // namespace

result<assembled> transaction_assembler::take(stream_event event) {
  if (auto const* begin = std::get_if<begin_event>(&event)) {
    open_ = decoded_transaction{.begin = *begin};
  } else if (auto const* message = std::get_if<message_event>(&event)) {
    if (open_ && message->transactional && message->prefix == names::schema) open_->has_message = true;
  } else if (auto* row = std::get_if<row_event>(&event)) {
    auto const bytes = size_of(*row);
    return keep(std::move(*row), bytes);
  } else if (auto* truncate = std::get_if<truncate_event>(&event)) {
    return keep(std::move(*truncate), sizeof *truncate);
  } else if (auto const* commit = std::get_if<commit_event>(&event)) {
    return complete(*commit);
  } else if (auto const* alive = std::get_if<keepalive_event>(&event); alive && !open_) {
    return assembled{nothing_until{alive->server_position}};
  }
  return assembled{};
}

result<assembled> transaction_assembler::keep(decoded_change change, std::size_t bytes) {
  if (!open_) return error{error_code::protocol_violation, "the stream shows a change outside a transaction"};
  open_->bytes += bytes;
  if (open_->bytes > bytes_max_)
    return error{error_code::stream_broken,
                 absl::StrCat("a transaction of the ", origin_, " is larger than transaction_bytes_max"),
                 "raise engine_limits::transaction_bytes_max and start the stream again: nothing of the "
                 "transaction was applied"};
  open_->changes.push_back(std::move(change));
  return assembled{};
}

// The position of a transaction is the end of its commit, never the position of a row (S5).
result<assembled> transaction_assembler::complete(commit_event const& commit) {
  if (!open_)
    return error{error_code::protocol_violation, "the stream ends a transaction that it has not begun"};
  open_->end = commit.end_lsn;
  return assembled{transaction_complete{*std::exchange(open_, std::nullopt)}};
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
