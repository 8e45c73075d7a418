// Manifest files: protobuf's text format, read with positions and printed back. The generation's JSON form is
// in generation.hpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shardway/manifest/finding.hpp"
#include "shardway/manifest/manifest.hpp"

namespace shardway {
inline namespace v0 {

/// A file as it was read. With a finding of code M001 the manifest holds only what could be read. With any
/// finding it must not be used.
struct table_file {
  table_manifest manifest;
  std::string file;
  field_positions positions;
  std::vector<manifest_finding> findings;  ///< of this file alone; rules across files: validate.hpp
};

/// The same for the migration's own file.
struct migration_file {
  migration_manifest manifest;
  std::string file;
  field_positions positions;
  std::vector<manifest_finding> findings;
};

/// Reads one file and checks it. All findings are reported at once; an unknown field is one. `file` only
/// names the file in findings.
///
/// Thread safety: safe.
/// Cost: no I/O.
table_file parse_table_manifest(std::string_view text, std::string file);
migration_file parse_migration_manifest(std::string_view text, std::string file);

/// The text that is read back as the same manifest. Fields that have their default value are left out, except
/// those that a reader expects.
std::string print(table_manifest const&);
std::string print(migration_manifest const&);

}  // namespace v0
}  // namespace shardway
