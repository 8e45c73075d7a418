#include "lib/authority/unlisted_table.hpp"

#include <string>

#include <absl/strings/str_cat.h>

namespace shardway {
inline namespace v0 {

error unlisted_table(std::string_view table, generation const& current) {
  return error{error_code::unknown_table, absl::StrCat("table ", std::string(table),
                                                       " is in no manifest of generation ", current.number)};
}

}  // namespace v0
}  // namespace shardway
