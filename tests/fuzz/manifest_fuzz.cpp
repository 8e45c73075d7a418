// Any bytes as manifest files: findings, or a manifest that is printed and read back as itself.
#include <algorithm>
#include <string_view>

#include "shardway/base/ensure.hpp"
#include "shardway/manifest/codec.hpp"
#include "shardway/manifest/validate.hpp"

namespace {

using namespace shardway;

template <class File>
void check_places(File const& file, std::string_view text) {
  auto const lines = 1 + std::count(text.begin(), text.end(), '\n');
  for (auto const& finding : file.findings) {
    ensure(finding.line >= 0 && finding.line <= lines, "a finding stands in the file");
    ensure(finding.to_string().find(finding.code) != std::string::npos, "a finding shows its code");
  }
}

template <class File, class Parse>
void check_round_trip(File const& file, Parse const& parse) {
  if (!file.findings.empty()) return;
  auto const again = parse(print(file.manifest), "again");
  ensure(again.findings.empty(), "a printed manifest has no findings");
  ensure(again.manifest == file.manifest, "a printed manifest reads back as itself");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
  std::string_view const text{reinterpret_cast<char const*>(data), size};
  auto const table = parse_table_manifest(text, "table");
  check_places(table, text);
  check_round_trip(table, parse_table_manifest);
  auto const migration = parse_migration_manifest(text, "migration");
  check_places(migration, text);
  check_round_trip(migration, parse_migration_manifest);
  (void)validate_set(migration, std::span{&table, 1});
  return 0;
}
