#include "lib/migrate/controller/request_arguments.hpp"

#include <algorithm>
#include <charconv>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

namespace shardway {
inline namespace v0 {
namespace migrate::control {
namespace {

using nlohmann::json;

error missing(std::string_view member) {
  return error(error_code::invalid_argument,
               absl::StrCat("the request lacks the argument \"", std::string(member), "\""));
}

error wrong_type(std::string_view member, std::string_view wanted, json const& value) {
  return error(error_code::invalid_argument,
               absl::StrCat("the argument \"", std::string(member), "\" of the request is of type ",
                            value.type_name(), ", not ", std::string(wanted)));
}

std::string document_text(json const& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, json::error_handler_t::replace);
}

result<> check_members(request_arguments const& arguments, std::initializer_list<std::string_view> known) {
  return arguments.only({known.begin(), known.size()});
}

result<lookup::lookup_task> task_from_name(std::string_view name) {
  if (name == "build") return lookup::lookup_task::build;
  if (name == "check") return lookup::lookup_task::check;
  if (name == "repair") return lookup::lookup_task::repair;
  return error{error_code::invalid_argument,
               "a lookup can be built, checked or repaired: do is build, check or repair"};
}

result<std::string> text_or_empty(request_arguments const& arguments, std::string_view member) {
  BOOST_OUTCOME_TRY(auto value, arguments.optional_text(member));
  return std::move(value).value_or(std::string());
}

}  // namespace

result<request_arguments> request_arguments::parse(std::string_view text) {
  auto object = json::parse(text, nullptr, false);
  if (!object.is_object())
    return error(error_code::invalid_argument, "the arguments of the request are not a JSON object");
  return request_arguments(std::move(object));
}

json const* request_arguments::find(std::string_view member) const {
  auto const found = object_.find(member);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

result<std::optional<std::string>> request_arguments::optional_text(std::string_view member) const {
  auto const* value = find(member);
  if (!value) return std::optional<std::string>();
  if (value->is_string()) return std::optional(value->get<std::string>());
  if (value->is_number()) return std::optional(value->dump());
  return wrong_type(member, "string", *value);
}

result<std::string> request_arguments::text(std::string_view member) const {
  BOOST_OUTCOME_TRY(auto value, optional_text(member));
  if (!value) return missing(member);
  return std::move(*value);
}

result<double> request_arguments::number(std::string_view member) const {
  auto const* value = find(member);
  if (!value) return missing(member);
  if (value->is_number()) return value->get<double>();
  if (!value->is_string()) return wrong_type(member, "number", *value);
  auto const& text = value->get_ref<std::string const&>();
  double number{};
  auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed == std::errc() && end == text.data() + text.size()) return number;
  return error(error_code::invalid_argument,
               absl::StrCat("the argument \"", std::string(member), "\" of the request is not a number"));
}

result<bool> request_arguments::flag(std::string_view member) const {
  auto const* value = find(member);
  if (!value) return false;
  if (!value->is_boolean()) return wrong_type(member, "boolean", *value);
  return value->get<bool>();
}

result<std::vector<std::string>> request_arguments::documents(std::string_view member) const {
  auto const* value = find(member);
  if (!value) return missing(member);
  if (!value->is_array()) return wrong_type(member, "array", *value);
  std::vector<std::string> texts;
  for (auto const& document : *value) texts.push_back(document_text(document));
  return texts;
}

std::optional<std::string> request_arguments::optional_document(std::string_view member) const {
  auto const* value = find(member);
  return value ? std::optional(document_text(*value)) : std::nullopt;
}

result<> request_arguments::only(std::span<std::string_view const> known) const {
  for (auto const& [member, value] : object_.items())
    if (std::find(known.begin(), known.end(), member) == known.end())
      return error(error_code::invalid_argument,
                   absl::StrCat("the request has an argument that its kind does not know: \"",
                                std::string(member), "\""),
                   known.empty()
                       ? std::string("the kind takes no arguments")
                       : "the kind knows " +
                             absl::StrJoin(std::vector<std::string>(known.begin(), known.end()), ", "));
  return success();
}

result<no_arguments> parse_none(request_arguments const& arguments) {
  BOOST_OUTCOME_TRYV(check_members(arguments, {}));
  return no_arguments{};
}

result<group_arguments> parse_group(request_arguments const& arguments) {
  BOOST_OUTCOME_TRYV(check_members(arguments, {"group"}));
  BOOST_OUTCOME_TRY(auto group, arguments.text("group"));
  return group_arguments{std::move(group)};
}

result<advance_arguments> parse_advance(request_arguments const& arguments) {
  BOOST_OUTCOME_TRYV(check_members(arguments, {"group", "to"}));
  BOOST_OUTCOME_TRY(auto group, arguments.text("group"));
  BOOST_OUTCOME_TRY(auto const name, arguments.text("to"));
  auto const wanted = stage_from_name(name);
  if (!wanted || *wanted < stage::copying || *wanted > stage::dual_writing)
    return error(error_code::invalid_argument,
                 "advance goes to copying, replicating or dual_writing, not to " + name,
                 "waves move authority: shardway wave run");
  return advance_arguments{std::move(group), *wanted};
}

result<group_arguments> parse_guard(request_arguments const& arguments) {
  BOOST_OUTCOME_TRYV(check_members(arguments, {"group", "mode"}));
  BOOST_OUTCOME_TRY(auto group, arguments.text("group"));
  BOOST_OUTCOME_TRY(auto const mode, arguments.text("mode"));
  if (mode != "refusing")
    return error(error_code::invalid_argument,
                 "mode must be refusing: recording begins with the stage copying");
  return group_arguments{std::move(group)};
}

result<withdraw_arguments> parse_withdraw(request_arguments const& arguments) {
  BOOST_OUTCOME_TRYV(check_members(arguments, {"group", "keep_shard_tables"}));
  BOOST_OUTCOME_TRY(auto group, arguments.text("group"));
  BOOST_OUTCOME_TRY(bool const keeps, arguments.flag("keep_shard_tables"));
  return withdraw_arguments{std::move(group), keeps};
}

result<wave_arguments> parse_wave(request_arguments const& arguments) {
  BOOST_OUTCOME_TRYV(check_members(arguments, {"group", "percent", "approved_by"}));
  BOOST_OUTCOME_TRY(auto group, arguments.text("group"));
  BOOST_OUTCOME_TRY(auto const percent, arguments.number("percent"));
  BOOST_OUTCOME_TRY(auto approved_by, text_or_empty(arguments, "approved_by"));
  return wave_arguments{std::move(group), percent, std::move(approved_by)};
}

result<rollback_arguments> parse_rollback(request_arguments const& arguments) {
  BOOST_OUTCOME_TRYV(check_members(arguments, {"group", "shard", "approved_by"}));
  BOOST_OUTCOME_TRY(auto group, arguments.text("group"));
  BOOST_OUTCOME_TRY(auto shard, arguments.optional_text("shard"));
  BOOST_OUTCOME_TRY(auto approved_by, text_or_empty(arguments, "approved_by"));
  if (shard && shard->empty()) shard.reset();
  return rollback_arguments{std::move(group), std::move(shard), std::move(approved_by)};
}

result<finalize_arguments> parse_finalize(request_arguments const& arguments) {
  BOOST_OUTCOME_TRYV(check_members(arguments, {"group", "approved_by"}));
  BOOST_OUTCOME_TRY(auto group, arguments.text("group"));
  BOOST_OUTCOME_TRY(auto approved_by, text_or_empty(arguments, "approved_by"));
  return finalize_arguments{std::move(group), std::move(approved_by)};
}

result<lookup_arguments> parse_lookup(request_arguments const& arguments) {
  BOOST_OUTCOME_TRYV(check_members(arguments, {"table", "name", "do"}));
  BOOST_OUTCOME_TRY(auto table, arguments.text("table"));
  BOOST_OUTCOME_TRY(auto name, arguments.text("name"));
  BOOST_OUTCOME_TRY(auto const what, arguments.text("do"));
  BOOST_OUTCOME_TRY(auto const task, task_from_name(what));
  return lookup_arguments{std::move(table), std::move(name), task};
}

result<apply_arguments> parse_apply(request_arguments const& arguments) {
  BOOST_OUTCOME_TRYV(check_members(arguments, {"documents", "migration"}));
  BOOST_OUTCOME_TRY(auto documents, arguments.documents("documents"));
  return apply_arguments{std::move(documents), arguments.optional_document("migration")};
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
