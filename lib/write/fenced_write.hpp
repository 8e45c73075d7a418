// One write from the first try to its receipt: fence, refusal, wait, retry, COMMIT and what became of it.
// Keeps I1, I2 and I3.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "lib/authority/write_host.hpp"
#include "lib/write/dual_writer.hpp"
#include "shardway/route/shard_key.hpp"
#include "shardway/write/receipt.hpp"
#include "shardway/write/write_options.hpp"
#include "shardway/write/write_transaction.hpp"

namespace shardway {
inline namespace v0 {

/// What a write is addressed to. Views live as long as the call.
struct write_address {
  std::string_view table;
  shard_key const& key;
};

/// One statement in its own transaction. Errors and cost: `client_session::execute`.
result<write_receipt> execute_fenced(write_host& host, dual_writer& dual_write, write_address const& address,
                                     std::string_view sql, std::vector<text_value> parameters,
                                     write_options const& options);

/// A transaction around `body`. Errors and cost: `client_session::write`.
result<write_receipt> run_fenced(write_host& host, dual_writer& dual_write, write_address const& address,
                                 std::function<result<>(write_transaction&)> const& body,
                                 write_options const& options);

}  // namespace v0
}  // namespace shardway
