#include "shardway/migrate/rehearsal/rehearsal.hpp"

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/catalog/rehearsal_record.hpp"
#include "lib/migrate/onboard/capture.hpp"
#include "lib/migrate/onboard/finish.hpp"
#include "lib/migrate/onboard/inspect.hpp"
#include "lib/migrate/onboard/publication.hpp"
#include "lib/migrate/onboard/schema.hpp"
#include "lib/migrate/rehearsal/play.hpp"
#include "lib/migrate/rehearsal/sample.hpp"
#include "lib/migrate/rehearsal/scratch_database.hpp"
#include "lib/migrate/stream/table_sql.hpp"
#include "lib/pg/binary_copy.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/schema.hpp"
#include "lib/store/text_array.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/catalog/install.hpp"

namespace shardway {
inline namespace v0 {

using namespace migrate;
using namespace migrate::rehearsal;

namespace {

/// What is the same for every shard.
struct rehearsed_group {
  migration_manifest const& migration;
  rehearsal_options const& options;
  std::string const& name;
  onboard::onboard_options onboarding{};
  onboard::onboard_node source{};
  std::unique_ptr<session> link{};
  std::unique_ptr<session> reader{};  ///< its transaction holds the sample's snapshot
  std::vector<table_state> states{};
  std::vector<sampled_table> sample{};
  std::vector<std::string> owners{};
};

/// The rehearsal on one shard: steps in order, each reports its problems; the first that fails ends it.
class shard_rehearsal {
 public:
  shard_rehearsal(rehearsed_group& group, connect_options const& shard, rehearsal_report& report)
      : group_(group), shard_(shard), report_(report) {}

  void run() {
    auto made = scratch_database::make(shard_, group_.migration.name);
    if (!made) return note("database", shard_.node, made.error());
    scratch_ = &made.value();
    place_ = {.node = &scratch_->node(), .name = shard_.node, .conninfo = scratch_->place().conninfo};
    for (auto const& missing : scratch_->missing_extensions())
      add("database", "extension " + missing.substr(0, missing.find(':')), missing,
          "let an administrator mark the extension trusted, or create it in template0's copy by a role that "
          "may");
    static_cast<void>(make_schema() && copy() && compare("copy") && finish() && publish() && apply() &&
                      compare("apply") && measure());
    scratch_ = nullptr;
  }

 private:
  void add(std::string step, std::string object, std::string what, std::string fix) {
    report_.problems.push_back(
        {shard_.node, std::move(step), std::move(object), std::move(what), std::move(fix)});
  }
  void note(std::string step, std::string object, error const& failed) {
    add(std::move(step), std::move(object), failed.message(),
        failed.hint().empty() ? "run `shardway doctor` and correct what it names" : failed.hint());
  }
  template <class Result>
  bool is_done(Result const& outcome, std::string step, std::string object) {
    if (outcome) return true;
    note(std::move(step), std::move(object), outcome.error());
    return false;
  }
  void leave_out(std::vector<std::string> const& skipped) {
    for (auto const& one : skipped) report_.left_out.push_back(shard_.node + ": " + one);
  }

  bool make_schema();
  bool copy();
  bool copy_table(sampled_table const&);
  result<rehearsed_table> pump(stream::followed_table const&);
  bool finish();
  bool publish();
  bool apply();
  bool compare(std::string const& after);
  bool measure();

  rehearsed_group& group_;
  connect_options const& shard_;
  rehearsal_report& report_;
  scratch_database* scratch_{};
  onboard::onboard_node place_{};
  std::vector<rehearsed_table> measured_{};
};

bool shard_rehearsal::make_schema() {
  for (auto const& owner : group_.owners)
    if (!is_done(scratch_->admit_owner(owner), "schema", "role " + owner)) return false;
  if (!is_done(install({{place_.node, node_role::shard, shard_.node}}, group_.migration), "schema",
               "shardway"))
    return false;
  auto const fence = group_sql(node_role::shard, group_.name, epoch{1}, group_.migration.application_role);
  if (!is_done(place_.node->simple(fence), "schema", "fence of " + group_.name)) return false;
  auto const made = onboard::create_schema_on_shard(group_.source, place_, group_.migration, group_.states,
                                                    group_.onboarding);
  if (made) leave_out(made.value().skipped);
  return is_done(made, "schema", "tables of " + group_.name);
}

result<rehearsed_table> shard_rehearsal::pump(stream::followed_table const& table) {
  rehearsed_table measured{.shard = shard_.node, .table = table.name()};
  auto const began = steady_now();
  auto const columns = stream::sent_column_list(table);
  BOOST_OUTCOME_TRY(auto splitter, binary_copy_splitter::make({.columns = table.sent.size()}));
  BOOST_OUTCOME_TRY(auto writer,
                    place_.node->copy_in(absl::StrCat("COPY ", names::quoted_table(table.name()), " (",
                                                      columns, ") FROM STDIN (FORMAT binary)")));
  BOOST_OUTCOME_TRY(auto reader,
                    group_.reader->copy_out(absl::StrCat("COPY (SELECT ", columns, " FROM ",
                                                         sample_source(table, group_.options.sample_rows_max),
                                                         ") TO STDOUT (FORMAT binary)")));
  BOOST_OUTCOME_TRYV(writer->write(binary_copy_header));
  for (;;) {
    BOOST_OUTCOME_TRY(auto const piece, reader->read());
    if (piece.empty()) break;
    splitter.feed(piece);
    for (;;) {
      BOOST_OUTCOME_TRY(auto const tuple, splitter.next());
      if (!tuple) break;
      ++measured.rows;
      measured.bytes += static_cast<std::int64_t>(tuple->bytes.size());
      BOOST_OUTCOME_TRYV(writer->write(tuple->bytes));
    }
    BOOST_OUTCOME_TRYV(writer->pump());
  }
  BOOST_OUTCOME_TRYV(splitter.finish());
  BOOST_OUTCOME_TRYV(writer->write(binary_copy_trailer));
  BOOST_OUTCOME_TRYV(writer->finish());
  measured.copying = std::chrono::duration_cast<std::chrono::microseconds>(steady_now() - began);
  return measured;
}

bool shard_rehearsal::copy() {
  for (auto const& sampled : group_.sample) {
    auto measured = pump(*sampled.table);
    if (!is_done(measured, "copy", sampled.table->name())) return false;
    measured_.push_back(std::move(measured).value());
  }
  return true;
}

bool shard_rehearsal::compare(std::string const& after) {
  bool is_equal = true;
  for (auto const& sampled : group_.sample) {
    auto const found = read_rows(*place_.node, *sampled.table, names::quoted_table(sampled.table->name()));
    if (!is_done(found, "compare", sampled.table->name())) return false;
    auto const different = differences(*sampled.table, sampled.rows, found.value());
    if (different.empty()) continue;
    is_equal = false;
    add("compare", sampled.table->name(),
        absl::StrCat("after the ", after, " the rows are not the source's: ", absl::StrJoin(different, "; ")),
        "a type, trigger or setting of this table changes what is written: leave the table out, or report "
        "it");
  }
  return is_equal;
}

bool shard_rehearsal::finish() {
  auto const made = onboard::finish_schema(group_.source, place_, group_.states, group_.onboarding);
  if (made) leave_out(made.value().skipped);
  if (!is_done(made, "finish", "indexes, foreign keys and triggers of " + group_.name)) return false;
  return is_done(onboard::raise_capture(place_, node_role::shard, group_.states, group_.onboarding), "finish",
                 "capture triggers of " + group_.name);
}

// A published table whose rows PostgreSQL cannot name refuses updates and deletes: then those of the play
// fail here, not the application's after its wave.
bool shard_rehearsal::publish() {
  std::vector<std::string> relations{"shardway.marker", names::fence(group_.name)};
  for (auto const& table : group_.states) relations.push_back(names::quoted_table(table.manifest.table));
  return is_done(onboard::extend_publication(*place_.node, names::publication(group_.migration.name),
                                             relations, group_.onboarding),
                 "publication", names::publication(group_.migration.name));
}

bool shard_rehearsal::apply() {
  auto items = plan_play(group_.sample, group_.options.played_rows);
  auto const done = play(std::move(items), scratch_->place(), group_.options.nodes.source);
  if (!is_done(done, "apply", "changes of " + group_.name)) return false;
  report_.applying += done.value().took;
  for (std::size_t i = 0; i < measured_.size(); ++i)
    measured_[i].changes =
        4 * static_cast<std::int64_t>(std::min(group_.sample[i].rows.size(), group_.options.played_rows));
  return true;
}

bool shard_rehearsal::measure() {
  for (auto& table : measured_) {
    auto const size = place_.node->query(
        {"SELECT pg_catalog.sum(pg_catalog.pg_total_relation_size(t.oid))::bigint FROM (SELECT "
         "pg_catalog.to_regclass($1)::oid AS oid UNION SELECT relid FROM "
         "pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1))) t",
         {names::quoted_table(table.table)}});
    if (!is_done(size, "compare", table.table)) return false;
    auto const bytes = size.value().integer(0, 0);
    table.disk_bytes = bytes ? bytes.value() : 0;
    report_.tables.push_back(table);
  }
  return true;
}

result<> check_options(rehearsal_options const& options, std::string const& group,
                       std::vector<table_manifest> const& chosen) {
  if (chosen.empty())
    return error{error_code::invalid_argument, "no manifest names group " + group,
                 "name a group of this migration"};
  if (options.sample_keys == 0 || options.sample_rows_max == 0 || options.statement_timeout.count() <= 0)
    return error{error_code::invalid_argument,
                 "sample_keys, sample_rows_max and statement_timeout of a rehearsal must be above 0"};
  return success();
}

result<> read_tables(rehearsed_group& group, std::vector<table_manifest> const& chosen) {
  std::vector<stream::table_ptr> tables;
  for (auto const& manifest : chosen) {
    BOOST_OUTCOME_TRY(auto state, onboard::inspect_table(*group.link, manifest));
    BOOST_OUTCOME_TRY(auto table, stream::follow_table(state));
    group.states.push_back(std::move(state));
    tables.push_back(std::move(table));
  }
  BOOST_OUTCOME_TRY(group.sample, begin_sample(*group.reader, tables,
                                               {.keys = group.options.sample_keys,
                                                .rows_max = group.options.sample_rows_max,
                                                .statement_timeout = group.options.statement_timeout}));
  return success();
}

result<> read_owners(rehearsed_group& group) {
  std::vector<std::string> names;
  for (auto const& table : group.states) names.push_back(names::quoted_table(table.manifest.table));
  BOOST_OUTCOME_TRY(
      auto const found,
      group.link->query({"SELECT DISTINCT pg_catalog.pg_get_userbyid(c.relowner) FROM "
                         "pg_catalog.unnest($1::text[]) n (name) JOIN pg_catalog.pg_class c ON c.oid "
                         "= pg_catalog.to_regclass(n.name) ORDER BY 1",
                         {text_array(names)}}));
  for (std::size_t row = 0; row < found.size(); ++row) group.owners.emplace_back(found.text(row, 0));
  return success();
}

}  // namespace

result<rehearsal_report> run_rehearsal(migration_manifest const& migration,
                                       std::vector<table_manifest> const& tables, std::string const& group,
                                       rehearsal_options const& options) {
  auto const began = steady_now();
  std::vector<table_manifest> chosen;
  std::copy_if(tables.begin(), tables.end(), std::back_inserter(chosen),
               [&](auto const& table) { return table.group == group; });
  BOOST_OUTCOME_TRYV(check_options(options, group, chosen));
  rehearsed_group common{.migration = migration, .options = options, .name = group};
  common.onboarding.client_programs = options.client_programs;
  common.onboarding.client_environment = options.client_environment;
  BOOST_OUTCOME_TRY(common.link, connect(options.nodes.source));
  BOOST_OUTCOME_TRY(common.reader, connect(options.nodes.source));
  common.source = {
      .node = common.link.get(), .name = migration.source.name, .conninfo = options.nodes.source.conninfo};
  BOOST_OUTCOME_TRYV(read_tables(common, chosen));
  BOOST_OUTCOME_TRYV(read_owners(common));
  rehearsal_report report;
  report.group = group;
  report.tables_sha256 = tables_digest(common.states);
  for (auto const& shard : options.nodes.shards) shard_rehearsal{common, shard, report}.run();
  report.took = std::chrono::duration_cast<std::chrono::milliseconds>(steady_now() - began);
  return report;
}

result<> record_rehearsal(session& source, rehearsal_report const& report) {
  rehearsal_record record{.group = report.group,
                          .tables_sha256 = report.tables_sha256,
                          .passed = report.passed(),
                          .problems = {}};
  for (auto const& one : report.problems)
    record.problems.push_back(absl::StrCat(one.shard, ", ", one.step, ", ", one.object, ": ", one.what));
  return record_rehearsal(source, record);
}

}  // namespace v0
}  // namespace shardway
