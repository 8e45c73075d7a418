// What a migration will do, in order, for an operator to read before it begins.
#pragma once

#include <string>
#include <vector>

#include "shardway/manifest/manifest.hpp"

namespace shardway {
inline namespace v0 {

struct plan_step {
  int number{};
  std::string id;       ///< stable, such as "install" or "copy"
  std::string group;    ///< empty for steps of the whole migration
  std::string actor;    ///< "operator" or "controller"
  std::string what;     ///< one sentence
  std::string changes;  ///< what changes in which database; locks it takes
  std::string undo;     ///< how to go back from here
};

/// The steps of a migration. Pure.
std::vector<plan_step> plan(migration_manifest const&, std::vector<table_manifest> const&);
/// As text, one paragraph a step.
std::string plan_text(std::vector<plan_step> const&);

}  // namespace v0
}  // namespace shardway
