// The roles that are given rights on what is installed.
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/manifest/manifest.hpp"

namespace shardway {
inline namespace v0 {

/// One role, or all roles of a migration's applications. A value.
class grantees {
 public:
  template <class Text>
    requires std::convertible_to<Text const&, std::string_view>
  grantees(Text const& role) : names_{std::string(std::string_view(role))} {}
  grantees(migration_manifest const&);

  std::vector<std::string> const& names() const noexcept { return names_; }
  /// As it stands after TO: quoted, with commas between them.
  std::string sql() const;

 private:
  std::vector<std::string> names_;
};

/// The roles of the applications: `application_role` first.
std::vector<std::string> application_roles(migration_manifest const&);

}  // namespace v0
}  // namespace shardway
