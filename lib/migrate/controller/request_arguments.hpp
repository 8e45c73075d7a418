// The arguments of requests: read once, without I/O. docs and `controller.hpp` list them by kind.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "lib/migrate/lookup/job.hpp"
#include "shardway/base/result.hpp"
#include "shardway/manifest/stage.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// The members of a request's JSON object. Members that are null count as missing.
class request_arguments {
 public:
  /// Errors: `invalid_argument` (no JSON object).
  static result<request_arguments> parse(std::string_view json);

  /// A string, or a number in its JSON form. Errors: `invalid_argument` (missing, or of another type).
  result<std::string> text(std::string_view member) const;
  /// The same; nothing if the member is missing.
  result<std::optional<std::string>> optional_text(std::string_view member) const;
  /// A number, or a string that holds a number and nothing else; the locale does not matter.
  /// Errors: `invalid_argument` (missing, or no number).
  result<double> number(std::string_view member) const;
  /// A boolean; false if the member is missing. Errors: `invalid_argument` (of another type).
  result<bool> flag(std::string_view member) const;
  /// Documents, each a string, or a JSON value in its text form. Errors: `invalid_argument` (missing, or no
  /// array).
  result<std::vector<std::string>> documents(std::string_view member) const;
  /// One document; nothing if the member is missing.
  std::optional<std::string> optional_document(std::string_view member) const;

  /// Errors: `invalid_argument` naming a member that is not in `known`: a misspelled `shard` must not turn
  /// the rollback of one shard into the rollback of all.
  result<> only(std::span<std::string_view const> known) const;

 private:
  explicit request_arguments(nlohmann::json object) : object_(std::move(object)) {}
  nlohmann::json const* find(std::string_view member) const;

  nlohmann::json object_;
};

struct no_arguments {};

struct group_arguments {
  std::string group;
};

struct advance_arguments {
  std::string group;
  stage wanted{};  ///< copying, replicating or dual_writing
};

struct wave_arguments {
  std::string group;
  double percent{};
  std::string approved_by;  ///< empty: nobody
};

struct rollback_arguments {
  std::string group;
  std::optional<std::string> shard{};  ///< nothing: all shards
  std::string approved_by;             ///< empty: nobody
};

struct finalize_arguments {
  std::string group;
  std::string approved_by;  ///< empty: nobody
};

struct withdraw_arguments {
  std::string group;
  bool keeps_shard_tables{};  ///< the tables stay on the shards, with the rows that were copied
};

struct lookup_arguments {
  std::string table;
  std::string name;
  lookup::lookup_task task{};
};

struct apply_arguments {
  std::vector<std::string> documents{};    ///< manifests of tables
  std::optional<std::string> migration{};  ///< the migration's manifest; nothing: the one in force stays
};

/// Each refuses members that the kind does not know. Errors: `invalid_argument`.
result<no_arguments> parse_none(request_arguments const&);
result<group_arguments> parse_group(request_arguments const&);
result<advance_arguments> parse_advance(request_arguments const&);
/// The only mode is `refusing`.
result<group_arguments> parse_guard(request_arguments const&);
result<withdraw_arguments> parse_withdraw(request_arguments const&);
result<wave_arguments> parse_wave(request_arguments const&);
result<rollback_arguments> parse_rollback(request_arguments const&);
result<finalize_arguments> parse_finalize(request_arguments const&);
result<lookup_arguments> parse_lookup(request_arguments const&);
result<apply_arguments> parse_apply(request_arguments const&);

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
