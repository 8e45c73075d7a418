// Certificates: the proof that a table was found equal on both sides. Keeps I7: a repair invalidates every
// certificate whose verification began before it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/base/lsn.hpp"
#include "shardway/base/result.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

enum class verdict : unsigned char { equal, different, could_not_tell };
std::string_view name(verdict) noexcept;

struct certificate {
  std::int64_t id{};
  std::string group{};
  std::string relation{};  ///< "schema.name"
  verdict found{};
  std::int64_t row_count{};
  lsn as_of{};
  std::string detail{"{}"};   ///< a JSON object
  std::string started_at{};   ///< from `database_now`, before the first row was read
  std::string recorded_at{};  ///< filled by the database
};

struct repair_record {
  std::string relation{};
  std::string node;
  std::string kind;        ///< such as "insert", "update", "delete"
  std::string key_digest;  ///< never the key itself
};

/// The database's clock in text form, for `certificate::started_at`.
result<std::string> database_now(session& catalog);

/// Stores a certificate and returns its id. Errors: `not_leader`.
result<std::int64_t> insert_certificate(session& catalog, std::int64_t token, certificate const&);

/// The newest certificate of a table, whatever it found.
result<std::optional<certificate>> newest_certificate(session& catalog, std::string_view relation);

/// Stores that a row was repaired. Errors: `not_leader`.
result<> insert_repair(session& catalog, std::int64_t token, repair_record const&);

/// Why a table is not certified.
struct certificate_gap {
  std::string relation{};
  std::string why;
};

/// I7: the tables that are not certified. A table has no certificate, its newest one is not `equal`, it began
/// before the last repair, or it is older than `age_max` (0: any age is accepted). Empty when all tables are
/// certified.
///
/// Cost: a round trip for each table.
result<std::vector<certificate_gap>> certificate_gaps(session& catalog,
                                                      std::vector<std::string> const& relations,
                                                      std::chrono::seconds age_max);

}  // namespace v0
}  // namespace shardway
