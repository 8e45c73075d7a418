// What the rules for objects share: a list of findings of one node, and texts of ways out.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "lib/migrate/preflight/fix.hpp"
#include "lib/migrate/preflight/object_facts.hpp"
#include "shardway/migrate/preflight/preflight.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

/// The manifests that the rules compare with.
struct object_manifests {
  migration_manifest const& migration;
  std::vector<table_manifest> const& tables;

  table_manifest const* find(std::string_view table) const {
    for (auto const& one : tables)
      if (one.table == table) return &one;
    return nullptr;
  }
};

/// Findings about one node.
class object_findings {
 public:
  explicit object_findings(std::string node) : node_(std::move(node)) {}

  std::string const& node() const noexcept { return node_; }
  /// The findings that follow are about this table of the manifests; empty: about none in particular.
  void set_table(std::string table) { table_ = std::move(table); }
  void add(std::string_view id, finding_level level, std::string subject, std::string what, std::string fix) {
    list_.push_back(
        {std::string(id), level, node_, std::move(subject), std::move(what), std::move(fix), table_});
  }
  void pass(std::string_view id, std::string subject, std::string what) {
    add(id, finding_level::pass, std::move(subject), std::move(what), {});
  }
  void warn(std::string_view id, std::string subject, std::string what, std::string fix) {
    add(id, finding_level::warn, std::move(subject), std::move(what), std::move(fix));
  }
  void fail(std::string_view id, std::string subject, std::string what, std::string fix) {
    add(id, finding_level::fail, std::move(subject), std::move(what), std::move(fix));
  }
  bool has(std::string_view id) const {
    return std::any_of(list_.begin(), list_.end(), [&](finding const& one) { return one.id == id; });
  }
  std::vector<finding> take() && { return std::move(list_); }

  /// The line that accepts a finding, in the manifest of the table or of the migration.
  std::string accepting(std::string const& id, std::string const& subject) const {
    auto const text = absl::StrCat("accept { finding: \"", id, "\" subject: \"",
                                   absl::Utf8SafeCEscape(subject), "\" reason: \"...\" }");
    return table_.empty() ? fix::migration_manifest(text) : fix::manifest(table_, text);
  }

 private:
  std::string node_;
  std::string table_{};
  std::vector<finding> list_{};
};

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
