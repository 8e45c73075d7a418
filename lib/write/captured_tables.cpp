#include "lib/write/captured_tables.hpp"

#include "lib/protocol/capture.hpp"

namespace shardway {
inline namespace v0 {
namespace {

std::vector<table_state const*> tables_of_group(call_target const& target, bool by_trigger) {
  std::vector<table_state const*> found;
  for (auto const& table : target.current->tables)
    if (table.manifest.group == target.group->name && captures_by_trigger(table) == by_trigger)
      found.push_back(&table);
  return found;
}

}  // namespace

std::vector<table_state const*> tables_captured_by_trigger(call_target const& target) {
  return tables_of_group(target, true);
}

std::vector<table_state const*> tables_captured_by_statement(call_target const& target) {
  return tables_of_group(target, false);
}

}  // namespace v0
}  // namespace shardway
