#include "lib/client/session/merged_read.hpp"

#include <algorithm>
#include <atomic>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "lib/authority/authority_wait.hpp"
#include "lib/client/reads/node_reads.hpp"
#include "lib/client/reads/session_need.hpp"
#include "lib/client/reads/version_column.hpp"
#include "lib/client/session/combine_parts.hpp"
#include "lib/read/merge_sql.hpp"
#include "lib/read/part_read.hpp"
#include "lib/store/statement_name.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using std::chrono::milliseconds;

steady_time now() { return system_clock_source().now(); }

std::size_t bytes_of(rows const& part) {
  std::size_t bytes = 0;
  for (std::size_t row = 0; row < part.size(); ++row)
    for (std::size_t i = 0; i < part.columns().size(); ++i) bytes += part.text(row, i).size();
  return bytes;
}

class merged_run {
 public:
  merged_run(session_state& session, merged_read const& read)
      : session_(session), read_(read), wait_(session, read.deadline), begun_(now()) {}

  result<merged_answer> run() {
    poll_for_token_generation();
    bool distrust = false;
    for (std::uint32_t repeats = 0;; ++repeats) {
      view_ = session_.shared->generations.view();
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
  // The token may be of a newer generation than this client's. Then the client polls first, so that it does
  // not ask nodes that have handed slots over (R9).
  void poll_for_token_generation() {
    auto& generations = session_.shared->generations;
    auto const end =
        std::min(read_.deadline, now() + std::max(read_.options.read.wait_budget, milliseconds{50}));
    if (session_.token.generation() > generations.number())
      (void)generations.refresh(generations.number(), end);
  }

  void ask() {
    group_ = view_->current.find_group(view_->current.find_table(read_.table)->manifest.group);
    answers_.assign(plan_.parts.size(), std::nullopt);
    rows_ = 0;
    bytes_ = 0;
    std::vector<part_request> requests;
    for (auto const& part : plan_.parts) requests.push_back(request_of(part));
    session_.shared->runner.run(requests.size(), [&](std::size_t i) {
      auto host = host_of(plan_.parts[i].node);
      auto got = read_part(host, requests[i]);
      if (got) measure(got.value());
      answers_[i] = std::move(got);
    });
  }

  node_reads host_of(node_index node) {
    return {session_.shared->pools, session_.shared->replicas, nullptr, *view_, node};
  }

  // That authority was opened before is not asked of a replica: the part reads the fence in its own snapshot.
  part_request request_of(planned_part const& part) {
    auto const& options = read_.options.read;
    auto const& name = view_->node(part.node).name;
    part_request made{.what = part.what,
                      .calls = read_.scatter.calls,
                      .group = {},
                      .expected = part.expected,
                      .options = options,
                      .need = need_of_node(session_.token, session_.shared->replicas, name, options),
                      .turn = session_.shared->turn++,
                      .deadline = read_.deadline};
    made.what.sql = part_sql(part.what.sql, read_.options.merge, read_.options.rows_max);
    // A page is asked for once: its text is not worth a prepared statement on every connection.
    if (read_.options.merge.offset == 0) made.what.name = statement_name(made.what.sql);
    if (group_->stage != stage::observing) made.group = group_->name;
    if (session_.token.generation() > view_->current.number) made.options.fresh = consistency::primary;
    return made;
  }

  // Rows past a limit are dropped at once.
  void measure(part_answer& answer) {
    answer.returned = without_version_column(std::move(answer.returned));
    auto const rows_now = rows_ += answer.returned.size();
    auto const bytes_now = bytes_ += bytes_of(answer.returned);
    if (rows_now > read_.options.rows_max || bytes_now > read_.options.bytes_max) answer.returned = {};
  }

  std::string about_table() const { return "reading " + std::string(read_.table) + " from several nodes: "; }
  std::string const& name_of_part(std::size_t i) const { return view_->node(plan_.parts[i].node).name; }

  // First an error that is not lateness, then the late nodes, then answers that are wrong or too large.
  result<> judge() const {
    std::vector<std::string> late;
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      if (*answers_[i]) continue;
      auto const& failed = answers_[i]->error();
      bool const in_time = failed.code() != error_code::deadline_exceeded && now() < read_.deadline;
      if (in_time) return failed.node().empty() ? failed.at_node(name_of_part(i)) : failed;
      late.push_back(name_of_part(i));
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
  error too_late(std::vector<std::string> const& late) const {
    auto const waited = std::chrono::duration_cast<milliseconds>(read_.deadline - begun_).count();
    return error{
        error_code::deadline_exceeded,
        absl::StrCat(about_table(), "no answer within ", waited, " ms from ", absl::StrJoin(late, ", ")),
        "ask for fewer rows, or give more time: the manifest's `reads.scatter_budget`, `budget`, "
        "`read.deadline`"};
  }
  result<> check_limits() const {
    auto const& options = read_.options;
    if (rows_ <= options.rows_max && bytes_ <= options.bytes_max) return success();
    bool const by_rows = rows_ > options.rows_max;
    auto const limit = by_rows ? absl::StrCat("rows_max (", options.rows_max, ")")
                               : absl::StrCat("bytes_max (", options.bytes_max, ")");
    return error{error_code::statement_refused,
                 absl::StrCat(about_table(), "the rows of all nodes are above ", limit),
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

  call_target target_of(std::size_t i) const {
    call_target target;
    target.current = {view_, &view_->current};
    target.table = view_->current.find_table(read_.table);
    target.group = group_;
    target.slot = *answers_[i]->value().fence.refused;
    auto const way = view_->routes->of_slot(*view_->routes->find(read_.table), target.slot);
    target.node = plan_.parts[i].node;
    target.node_name = name_of_part(i);
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
      if (!have_same_columns(parts.back(), parts.front()))
        return error{error_code::schema_drift, about_table() + "they returned different columns",
                     "name the columns that the statement returns"}
            .at_node(part.node);
    }
    // The node of the first part knows the types that it returned.
    auto host = host_of(plan_.parts.front().node);
    BOOST_OUTCOME_TRY(made.returned, combine_parts(read_.options.merge, parts, host, read_.deadline));
    return made;
  }

  void count(part_answer const& part) {
    auto& counted = session_.shared->counted;
    ++(part.from_replica ? counted.reads_replica : counted.reads_primary);
    if (auto const& meter = session_.shared->options.meter)
      meter->count("shardway_reads_total", part.from_replica ? "replica" : "primary", 1);
  }

  session_state& session_;
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

result<merged_answer> run_merged(session_state& session, merged_read const& read) {
  return merged_run{session, read}.run();
}

}  // namespace v0
}  // namespace shardway
