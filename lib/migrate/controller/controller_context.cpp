#include "lib/migrate/controller/controller_context.hpp"

#include <absl/strings/str_cat.h>

#include "lib/migrate/nodes/json.hpp"
#include "shardway/catalog/audit.hpp"
#include "shardway/catalog/generation_store.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

onboard::onboard_options controller_context::onboarding() const {
  onboard::onboard_options onboard;
  onboard.token = token();
  onboard.client_programs = options.client_programs;
  return onboard;
}

std::vector<table_state> controller_context::tables_of(std::string const& group_name) const {
  std::vector<table_state> tables;
  for (auto const& table : current->tables)
    if (table.manifest.group == group_name) tables.push_back(table);
  return tables;
}

result<group_state> controller_context::group(std::string const& name) const {
  if (auto const* found = current->find_group(name)) return *found;
  return error(error_code::invalid_argument, "there is no group " + name,
               "`shardway migrate status` lists the groups");
}

void controller_context::adopt(generation published) {
  current = std::make_shared<generation const>(std::move(published));
  if (streams) streams->update_generation(current);
}

result<> controller_context::publish(generation next) {
  auto const sessions = nodes.sessions();
  BOOST_OUTCOME_TRY(next.number, next_generation_number(*sessions.source, sessions.shards));
  BOOST_OUTCOME_TRYV(publish_generation(*sessions.source, sessions.shards, next, token()));
  adopt(std::move(next));
  return success();
}

result<> controller_context::set_stage(std::string const& name, stage reached) {
  generation next = *current;
  for (auto& state : next.groups)
    if (state.name == name) state.stage = reached;
  BOOST_OUTCOME_TRYV(publish(std::move(next)));
  nodes::json const detail{{"group", name}, {"stage", shardway::name(reached)}};
  return append_audit(nodes.source(), options.holder, "stage", nodes::to_text(detail));
}

error no_stream_error(std::string const& group) {
  return error(error_code::precondition_failed, "group " + group + " has not begun to copy: no stream runs",
               absl::StrCat("shardway migrate advance --group ", group, " --to copying"));
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
