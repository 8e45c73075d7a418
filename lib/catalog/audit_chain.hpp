// What chains the audit log. The bytes are frozen: every log that is stored somewhere was hashed by them.
#pragma once

#include <string>

#include "shardway/catalog/audit.hpp"

namespace shardway {
inline namespace v0 {

/// The hash that an entry carries, of the hash before it, actor, action, detail and time as the server prints
/// them.
std::string chained_sha256(audit_entry const&);

}  // namespace v0
}  // namespace shardway
