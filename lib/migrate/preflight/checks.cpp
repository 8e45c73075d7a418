#include "lib/migrate/preflight/checks.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

rows ask(context const& checked, std::string_view id, statement const& question) {
  auto answer = checked.node->query(question);
  if (answer) return std::move(answer).value();
  checked.fail(id, "query", "could not be checked: " + answer.error().to_string(),
               "let the engine's role read what the check needs");
  return {};
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
