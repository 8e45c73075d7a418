// What was said to all servers of one run, and the step of it that fails: for tests that let each step of an
// algorithm fail in turn.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace shardway_test {

enum class failure_kind {
  error,         ///< the server answers with an error instead
  lost_before,   ///< the connection breaks before the statement arrives: nothing happened
  lost_after,    ///< the server did it and the connection broke before the answer; what follows never arrived
  answers_lost,  ///< the same, but the server also did all that follows in the flush
};
constexpr failure_kind every_failure[]{failure_kind::error, failure_kind::lost_before,
                                       failure_kind::lost_after, failure_kind::answers_lost};

inline std::string name(failure_kind kind) {
  constexpr char const* names[]{"error", "lost_before", "lost_after", "answers_lost"};
  return names[static_cast<std::size_t>(kind)];
}

/// The step that fails: the `number`th (from 1) of the node. Once; 0: none.
struct planned_failure {
  std::string node;
  std::size_t number{};
  failure_kind kind{};
  std::string sqlstate{
      "XX000"};  ///< of an error; one that ends the session (57P01) also breaks the connection
};

struct recorded_step {
  std::string node;
  std::size_t number{};  ///< of the node
  std::size_t flush{};   ///< steps of one round trip on the node have the same
  std::string sql;
};

/// What was said to all servers of one run, and the step that fails.
///
/// Steps are numbered for each node apart, so that code which asks several nodes at once has the same numbers
/// in every run. Thread safety: shared use is safe.
class conversation {
 public:
  explicit conversation(planned_failure failing = {}) : failing_(std::move(failing)) {}

  /// Called before each step, one at a time: for what else happens meanwhile, such as other writers.
  std::function<void()> before_step;

  /// Records the step; how it fails, if it does.
  std::optional<failure_kind> next(std::string const& node, std::size_t flush, std::string_view sql) {
    std::lock_guard const lock{mutex_};
    if (before_step) before_step();
    auto const number = ++count_[node];
    steps_.push_back({node, number, flush, std::string(sql)});
    if (node != failing_.node || number != failing_.number) return std::nullopt;
    has_failed_ = true;
    return failing_.kind;
  }
  std::string const& sqlstate() const noexcept { return failing_.sqlstate; }
  void note_problem(std::string what) {
    std::lock_guard const lock{problems_mutex_};
    problems_.push_back(std::move(what));
  }

  /// Statements that no rule knows, and whatever a rule found wrong.
  std::vector<std::string> problems() const {
    std::lock_guard const lock{problems_mutex_};
    return problems_;
  }
  std::vector<recorded_step> steps() const {
    std::lock_guard const lock{mutex_};
    return steps_;
  }
  /// How many steps each node has had.
  std::map<std::string, std::size_t> counts() const {
    std::lock_guard const lock{mutex_};
    return count_;
  }
  bool has_failed() const {
    std::lock_guard const lock{mutex_};
    return has_failed_;
  }

 private:
  planned_failure failing_;
  mutable std::mutex mutex_;
  mutable std::mutex problems_mutex_;
  std::map<std::string, std::size_t> count_;
  std::vector<recorded_step> steps_;
  std::vector<std::string> problems_;
  bool has_failed_{};
};

/// Runs `once` with no failure, then with each kind of failure at each step that the clean run had, and, for
/// an error, with each SQLSTATE. `once` returns how many steps each node has had; nothing once it has found
/// fault, which ends the runs. Cost: a run a step and failure. Returns the number of runs.
template <class Once>
std::size_t fail_each_step(std::vector<std::string> const& sqlstates, Once const& once) {
  std::map<std::string, std::size_t> const counts = once(planned_failure{});
  std::size_t runs = 1;
  for (auto const& [node, count] : counts)
    for (std::size_t number = 1; number <= count; ++number)
      for (auto const kind : every_failure) {
        bool const is_error = kind == failure_kind::error;
        for (std::size_t i = 0; i < (is_error ? sqlstates.size() : 1); ++i, ++runs)
          if (once(planned_failure{node, number, kind, is_error ? sqlstates[i] : std::string{}}).empty())
            return runs;
      }
  return runs;
}

inline std::string describe(planned_failure const& failing) {
  if (failing.number == 0) return "no failure";
  return failing.node + ", step " + std::to_string(failing.number) + ": " + name(failing.kind) + " " +
         failing.sqlstate;
}
/// The conversation, for the message of a failed test.
inline std::string describe(conversation const& said) {
  std::string text;
  for (auto const& step : said.steps())
    text += "\n  " + step.node + " " + std::to_string(step.number) + " (round trip " +
            std::to_string(step.flush) + ") " + step.sql.substr(0, 100);
  return text;
}

}  // namespace shardway_test
