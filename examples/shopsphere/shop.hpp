// What the load needs of a database: the few calls of a service's data layer. One body uses the library, one
// plain libpq.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace shopsphere {

using value = std::optional<std::string>;
using shop_key = std::variant<std::int64_t, std::string>;  ///< customer id or SKU

struct table_rows {
  std::vector<std::vector<value>> rows;
  std::int64_t affected = 0;
};

enum class outcome { ok, fail, in_doubt };
enum class freshness { own_writes, bounded, any_replica };

struct write_result {
  outcome what = outcome::ok;
  std::string error{};  ///< code, when not ok
  std::string node{}, write_id{}, dual_write = "none";
  int slot = -1, epoch = 0;
  unsigned retries = 0;
  std::int64_t stall_us = 0, captured = 0, affected = 0;
  bool answer_lost = false;  ///< it committed, but how many rows it changed is not known
};

struct read_result {
  outcome what = outcome::ok;
  std::string error{}, node{};
  bool from_replica = false;
  table_rows found{};
};

/// The statements of one transaction. False: the transaction is lost, return from the body at once.
class shop_transaction {
 public:
  virtual ~shop_transaction() = default;
  virtual bool execute(std::string_view table, std::string_view sql, std::vector<value> parameters,
                       table_rows* out = nullptr) = 0;
};

/// A user's session; one thread at a time.
class shop_session {
 public:
  virtual ~shop_session() = default;
  /// The body may be run again as a whole.
  virtual write_result write(std::string_view table, shop_key const& key,
                             std::function<bool(shop_transaction&)> const& body) = 0;
  virtual write_result execute(std::string_view table, shop_key const& key, std::string_view sql,
                               std::vector<value> parameters, table_rows* out = nullptr) = 0;
  virtual read_result read(std::string_view table, shop_key const& key, std::string_view sql,
                           std::vector<value> parameters, freshness) = 0;
  virtual std::string token() const = 0;
  virtual void adopt(std::string_view token) = 0;
};

class shop {
 public:
  virtual ~shop() = default;
  virtual std::unique_ptr<shop_session> session() = 0;
};

/// Each prints why and returns nothing if the database can't be reached.
std::unique_ptr<shop> open_with_library(std::string const& conninfo, std::size_t connections);
std::unique_ptr<shop> open_plain(std::string const& conninfo, std::string const& replica_conninfo);

}  // namespace shopsphere
