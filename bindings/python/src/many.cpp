// Calls of many rows or keys.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "bindings.hpp"
#include "blocking.hpp"
#include "keys.hpp"
#include "session.hpp"
#include "values.hpp"

namespace nb = nanobind;

namespace shardway::python {
namespace {

nb::dict part_document(batch_part const& from) {
  nb::dict one;
  one["node"] = from.node;
  one["state"] = name(from.state);
  one["rows"] = from.rows;
  one["why"] = from.why ? nb::cast(from.why->to_string()) : nb::none();
  one["failed_row"] = from.failed_row ? nb::cast(*from.failed_row) : nb::none();
  one["dual_write"] = name(from.dual_write);
  one["answer_lost"] = from.answer_lost;
  return one;
}

nb::dict execute_batch(guarded_session& self, std::string const& table, std::string const& sql,
                       nb::iterable rows, double deadline, bool single_transaction) {
  std::vector<batch_row> given;
  for (auto const row : rows) given.push_back({key_of(row[0]), parameters_of(row[1])});
  batch_options const options{.deadline = ms(deadline), .single_transaction = single_transaction};
  auto const done = unwrap(self.alone([&](client_session& in) {
    return without_lock([&] { return in.execute_batch(table, sql, given, options); });
  }));
  nb::dict one;
  nb::list parts, answers;
  for (auto const& part : done.parts) parts.append(part_document(part));
  for (auto const& row : done.rows) answers.append(rows_of(row.returned));
  one["parts"] = parts;
  one["rows"] = answers;
  one["affected"] = done.affected;
  one["all_committed"] = done.all_committed();
  return one;
}

nb::dict merged_document(merged_answer const& from) {
  nb::dict one;
  nb::list nodes;
  for (auto const& part : from.parts) nodes.append(part.node);
  one["rows"] = rows_of(from.returned);
  one["nodes"] = nodes;
  one["repeats"] = from.repeats;
  one["generation"] = from.generation;
  return one;
}

aggregate_function function_of(std::string_view word) {
  using enum aggregate_function;
  for (auto const& [known, function] : {std::pair{std::string_view{"count_rows"}, count_rows},
                                        {"count", count},
                                        {"sum", sum},
                                        {"min", min},
                                        {"max", max},
                                        {"avg", avg}})
    if (word == known) return function;
  raise({error_code::invalid_argument, "an aggregate is none of those there are",
         "count_rows, count, sum, min, max or avg"});
}

/// Options as Python gives them: order_by (column, descending, collation), aggregates (name, function,
/// column).
scatter_options options_of(std::string const& fresh, double deadline, nb::handle order_by,
                           std::optional<std::uint64_t> limit, std::uint64_t offset,
                           std::vector<std::string> group_by, nb::handle aggregates) {
  scatter_options options{.read = {.fresh = consistency_of(fresh), .deadline = ms(deadline)},
                          .merge = {.limit = limit, .offset = offset, .group_by = std::move(group_by)}};
  for (auto const term : order_by) {
    if (nb::isinstance<nb::str>(term)) {
      options.merge.order_by.push_back({.column = nb::cast<std::string>(term)});
      continue;
    }
    auto const size = nb::len(term);
    options.merge.order_by.push_back(
        {.column = nb::cast<std::string>(term[0]),
         .descending = size > 1 && nb::cast<bool>(term[1]),
         .collation = size > 2 ? nb::cast<std::string>(term[2]) : std::string{}});
  }
  for (auto const term : aggregates)
    options.merge.aggregates.push_back(
        {.name = nb::cast<std::string>(term[0]),
         .function = function_of(nb::cast<std::string>(term[1])),
         .column = nb::len(term) > 2 ? nb::cast<std::string>(term[2]) : std::string{}});
  return options;
}

nb::dict read_many(guarded_session& self, std::string const& table, nb::iterable keys, std::string const& sql,
                   nb::object const& parameters, std::string const& fresh, double deadline,
                   nb::iterable order_by, std::optional<std::uint64_t> limit, std::uint64_t offset) {
  std::vector<shard_key> given;
  for (auto const key : keys) given.push_back(key_of(key));
  auto values = parameters_of(parameters);
  auto const options = options_of(fresh, deadline, order_by, limit, offset, {}, nb::list());
  return merged_document(unwrap(self.alone([&](client_session& in) {
    return without_lock([&] { return in.read_many(table, given, sql, std::move(values), options); });
  })));
}

nb::dict read_all(guarded_session& self, std::string const& table, std::string const& sql,
                  nb::object const& parameters, std::string const& fresh, double deadline,
                  nb::iterable order_by, std::optional<std::uint64_t> limit, std::uint64_t offset,
                  std::vector<std::string> group_by, nb::iterable aggregates) {
  auto values = parameters_of(parameters);
  auto const options = options_of(fresh, deadline, order_by, limit, offset, std::move(group_by), aggregates);
  return merged_document(unwrap(self.alone([&](client_session& in) {
    return without_lock([&] { return in.read_all(table, sql, std::move(values), options); });
  })));
}

nb::dict read_by(guarded_session& self, std::string const& table, std::string const& lookup,
                 nb::object const& value, std::string const& sql, nb::object const& parameters,
                 std::string const& fresh, double deadline) {
  auto const looked_up = key_of(value);
  auto values = parameters_of(parameters);
  read_options const options{.fresh = consistency_of(fresh), .deadline = ms(deadline)};
  auto const found = unwrap(self.alone([&](client_session& in) {
    return without_lock(
        [&] { return in.read_by(table, lookup, looked_up, sql, std::move(values), options); });
  }));
  nb::dict one;
  one["rows"] = rows_of(found.returned);
  one["keys"] = found.keys.size();
  one["keys_without_rows"] = found.keys_without_rows;
  one["nodes"] = found.nodes;
  return one;
}

std::optional<nb::dict> execute_by(guarded_session& self, std::string const& table, std::string const& lookup,
                                   nb::object const& value, std::string const& sql,
                                   nb::object const& parameters, double deadline) {
  auto const looked_up = key_of(value);
  auto values = parameters_of(parameters);
  write_options const options{.deadline = ms(deadline)};
  auto const done = unwrap(self.alone([&](client_session& in) {
    return without_lock(
        [&] { return in.execute_by(table, lookup, looked_up, sql, std::move(values), options); });
  }));
  return done ? std::optional(receipt_document(*done)) : std::nullopt;
}

}  // namespace

void bind_many(nb::class_<guarded_session>& session) {
  session
      .def("execute_batch", &execute_batch, nb::arg("table"), nb::arg("sql"), nb::arg("rows"), nb::kw_only(),
           nb::arg("deadline") = 30.0, nb::arg("single_transaction") = false,
           "One INSERT, UPDATE or DELETE for many (key, parameters): one transaction a node. parts says what "
           "became of each, also where one failed.")
      .def("read_many", &read_many, nb::arg("table"), nb::arg("keys"), nb::arg("sql"),
           nb::arg("parameters") = nb::none(), nb::kw_only(), nb::arg("consistency") = "read_your_writes",
           nb::arg("deadline") = 30.0, nb::arg("order_by") = nb::list(), nb::arg("limit") = nb::none(),
           nb::arg("offset") = 0,
           "One SELECT of rows of several keys, each node asked once: its keys are $1 as an array (WHERE "
           "customer_id = ANY ($1)), parameters follow.")
      .def("read_all", &read_all, nb::arg("table"), nb::arg("sql"), nb::arg("parameters") = nb::none(),
           nb::kw_only(), nb::arg("consistency") = "read_your_writes", nb::arg("deadline") = 30.0,
           nb::arg("order_by") = nb::list(), nb::arg("limit") = nb::none(), nb::arg("offset") = 0,
           nb::arg("group_by") = nb::list(), nb::arg("aggregates") = nb::list(),
           "One SELECT of rows of any key, where the manifest allows it; {slots:alias.column} says where the "
           "shard key is. order_by: columns or "
           "(column, descending, collation); aggregates: (name, function, column).")
      .def("read_by", &read_by, nb::arg("table"), nb::arg("lookup"), nb::arg("value"), nb::arg("sql"),
           nb::arg("parameters") = nb::none(), nb::kw_only(), nb::arg("consistency") = "read_your_writes",
           nb::arg("deadline") = 30.0,
           "One SELECT for each shard key that a lookup's value leads to; the shard key's columns follow the "
           "parameters.")
      .def("execute_by", &execute_by, nb::arg("table"), nb::arg("lookup"), nb::arg("value"), nb::arg("sql"),
           nb::arg("parameters") = nb::none(), nb::kw_only(), nb::arg("deadline") = 30.0,
           "Writes the row that has this value in a unique lookup, and returns its receipt; None if no row "
           "has the value.");
}

}  // namespace shardway::python
