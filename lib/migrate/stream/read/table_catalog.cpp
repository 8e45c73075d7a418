#include "lib/migrate/stream/read/table_catalog.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

result<std::shared_ptr<table_catalog const>> table_catalog::make(std::shared_ptr<generation const> routing,
                                                                 table_catalog const* before) {
  auto catalog = std::make_shared<table_catalog>();
  for (auto const& state : routing->tables) {
    auto const known = before ? before->find(state.manifest.table) : nullptr;
    if (known && known->state == state) {
      catalog->tables_.emplace(state.manifest.table, known);
      continue;
    }
    BOOST_OUTCOME_TRY(auto table, follow_table(state));
    catalog->tables_.emplace(state.manifest.table, std::move(table));
  }
  for (std::uint32_t slot = 0; slot < limits::slot_count; ++slot)
    catalog->shards_.push_back(routing->shard_of(slot_id{static_cast<std::uint16_t>(slot)}).value());
  catalog->routing_ = std::move(routing);
  return std::shared_ptr<table_catalog const>{catalog};
}

table_ptr table_catalog::find(std::string const& name) const {
  auto const found = tables_.find(name);
  return found == tables_.end() ? nullptr : found->second;
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
