// What a migration can't begin with, asked before anything is installed.
#pragma once

#include <vector>

#include "lib/migrate/controller/node_connections.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// Errors: `precondition_failed` naming everything found: nodes that are one database or a standby, servers
/// that can't stream or publish all tables, roles that are missing, tables whose changes can't be decoded.
/// Cost: that of a preflight without tables.
result<> check_admission(controller_options const&, node_connections const&,
                         std::vector<table_manifest> const&);

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
