// The manifests of one migration, parsed: what doctor, plan, install and the controller start from.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "shardway/manifest/manifest.hpp"
#include "shardway/store/session.hpp"

namespace shardway::python {

struct migration_set {
  migration_manifest migration;
  std::vector<table_manifest> tables;
};

/// The conninfo with a user; an empty role adds none. (A manifest's conninfo names no user.)
std::string conninfo_as(std::string conninfo, std::string const& role);

/// A new session on a node with a role.
result<std::unique_ptr<session>> open_node(node_definition const& node, std::string const& role);

}  // namespace shardway::python
