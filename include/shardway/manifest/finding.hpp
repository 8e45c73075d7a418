// Why a manifest is refused: every finding at once, each with a stable code and its place in the file. Codes:
// docs/MANIFEST.md.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/base/error.hpp"

namespace shardway {
inline namespace v0 {

struct manifest_finding {
  std::string code;     ///< "M001" ...: stable
  std::string file;     ///< as given to the parser; empty for a manifest that was built in memory
  int line{};           ///< from 1; 0 if it has no place in a file
  int column{};         ///< from 1; 0 if it has none
  std::string message;  ///< what is wrong, without passwords
  std::string hint;     ///< what to write instead
  friend bool operator==(manifest_finding const&, manifest_finding const&) = default;

  /// "orders.textpb:3:1: M006: the group name ... ; write ...".
  std::string to_string() const;
};

/// The places of the fields of a parsed file.
class field_positions {
 public:
  struct place {
    int line{};
    int column{};
  };
  /// `field` is the path in the file, such as "shard_key" or "shard.conninfo". `index` counts the field's
  /// values, or its parents', from 0.
  void add(std::string field, int index, place position);

  /// The place of that value, else of the field, else of the nearest parent, else line 1. Line and column are
  /// 0 if nothing was ever added.
  place find(std::string_view field, int index = 0) const noexcept;

 private:
  struct entry {
    std::string field;
    int index;
    place position;
  };
  std::vector<entry> entries_;
};

/// The error for a caller that cannot go on: `manifest_invalid`. Its message lists every finding.
error error_of(std::span<manifest_finding const> findings);

}  // namespace v0
}  // namespace shardway
