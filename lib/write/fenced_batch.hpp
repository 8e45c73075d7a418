// A batch from its rows to its receipt: one fenced transaction a node. Keeps I1, I2 and I3.
#pragma once

#include <span>
#include <string_view>

#include "lib/authority/write_host.hpp"
#include "lib/write/dual_writer.hpp"
#include "shardway/write/batch.hpp"

namespace shardway {
inline namespace v0 {

/// Errors and cost: `client_session::execute_batch`.
result<batch_receipt> execute_batch_fenced(write_host& host, dual_writer& dual_write, std::string_view table,
                                           std::string_view sql, std::span<batch_row const> rows,
                                           batch_options const& options);

}  // namespace v0
}  // namespace shardway
