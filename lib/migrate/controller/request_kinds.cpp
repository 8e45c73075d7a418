#include "lib/migrate/controller/request_kinds.hpp"

#include <algorithm>

#include <absl/strings/str_join.h>

#include "lib/migrate/controller/group_rules.hpp"
#include "lib/migrate/onboard/guard.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {
namespace {

using services = request_services;

result<request_answer> advance(services const& all, request const& asked, advance_arguments const& goal) {
  BOOST_OUTCOME_TRY(auto const group, all.context.group(goal.group));
  BOOST_OUTCOME_TRYV(all.stages.set_goal(asked.id, group, goal.wanted));
  return request_answer();
}

result<std::string> guard(services const& all, request const&, group_arguments const& asked) {
  auto const& context = all.context;
  BOOST_OUTCOME_TRY(auto const group, context.group(asked.group));
  BOOST_OUTCOME_TRYV(check_may_guard(group, context.tables_of(asked.group)));
  BOOST_OUTCOME_TRYV(onboard::refuse_foreign_writers(context.nodes.all_nodes(),
                                                     context.tables_of(asked.group), context.onboarding()));
  return std::string(R"({"mode": "refusing"})");
}

result<std::string> unguard(services const& all, request const&, group_arguments const& asked) {
  auto const& context = all.context;
  BOOST_OUTCOME_TRY(auto const group, context.group(asked.group));
  BOOST_OUTCOME_TRYV(check_may_unguard(group));
  auto const tables = context.tables_of(asked.group);
  auto const source = context.nodes.source_node();
  BOOST_OUTCOME_TRYV(
      onboard::allow_foreign_writers(source, context.nodes.shard_nodes(), tables, context.onboarding()));
  if (group.stage == stage::observing) {  // nothing records there
    BOOST_OUTCOME_TRYV(onboard::drop_write_guard(source, tables, context.onboarding()));
  }
  return std::string(R"({"mode": "recording"})");
}

result<std::string> withdraw(services const& all, request const&, withdraw_arguments const& asked) {
  return all.withdrawals.withdraw(asked);
}

result<std::string> pause(services const& all, request const&, no_arguments const&) {
  if (all.context.streams) all.context.streams->pause_copy();
  return std::string("{}");
}

result<std::string> resume(services const& all, request const&, no_arguments const&) {
  if (all.context.streams) all.context.streams->resume_copy();
  return std::string("{}");
}

result<std::string> verify(services const& all, request const&, group_arguments const& asked) {
  return all.verification.verify(asked);
}

result<std::string> reconcile(services const& all, request const&, group_arguments const& asked) {
  return all.verification.reconcile(asked);
}

result<std::string> gates(services const& all, request const&, group_arguments const& asked) {
  return all.waves.gates(asked);
}

result<std::string> wave(services const& all, request const&, wave_arguments const& asked) {
  return all.waves.run_forward(asked);
}

result<std::string> rollback(services const& all, request const&, rollback_arguments const& asked) {
  return all.waves.run_back(asked);
}

result<std::string> finalize(services const& all, request const&, finalize_arguments const& asked) {
  return all.finalization.finalize(asked);
}

result<std::string> apply(services const& all, request const&, apply_arguments const& asked) {
  return all.manifests.apply(asked);
}

result<std::string> serve_lookup(services const& all, request const&, lookup_arguments const& asked) {
  return all.lookups.serve(asked);
}

enum class repeat : unsigned char { may, may_not };

template <class Arguments, class Answer>
request_kind kind(std::string_view name, repeat allowed, result<Arguments> (*parse)(request_arguments const&),
                  result<Answer> (*serve)(services const&, request const&, Arguments const&)) {
  return {name, allowed == repeat::may,
          [=](services const& all, request const& asked,
              request_arguments const& given) -> result<request_answer> {
            BOOST_OUTCOME_TRY(auto const arguments, parse(given));
            BOOST_OUTCOME_TRY(auto answer, serve(all, asked, arguments));
            return request_answer(std::move(answer));
          }};
}

}  // namespace

std::vector<request_kind> const& request_kinds() {
  static std::vector<request_kind> const kinds{
      kind("advance", repeat::may, parse_advance, advance),
      kind("guard", repeat::may, parse_guard, guard),
      kind("unguard", repeat::may, parse_group, unguard),
      kind("withdraw", repeat::may, parse_withdraw, withdraw),
      kind("verify", repeat::may, parse_group, verify),
      kind("gates", repeat::may, parse_group, gates),
      kind("wave", repeat::may_not, parse_wave, wave),
      kind("rollback", repeat::may_not, parse_rollback, rollback),
      kind("finalize", repeat::may, parse_finalize, finalize),
      kind("reconcile", repeat::may_not, parse_group, reconcile),
      kind("pause", repeat::may, parse_none, pause),
      kind("resume", repeat::may, parse_none, resume),
      kind("apply", repeat::may, parse_apply, apply),
      kind("lookup", repeat::may, parse_lookup, serve_lookup),
  };
  return kinds;
}

result<request_kind const*> find_request_kind(std::string_view name) {
  auto const& kinds = request_kinds();
  auto const found =
      std::find_if(kinds.begin(), kinds.end(), [&](auto const& one) { return one.name == name; });
  if (found != kinds.end()) return &*found;
  auto const append_name = [](std::string* text, request_kind const& one) { text->append(one.name); };
  return error(error_code::invalid_argument, "unknown kind of request " + std::string(name),
               "the kinds are " + absl::StrJoin(kinds, ", ", append_name));
}

std::vector<std::string> kinds_that_may_run_twice() {
  std::vector<std::string> names;
  for (auto const& one : request_kinds())
    if (one.may_run_twice) names.emplace_back(one.name);
  return names;
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
