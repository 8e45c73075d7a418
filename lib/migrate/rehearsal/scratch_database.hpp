// A database of our own on a shard, like the shard's, for one rehearsal.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "shardway/manifest/manifest.hpp"
#include "shardway/pg/connect.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::rehearsal {

/// Every name of such a database begins with it.
inline constexpr std::string_view scratch_prefix = "shardway_rehearsal_";

/// "shardway_rehearsal_<migration>_<random>", at most 63 bytes.
std::string scratch_name(std::string_view migration);

/// `ALTER DATABASE ... SET` for one "name=value" of `pg_db_role_setting`. A list such as search_path stands
/// there already as SQL writes it; other values become literals.
std::string setting_sql(std::string_view database, std::string_view setting);

/// A scratch database with the encoding, locale, extensions and settings of the shard's database. Lifetime:
/// the destructor closes the session and drops the database.
class scratch_database {
 public:
  /// Drops what an earlier rehearsal of this migration left behind and nobody uses. Errors:
  /// `permission_denied` (the role lacks CREATEDB), those of connections.
  static result<scratch_database> make(connect_options const& shard, std::string_view migration);

  scratch_database(scratch_database&&) = default;
  scratch_database& operator=(scratch_database&&) = delete;
  ~scratch_database();

  session& node() const noexcept { return *inside_; }
  connect_options const& place() const noexcept { return place_; }
  /// Extensions that could not be created, with the server's reason.
  std::vector<std::string> const& missing_extensions() const noexcept { return missing_extensions_; }
  /// An owner of tables may create objects here.
  result<> admit_owner(std::string const& owner);

 private:
  scratch_database(std::unique_ptr<session> outside, std::string name)
      : outside_(std::move(outside)), name_(std::move(name)) {}
  result<> open(connect_options const& shard);
  result<> resemble();

  std::unique_ptr<session> outside_;
  std::string name_;
  std::unique_ptr<session> inside_{};
  connect_options place_{};
  std::vector<std::string> missing_extensions_{};
};

}  // namespace migrate::rehearsal
}  // namespace v0
}  // namespace shardway
