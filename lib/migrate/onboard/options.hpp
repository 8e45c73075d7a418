// Options of every step of onboarding. Each step may be repeated: it does only what is still missing.
//
// Keeps I12: on the source only schema `shardway`, publications, replication slots, triggers and the
// increment of sequences change; no row does.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/base/result.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

struct onboard_options {
  std::int64_t token{};  ///< of the controller's lease: each transaction checks it on its node
  std::chrono::milliseconds lock_timeout{
      200};  ///< > 0: one try for a table's lock. Short: a queued lock blocks those behind it.
  std::chrono::milliseconds retry_budget{30'000};   ///< >= lock_timeout: all tries for one table
  std::chrono::milliseconds drain_timeout{60'000};  ///< > 0: how long to wait for old transactions (CP3), and
                                                    ///< for a replication slot to be created
  std::uint32_t id_margin{10'000};  ///< ids left free above the highest one when sequences are interleaved
  std::string client_programs{};    ///< folder of pg_dump and psql; empty: found through PATH
  std::vector<std::string>
      client_environment{};  ///< "NAME=value" added to their environment, such as PGPASSFILE
};

/// A node of the migration. Lifetime: the session must outlive the call. Preconditions of every call: no
/// transaction is open on it.
struct onboard_node {
  session* node{};
  std::string name;      ///< its name in the migration
  std::string conninfo;  ///< for pg_dump and psql; without a password
};

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
