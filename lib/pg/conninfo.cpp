#include "lib/pg/conninfo.hpp"

#include <memory>

#include <libpq-fe.h>

namespace shardway {
inline namespace v0 {

std::string conninfo_value(std::string_view text) {
  std::string out(1, '\'');
  for (auto const letter : text) {
    if (letter == '\'' || letter == '\\') out += '\\';
    out += letter;
  }
  return out += '\'';
}

std::string conninfo_user(std::string const& conninfo) {
  std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> const parsed{
      PQconninfoParse(conninfo.c_str(), nullptr), &PQconninfoFree};
  if (!parsed) return {};
  for (auto const* option = parsed.get(); option->keyword; ++option)
    if (std::string_view{option->keyword} == "user" && option->val) return option->val;
  return {};
}

}  // namespace v0
}  // namespace shardway
