#include "lib/migrate/preflight/object_setting_rules.hpp"

#include <array>
#include <map>
#include <optional>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_replace.h>

#include "lib/migrate/preflight/object_text.hpp"
#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {
namespace {

using absl::StrCat;

// These change durations, durability or places, not what a statement means.
constexpr std::array harmless{"check_function_bodies",
                              "default_tablespace",
                              "default_toast_compression",
                              "default_transaction_deferrable",
                              "idle_in_transaction_session_timeout",
                              "idle_session_timeout",
                              "lo_compat_privileges",
                              "lock_timeout",
                              "statement_timeout",
                              "synchronous_commit",
                              "temp_tablespaces",
                              "transaction_timeout"};
constexpr std::array lists{"search_path", "temp_tablespaces", "session_preload_libraries",
                           "local_preload_libraries"};

template <class List>
bool is_one_of(std::string_view name, List const& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool same_name(std::string const& left, std::string const& right) {
  return absl::EqualsIgnoreCase(left, right);
}
bool is_custom(std::string const& name) { return absl::StrContains(name, '.'); }

/// 0 where the override does not hold for the role; else the higher wins.
int strength(setting_override const& one, std::string const& role) {
  if (!one.role.empty() && one.role != role) return 0;
  if (!one.role.empty()) return one.for_database ? 4 : 3;
  return one.for_database ? 2 : 1;
}

struct effective_value {
  std::optional<std::string> value;  ///< nothing: the server does not know the setting
  bool is_known{true};
  bool is_override{};
};

effective_value effective(node_objects const& node, std::string const& role, std::string const& engine_role,
                          std::string const& name) {
  setting_override const* best = nullptr;
  bool hidden = false;
  for (auto const& one : node.overrides) {
    if (!same_name(one.name, name)) continue;
    hidden = hidden || (one.role == engine_role && one.role != role);
    if (strength(one, role) > (best ? strength(*best, role) : 0)) best = &one;
  }
  if (best) return {.value = best->value, .is_known = true, .is_override = true};
  if (hidden) return {.value = {}, .is_known = false};
  auto const found = node.server_settings.find(name);
  return {.value = found == node.server_settings.end() ? std::optional<std::string>{} : found->second};
}

// "30s" and "30000" are the same timeout, "on" and "true" the same switch.
std::string normal(std::string const& name, std::string const& value) {
  auto text = absl::StrReplaceAll(absl::AsciiStrToLower(value), {{" ", ""}, {"\"", ""}});
  if (text == "true" || text == "yes" || text == "1") text = absl::EndsWith(name, "timeout") ? text : "on";
  if (text == "false" || text == "no" || text == "0") text = absl::EndsWith(name, "timeout") ? text : "off";
  if (!absl::EndsWith(name, "timeout")) return text;
  static std::array<std::pair<char const*, std::int64_t>, 5> const units{
      {{"ms", 1}, {"min", 60'000}, {"s", 1'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
  for (auto const& [unit, factor] : units) {
    std::int64_t number{};
    if (absl::EndsWith(text, unit) &&
        absl::SimpleAtoi(text.substr(0, text.size() - std::string_view(unit).size()), &number))
      return StrCat(number * factor);
  }
  return text;
}

std::string shown(std::string const& name, effective_value const& value) {
  if (is_custom(name)) return value.value ? "set" : "not set";  // may be a secret
  return value.value ? StrCat("'", *value.value, "'") : "unknown to this version";
}

std::string fix_setting(std::string const& role, std::string const& database, std::string const& name,
                        effective_value const& wanted) {
  auto const whom = StrCat("ALTER ROLE ", names::quoted(role), " IN DATABASE ", names::quoted(database));
  auto const setting = is_custom(name) ? names::quoted(name.substr(0, name.find('.'))) + '.' +
                                             names::quoted(name.substr(name.find('.') + 1))
                                       : name;
  if (!wanted.value) return fix::sql(StrCat(whom, " RESET ", setting));
  if (is_custom(name)) return StrCat("with the source's value: ", whom, " SET ", setting, " = '...'");
  if (is_one_of(name, lists))
    return fix::sql(StrCat(whom, " SET ", setting, " = ", wanted.value->empty() ? "''" : *wanted.value));
  return fix::sql(StrCat(whom, " SET ", setting, " = ", names::literal(*wanted.value)));
}

std::set<std::string> names_of(std::string const& role, node_objects const& source,
                               node_objects const& shard) {
  std::set<std::string> out(compared_settings().begin(), compared_settings().end());
  for (auto const* node : {&source, &shard})
    for (auto const& one : node->overrides) {
      bool const known =
          std::any_of(out.begin(), out.end(), [&](auto const& name) { return same_name(name, one.name); });
      if (strength(one, role) > 0 && !known) out.insert(one.name);
    }
  return out;
}

void judge_setting(object_manifests const& manifests, node_objects const& source, node_objects const& shard,
                   std::string const& name, object_findings& out) {
  auto const& role = manifests.migration.application_role;
  auto const here = effective(shard, role, manifests.migration.engine_role, name);
  auto const there = effective(source, role, manifests.migration.engine_role, name);
  if (!here.is_known && !there.is_known) return;
  if (!here.is_known || !there.is_known)
    return out.warn("setting", name, "it could not be compared: the engine's role has a value of its own",
                    out.accepting("setting", name));
  bool const one_lacks = !here.value || !there.value;
  if (one_lacks && !is_custom(name) && !here.is_override && !there.is_override) return;
  if (here.value && there.value && normal(name, *here.value) == normal(name, *there.value)) return;
  if (one_lacks && !here.value && !there.value) return;
  out.add("setting", is_one_of(name, harmless) ? finding_level::warn : finding_level::fail, name,
          StrCat("for role ", role, " it is ", shown(name, here), " here and ", shown(name, there),
                 " on the source"),
          fix_setting(role, shard.database, name, there));
}

void judge_search_path(object_manifests const& manifests, source_objects const& source,
                       shard_objects const& shard, object_findings& out) {
  auto const path =
      effective(source, manifests.migration.application_role, manifests.migration.engine_role, "search_path");
  if (!path.value) return;
  for (auto const& schema : schemas_of_path(*path.value))
    if (source.schemas.count(schema) > 0 && shard.schemas.count(schema) == 0 &&
        source.carried_schemas.count(schema) == 0)
      out.warn(
          "setting", StrCat("search_path: ", schema),
          "this schema of the source's search_path is not on the shard, and onboarding does not bring it",
          fix::sql(StrCat("CREATE SCHEMA ", names::quoted(schema))));
}

std::string normal_locale(std::string const& name) {
  auto out = absl::StrReplaceAll(absl::AsciiStrToLower(name), {{"-", ""}});
  return out == "posix" ? "c" : out;
}

bool same_order(database_locale const& left, database_locale const& right) {
  return normal_locale(left.collate) == normal_locale(right.collate) &&
         normal_locale(left.ctype) == normal_locale(right.ctype) && left.provider == right.provider &&
         left.locale == right.locale;
}

std::string describe(database_locale const& one) {
  return StrCat(one.provider == "i"   ? "ICU "
                : one.provider == "b" ? "builtin "
                                      : "",
                one.collate, "/", one.ctype, one.locale.empty() ? "" : " ", one.locale);
}

void judge_database_locale(source_objects const& source, shard_objects const& shard, object_findings& out) {
  auto const &here = shard.locale, &there = source.locale;
  if (!same_order(here, there))
    return out.fail(
        "collation", shard.database,
        StrCat("the database's locale is ", describe(here), " here and ", describe(there),
               " on the source: text has another order, upper() and lower() other results"),
        fix::any_of({fix::sql(StrCat("CREATE DATABASE ", names::quoted(shard.database + "_new"),
                                     " TEMPLATE template0 LC_COLLATE ", names::literal(there.collate),
                                     " LC_CTYPE ", names::literal(there.ctype))),
                     "and use that one"}));
  if (here.version == there.version) return;
  bool const places_rows = !source.text_partitions.empty();
  out.add(
      "collation", places_rows ? finding_level::fail : finding_level::warn, shard.database,
      StrCat("the version of the database's collation is ", here.version.empty() ? "unknown" : here.version,
             " here and ", there.version.empty() ? "unknown" : there.version, " on the source: ",
             places_rows ? StrCat("ranges of ", source.text_partitions.front().table, " may hold other rows")
                         : "text may have another order"),
      out.accepting("collation", shard.database));
}

}  // namespace

void judge_own_settings(object_manifests const& manifests, node_objects const& node, object_findings& out) {
  auto const& roles = manifests.migration;
  for (auto const* role : {&roles.application_role, &roles.engine_role, &roles.mirror_role}) {
    struct wanted_setting {
      char const *name, *value, *why;
    };
    for (auto const& wanted :
         {wanted_setting{"session_replication_role", "origin",
                         "triggers and foreign keys do not work for it"},
          wanted_setting{"default_transaction_read_only", "off", "it could not write"}}) {
      auto const found = effective(node, *role, roles.engine_role, wanted.name);
      if (!found.is_override || !found.value || normal(wanted.name, *found.value) == wanted.value) continue;
      out.fail("setting", StrCat(wanted.name, " of ", *role),
               StrCat("it is '", *found.value, "' for role ", *role, ": ", wanted.why),
               fix::sql(StrCat("ALTER ROLE ", names::quoted(*role), " IN DATABASE ",
                               names::quoted(node.database), " SET ", wanted.name, " = ", wanted.value)));
    }
  }
}

void judge_settings(object_manifests const& manifests, source_objects const& source,
                    shard_objects const& shard, object_findings& out) {
  auto const& role = manifests.migration.application_role;
  for (auto const& name : names_of(role, source, shard)) judge_setting(manifests, source, shard, name, out);
  judge_search_path(manifests, source, shard, out);
}

void judge_collations(source_objects const& source, shard_objects const& shard, object_findings& out) {
  judge_database_locale(source, shard, out);
  for (auto const& [identity, there] : source.collations) {
    auto const found = shard.collations.find(identity);
    if (found == shard.collations.end()) continue;  // it comes along, or is reported as missing
    auto const& here = found->second;
    if (normal_locale(here.locale) != normal_locale(there.locale))
      out.fail("collation", identity,
               StrCat("its locale is ", here.locale, " here and ", there.locale, " on the source"),
               fix::sql(StrCat("DROP COLLATION ", identity)));
    else if (here.version != there.version)
      out.warn("collation", identity,
               StrCat("its version is ", here.version, " here and ", there.version,
                      " on the source: text may have another order"),
               out.accepting("collation", identity));
  }
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
