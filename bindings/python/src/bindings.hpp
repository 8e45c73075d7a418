// What each file of the module adds to it.
#pragma once

#include <nanobind/nanobind.h>

namespace shardway::python {

struct migration_set;

void bind_errors(nanobind::module_&);
void bind_route(nanobind::module_&);
void bind_manifest(nanobind::module_&);
void bind_catalog(nanobind::module_&);
void bind_client(nanobind::module_&);
/// The calls of a MigrationSet that connect.
void bind_migration(nanobind::class_<migration_set>&);
void bind_rehearsal(nanobind::class_<migration_set>&);
void bind_controller(nanobind::class_<migration_set>&);

}  // namespace shardway::python
