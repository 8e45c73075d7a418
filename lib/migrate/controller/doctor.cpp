#include "lib/migrate/controller/doctor.hpp"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

namespace shardway {
inline namespace v0 {
namespace migrate::control {

// Every table is given, for the doctor judges a foreign key by the table that it leads to.
result<std::vector<finding>> examine_group(controller_context const& context, std::string const& group) {
  auto const& migration = context.current->migration;
  std::vector<table_manifest> all;
  for (auto const& table : context.current->tables) all.push_back(table.manifest);
  preflight_options how;
  how.groups = {group};
  how.connect = [&](node_definition const& node) {
    return connect(options_for(node, migration.engine_role, context.options));
  };
  return run_preflight(migration, all, how);
}

std::string describe(finding const& found) {
  return absl::StrCat(found.id, found.subject.empty() ? "" : " ", found.subject, " on ", found.node, ": ",
                      found.what);
}

result<> require_healthy(controller_context const& context, std::string const& group) {
  BOOST_OUTCOME_TRY(auto const found, examine_group(context, group));
  std::vector<std::string> red, fixes;
  for (auto const& one : found) {
    if (one.level != finding_level::fail) continue;
    red.push_back(describe(one));
    fixes.push_back(absl::StrCat(one.id, ": ", one.fix));
  }
  if (red.empty()) return success();
  return error(error_code::precondition_failed,
               absl::StrCat("the doctor is red for group ", group, ": ", absl::StrJoin(red, " | ")),
               absl::StrCat("correct each, or accept it in the manifest with a reason: ",
                            absl::StrJoin(fixes, " | ")));
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
