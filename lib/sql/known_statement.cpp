#include "lib/sql/known_statement.hpp"

#include <absl/container/flat_hash_map.h>

#include "lib/store/statement_name.hpp"

namespace shardway {
inline namespace v0 {

std::shared_ptr<known_statement const> know_statement(std::string_view sql) {
  constexpr std::size_t texts_max = 512;
  thread_local absl::flat_hash_map<std::string, std::shared_ptr<known_statement const>, hash_of_text,
                                   std::equal_to<>>
      known;
  auto const found = known.find(sql);
  if (found != known.end()) return found->second;
  if (known.size() >= texts_max) known.clear();
  auto made =
      std::make_shared<known_statement const>(known_statement{lex_statement(sql), statement_name(sql)});
  known.emplace(sql, made);
  return made;
}

}  // namespace v0
}  // namespace shardway
