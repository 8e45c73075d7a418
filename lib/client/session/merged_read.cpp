#include "lib/client/session/merged_read.hpp"

#include <algorithm>
#include <atomic>

#include "lib/authority/authority_wait.hpp"
#include "lib/client/reads/version_column.hpp"
#include "lib/store/statement_name.hpp"

namespace shardway {
inline namespace v0 {
namespace {

// Types of the user's have other OIDs on each node; PostgreSQL's own lie below.
constexpr std::uint32_t first_user_oid = 16384;

bool same_columns(std::vector<rows::column> const& a, std::vector<rows::column> const& b) {
  return std::equal(
      a.begin(), a.end(), b.begin(), b.end(), [](rows::column const& one, rows::column const& other) {
        bool const comparable = one.type_oid < first_user_oid || other.type_oid < first_user_oid;
        return one.name == other.name && (!comparable || one.type_oid == other.type_oid);
      });
}

using std::chrono::milliseconds;

steady_time now() { return system_clock_source().now(); }

class part_host final : public read_host {
 public:
  part_host(client_state& shared, routing_view const& view, node_index node)
      : shared_(shared), node_(view.node(node)), index_(node) {}

  result<lent_session> lend_primary(steady_time deadline) override {
    return shared_.pools.lend(shared_.pools.address_of(node_, index_.is_source()), deadline);
  }
  result<lent_session> lend_replica(std::size_t index, steady_time deadline) override {
    return shared_.pools.lend(shared_.pools.address_of(node_.replicas[index], false), deadline);
  }
  std::vector<replica_view> replicas() override { return shared_.replicas.of(node_); }
  void wait_for_news(steady_time deadline) override { shared_.replicas.wait_for_news(deadline); }
  std::string primary_name() const override { return node_.name; }
  std::string replica_name(std::size_t index) const override { return node_.replicas[index].name; }

 private:
  client_state& shared_;
  node_definition const& node_;
  node_index index_;
};

// What the session has seen of a node. That authority was opened before is not asked for: the part reads the
// fence in its own snapshot.
read_need need_of(session_state const& in, std::string const& node, read_options const& options) {
  read_need need;
  auto const held = in.token.at(node);
  if (options.fresh == consistency::read_your_writes && held) {
    auto const newest = in.shared->replicas.primary_position_since(node, steady_time{});
    need.position = held;
    need.cannot_be_judged = newest && (newest->system_identifier != held->system_identifier ||
                                       newest->incarnation < held->incarnation);
  }
  if (options.fresh == consistency::bounded_staleness) {
    need.position = in.shared->replicas.primary_position_since(node, now() - options.staleness_max);
    need.cannot_be_judged = !need.position;
  }
  return need;
}

std::size_t bytes_of(rows const& from) {
  std::size_t bytes = 0;
  for (std::size_t row = 0; row < from.size(); ++row)
    for (std::size_t i = 0; i < from.columns().size(); ++i) bytes += from.text(row, i).size();
  return bytes;
}

class merged_run {
 public:
  merged_run(session_state& in, merged_read const& read)
      : in_(in), read_(read), wait_(in, read.deadline), begun_(now()) {}

  result<merged_answer> run() {
    look_for_token_generation();
    bool distrust = false;
    for (std::uint32_t repeats = 0;; ++repeats) {
      view_ = in_.shared->generations.view();
      BOOST_OUTCOME_TRY(plan_, read_.plan(*view_, distrust));
      ask();
      BOOST_OUTCOME_TRYV(judge());
      if (auto const refused = first_refused()) {
        BOOST_OUTCOME_TRYV(
            wait_.after(target_of(*refused),
                        error{error_code::fence_closed, "a read of several nodes: authority moves"}));
        continue;
      }
      if (knows_another_generation()) {
        distrust = true;
        continue;
      }
      return put_together(repeats);
    }
  }

 private:
  // A token of a newer generation: this client looks first, lest it ask nodes that have handed slots over
  // (R9).
  void look_for_token_generation() {
    auto& generations = in_.shared->generations;
    auto const end =
        std::min(read_.deadline, now() + std::max(read_.options.read.wait_budget, milliseconds{50}));
    if (in_.token.generation() > generations.number()) (void)generations.refresh(generations.number(), end);
  }

  void ask() {
    group_ = view_->current.find_group(view_->current.find_table(read_.table)->manifest.group);
    answers_.assign(plan_.parts.size(), std::nullopt);
    rows_ = 0;
    bytes_ = 0;
    std::vector<part_request> requests;
    for (auto const& part : plan_.parts) requests.push_back(request_of(part));
    in_.shared->runner.run(requests.size(), [&](std::size_t i) {
      part_host host{*in_.shared, *view_, plan_.parts[i].node};
      auto got = read_part(host, requests[i]);
      if (got) measure(got.value());
      answers_[i] = std::move(got);
    });
  }

  part_request request_of(planned_part const& part) {
    auto const& options = read_.options.read;
    auto const& name = view_->node(part.node).name;
    part_request made{.what = part.what,
                      .calls = read_.shape.calls,
                      .group = {},
                      .expected = part.expected,
                      .options = options,
                      .need = need_of(in_, name, options),
                      .turn = in_.shared->turn++,
                      .deadline = read_.deadline};
    made.what.sql = part_sql(part.what.sql, read_.options.merge, read_.options.rows_max);
    // A page is asked for once: its text is not worth a prepared statement on every connection.
    if (read_.options.merge.offset == 0) made.what.name = statement_name(made.what.sql);
    if (group_->stage != stage::observing) made.group = group_->name;
    if (in_.token.generation() > view_->current.number) made.options.fresh = consistency::primary;
    return made;
  }

  // What is past a limit is not kept until all have answered.
  void measure(part_answer& answer) {
    answer.returned = without_version_column(std::move(answer.returned));
    auto const rows_now = rows_ += answer.returned.size();
    auto const bytes_now = bytes_ += bytes_of(answer.returned);
    if (rows_now > read_.options.rows_max || bytes_now > read_.options.bytes_max) answer.returned = {};
  }

  std::string about_table() const { return "reading " + std::string(read_.table) + " from several nodes: "; }
  std::string const& name_at(std::size_t i) const { return view_->node(plan_.parts[i].node).name; }

  // The first error that is no lateness; else the late ones; else what was answered too much or wrongly.
  result<> judge() const {
    std::string late;
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      if (*answers_[i]) continue;
      auto const& failed = answers_[i]->error();
      bool const in_time = failed.code() != error_code::deadline_exceeded && now() < read_.deadline;
      if (in_time) return failed.node().empty() ? failed.at_node(name_at(i)) : failed;
      late += (late.empty() ? "" : ", ") + name_at(i);
    }
    if (!late.empty()) return too_late(late);
    for (auto const& one : answers_)
      if (one->value().calls_aggregate)
        return error{error_code::statement_refused,
                     "a read of several nodes calls an aggregate or a window function: it would see the rows "
                     "of one node only",
                     "return the rows and give `aggregates` and `group_by` in the options"};
    return check_limits();
  }
  error too_late(std::string const& late) const {
    auto const waited = std::chrono::duration_cast<milliseconds>(read_.deadline - begun_).count();
    return error{error_code::deadline_exceeded,
                 about_table() + "no answer within " + std::to_string(waited) + " ms from " + late,
                 "ask for fewer rows, or give more time: the manifest's `reads.scatter_budget`, `budget`, "
                 "`read.deadline`"};
  }
  result<> check_limits() const {
    auto const& options = read_.options;
    if (rows_ <= options.rows_max && bytes_ <= options.bytes_max) return success();
    bool const by_rows = rows_ > options.rows_max;
    auto const limit = by_rows ? "rows_max (" + std::to_string(options.rows_max)
                               : "bytes_max (" + std::to_string(options.bytes_max);
    return error{error_code::statement_refused,
                 about_table() + "the rows of all nodes are above " + limit + ")",
                 "ask for fewer rows, combine them with `aggregates`, or raise the limit"};
  }

  std::optional<std::size_t> first_refused() const {
    for (std::size_t i = 0; i < answers_.size(); ++i)
      if (answers_[i]->value().fence.refused) return i;
    return std::nullopt;
  }

  bool knows_another_generation() const {
    for (std::size_t i = 0; i < answers_.size(); ++i)
      if (plan_.parts[i].relies_on_generation &&
          answers_[i]->value().fence.generation != view_->current.number)
        return true;
    return false;
  }

  write_target target_of(std::size_t i) const {
    write_target target;
    target.current = {view_, &view_->current};
    target.table = view_->current.find_table(read_.table);
    target.group = group_;
    target.slot = *answers_[i]->value().fence.refused;
    auto const way = view_->routes->of_slot(*view_->routes->find(read_.table), target.slot);
    target.node = plan_.parts[i].node;
    target.node_name = name_at(i);
    target.epoch = way.epoch;
    target.placed = way.placed;
    return target;
  }

  result<merged_answer> put_together(std::uint32_t repeats) {
    merged_answer made{.returned = {},
                       .parts = {},
                       .repeats = repeats,
                       .filtered = plan_.filtered,
                       .generation = view_->current.number};
    std::vector<rows> parts;
    for (auto& one : answers_) {
      auto& part = one->value();
      count(part);
      made.parts.push_back({part.node, part.from_replica, part.returned.size()});
      parts.push_back(std::move(part.returned));
      if (!same_columns(parts.back().columns(), parts.front().columns()))
        return error{error_code::schema_drift, about_table() + "they returned different columns",
                     "name the columns that the statement returns"}
            .at_node(part.node);
    }
    auto const& terms = read_.options.merge;
    BOOST_OUTCOME_TRY(auto const place, merge_place_of(terms, parts.front()));
    bool const here = place == merge_place::here || (parts.size() == 1 && !terms.combines());
    if (here) {
      made.returned = merge_parts(terms, parts);
    } else {
      BOOST_OUTCOME_TRY(made.returned, on_server(parts));
    }
    return made;
  }

  void count(part_answer const& part) {
    auto& counted = in_.shared->counted;
    ++(part.from_replica ? counted.reads_replica : counted.reads_primary);
    if (auto const& meter = in_.shared->options.meter)
      meter->count("shardway_reads_total", part.from_replica ? "replica" : "primary", 1);
  }

  // The node of the first part knows the types it returned.
  result<rows> on_server(std::vector<rows> const& parts) {
    part_host host{*in_.shared, *view_, plan_.parts.front().node};
    auto const& terms = read_.options.merge;
    auto const& columns = parts.front().columns();
    BOOST_OUTCOME_TRY(auto lent, host.lend_primary(read_.deadline));
    BOOST_OUTCOME_TRY(auto const known, lent.link->query(column_types_statement(columns), read_.deadline));
    BOOST_OUTCOME_TRY(auto const types, parse_column_types(known, columns.size()));
    if (terms.combines()) {
      BOOST_OUTCOME_TRY(auto const combine, combine_statement(terms, parts, types));
      return lent.link->query(combine, read_.deadline);
    }
    BOOST_OUTCOME_TRY(auto const sort, sort_statement(terms, parts, types));
    BOOST_OUTCOME_TRY(auto const numbers, lent.link->query(sort, read_.deadline));
    return pick_rows(parts, numbers);
  }

  session_state& in_;
  merged_read const& read_;
  authority_wait wait_;
  steady_time begun_;
  std::shared_ptr<routing_view const> view_;
  group_state const* group_{};
  planned_read plan_;
  std::vector<std::optional<result<part_answer>>> answers_;
  std::atomic<std::size_t> rows_{}, bytes_{};
};

}  // namespace

result<merged_answer> run_merged(session_state& in, merged_read const& read) {
  return merged_run{in, read}.run();
}

result<scatter_statement> shape_of(std::string_view sql, scatter_options const& options) {
  auto const bad = [](char const* what) {
    return error{error_code::invalid_argument, std::string("a read of several nodes: ") + what};
  };
  auto const& read = options.read;
  if (read.deadline <= milliseconds{0} || read.wait_budget < milliseconds{0} ||
      read.staleness_max < milliseconds{0})
    return bad("deadline must be above 0, wait_budget and staleness_max not below 0");
  if (options.budget < milliseconds{0}) return bad("budget may not be below 0");
  if (options.rows_max == 0 || options.bytes_max == 0) return bad("rows_max and bytes_max must be above 0");
  BOOST_OUTCOME_TRYV(check_terms(options.merge, options.rows_max));
  auto shape = lex_scatter(
      sql, options.subqueries_by_shard_key ? subquery_scope::one_shard_key : subquery_scope::any_rows);
  if (!shape.why.empty())
    return error{error_code::statement_refused, "a read of several nodes: " + shape.why};
  return shape;
}

}  // namespace v0
}  // namespace shardway
