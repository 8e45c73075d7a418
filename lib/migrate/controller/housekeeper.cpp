#include "lib/migrate/controller/housekeeper.hpp"

#include "lib/protocol/names.hpp"
#include "lib/protocol/progress.hpp"
#include "lib/protocol/schema.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/catalog/client_registry.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

result<> housekeeper::keep_house() {
  auto const now = steady_now();
  if (now - last_ < std::chrono::seconds{5}) return success();
  last_ = now;
  auto& source = context_.nodes.source();
  // If the table stays locked, the next turn tries again. Meanwhile a DEFAULT partition takes the rows (W26).
  (void)source.simple("SET lock_timeout = '100ms'; " + maintain_outbox_sql(2, 48) + "; SET lock_timeout = 0");
  BOOST_OUTCOME_TRYV(expire_clients(source, context_.token(), std::chrono::hours{1}));
  for (auto const& shard : context_.options.migration.shards) {
    BOOST_OUTCOME_TRYV(source.query(trim_progress_statement(shard.name)));
  }
  for (auto* shard : context_.nodes.sessions().shards) {
    BOOST_OUTCOME_TRYV(shard->query(trim_progress_statement(names::source_stream)));
  }
  return success();
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
