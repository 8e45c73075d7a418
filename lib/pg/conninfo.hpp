// Pieces of libpq's keyword form.
#pragma once

#include <string>
#include <string_view>

namespace shardway {
inline namespace v0 {

/// A value in quotes, as it stands after "keyword=".
std::string conninfo_value(std::string_view text);
/// The user that the conninfo names; empty if it names none, or is not in libpq's form.
std::string conninfo_user(std::string const& conninfo);

}  // namespace v0
}  // namespace shardway
