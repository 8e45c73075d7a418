#include "shardway/client/client.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <nanobind/stl/function.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "bindings.hpp"
#include "blocking.hpp"
#include "errors.hpp"
#include "keys.hpp"
#include "session.hpp"
#include "values.hpp"

namespace nb = nanobind;

namespace shardway::python {

std::string site_of(nb::handle label) {
  if (!label.is_none()) return nb::cast<std::string>(label);
  auto const frame = nb::module_::import_("sys").attr("_getframe")(0);
  auto const code = frame.attr("f_code");
  auto file = nb::cast<std::string>(code.attr("co_filename"));
  file.erase(0, file.find_last_of('/') + 1);
  return file + ":" + std::to_string(nb::cast<long>(frame.attr("f_lineno"))) + ":" +
         nb::cast<std::string>(code.attr("co_name"));
}

shard_key key_or_none(nb::handle value) { return value.is_none() ? shard_key{} : key_of(value); }

consistency consistency_of(std::string_view word) {
  if (word == "primary") return consistency::primary;
  if (word == "read_your_writes") return consistency::read_your_writes;
  if (word == "bounded_staleness") return consistency::bounded_staleness;
  if (word == "any_replica") return consistency::any_replica;
  raise({error_code::invalid_argument, "consistency is none of those there are",
         "primary, read_your_writes, bounded_staleness or any_replica"});
}

isolation_level isolation_of(std::string_view word) {
  if (word == "read_committed") return isolation_level::read_committed;
  if (word == "repeatable_read") return isolation_level::repeatable_read;
  if (word == "serializable") return isolation_level::serializable;
  raise({error_code::invalid_argument, "isolation is none of those there are",
         "read_committed, repeatable_read or serializable"});
}

nb::dict receipt_document(write_receipt const& from) {
  nb::dict one;
  one["outcome"] = name(from.outcome);
  one["write_id"] = from.id.to_string();
  one["dual_write"] = name(from.dual_write);
  one["dual_write_reason"] = from.dual_write_reason;
  one["dual_write_rows"] = from.dual_write_rows;
  one["node"] = from.node;
  one["slot"] = from.slot.value();
  one["epoch"] = from.epoch.value();
  one["generation"] = from.generation;
  one["retries"] = from.retries;
  one["stalled_us"] = from.stalled.count();
  one["affected"] = from.affected;
  one["answer_lost"] = from.answer_lost;
  one["replayed"] = from.replayed;
  one["rows"] = rows_of(from.returned);
  return one;
}

nb::dict answer_document(read_answer const& from) {
  nb::dict one;
  one["rows"] = rows_of(from.returned);
  one["node"] = from.node;
  one["from_replica"] = from.from_replica;
  one["from_shard"] = from.from_shard;
  one["hedged"] = from.hedged;
  one["waited_us"] = from.waited.count();
  return one;
}

namespace {

nb::dict execute(guarded_session& self, std::string const& table, nb::object const& key,
                 std::string const& sql, nb::object const& parameters, double deadline,
                 std::string const& isolation, std::string operation_id, nb::object const& call_site) {
  auto const shard = key_or_none(key);
  auto values = parameters_of(parameters);
  write_options const options{.isolation = isolation_of(isolation),
                              .deadline = ms(deadline),
                              .operation_id = std::move(operation_id),
                              .call_site = site_of(call_site)};
  return receipt_document(unwrap(self.alone([&](client_session& in) {
    return without_lock([&] { return in.execute(table, shard, sql, std::move(values), options); });
  })));
}

nb::dict read(guarded_session& self, std::string const& table, nb::object const& key, std::string const& sql,
              nb::object const& parameters, std::string const& fresh, double staleness, double wait_budget,
              double deadline, nb::object const& call_site) {
  auto const shard = key_or_none(key);
  auto values = parameters_of(parameters);
  read_options const options{.fresh = consistency_of(fresh),
                             .staleness_max = ms(staleness),
                             .wait_budget = ms(wait_budget),
                             .deadline = ms(deadline),
                             .call_site = site_of(call_site)};
  return answer_document(unwrap(self.alone([&](client_session& in) {
    return without_lock([&] { return in.read(table, shard, sql, std::move(values), options); });
  })));
}

client open(std::string conninfo, std::string application, std::size_t connections_max, double stall_budget,
            double connect_timeout, bool observe, double report_interval, bool observe_unknown_tables,
            std::size_t connections_min, bool transaction_pooler) {
  client_options options;
  options.source = {.node = "source",
                    .conninfo = std::move(conninfo),
                    .application_name = application,
                    .connect_timeout = ms(connect_timeout)};
  options.application = std::move(application);
  options.connections_max = connections_max;
  options.connections_min = connections_min;
  if (transaction_pooler) options.source.path = connection_path::transaction_pooler;
  options.stall_budget = ms(stall_budget);
  options.observe = observe;
  options.report_interval = ms(report_interval);
  options.observe_unknown_tables = observe_unknown_tables;
  return unwrap(without_lock([&] { return client::open(std::move(options)); }));
}

nb::dict route_document(client const& self, std::string const& table, nb::object const& key) {
  auto const found = unwrap(self.route_of(table, key_or_none(key)));
  nb::dict one;
  one["slot"] = found.slot.value();
  one["node"] =
      found.node.is_source() ? nb::object(nb::none()) : nb::object(nb::int_(found.node.shard()->value()));
  one["epoch"] = found.epoch.value();
  one["placed_on"] = found.placed.value();
  one["dual_written"] = found.dual_written;
  return one;
}

nb::dict totals_document(client const& self) {
  auto const from = self.totals();
  nb::dict one;
  one["writes"] = from.writes;
  one["refusals"] = from.refusals;
  one["retries"] = from.retries;
  one["in_doubt"] = from.in_doubt;
  one["dual_writes_applied"] = from.dual_writes_applied;
  one["dual_writes_pending"] = from.dual_writes_pending;
  one["dual_writes_refused"] = from.dual_writes_refused;
  one["reads_replica"] = from.reads_replica;
  one["reads_primary"] = from.reads_primary;
  one["reads_shard"] = from.reads_shard;
  one["cross_shard"] = from.cross_shard;
  return one;
}

void bind_session(nb::module_& module) {
  nb::class_<guarded_session> session(module, "ClientSession",
                                      "A user's or request's view: it sees its own writes. One thread at a "
                                      "time: another gets invalid_argument.");
  session
      .def("execute", &execute, nb::arg("table"), nb::arg("key").none(), nb::arg("sql"),
           nb::arg("parameters") = nb::none(), nb::kw_only(), nb::arg("deadline") = 30.0,
           nb::arg("isolation") = "read_committed", nb::arg("operation_id") = "",
           nb::arg("call_site") = nb::none(),
           "One INSERT, UPDATE or DELETE of rows with this shard key, on the node that has authority; the "
           "receipt. Placeholders are $1, $2 ...; "
           "times are seconds. With answer_lost it committed, and affected and rows are not known.")
      .def("read", &read, nb::arg("table"), nb::arg("key").none(), nb::arg("sql"),
           nb::arg("parameters") = nb::none(), nb::kw_only(), nb::arg("consistency") = "read_your_writes",
           nb::arg("staleness_max") = 1.0, nb::arg("wait_budget") = 0.05, nb::arg("deadline") = 30.0,
           nb::arg("call_site") = nb::none(),
           "One SELECT of rows with this shard key: rows, node, from_replica, waited_us.")
      .def(
          "token",
          [](guarded_session& self) { return self.alone([](client_session& in) { return in.token(); }); },
          "What the session has written and seen. Give it to `adopt` in the process that serves the user "
          "next.")
      .def(
          "adopt",
          [](guarded_session& self, std::string_view token) {
            self.alone([&](client_session& in) { in.adopt(token); });
          },
          nb::arg("token"),
          "Takes over another session's token, so that reads here see what it saw. A malformed one changes "
          "nothing.")
      .def(
          "__enter__", [](nb::object self) { return self; }, nb::sig("def __enter__(self) -> ClientSession"))
      .def("__exit__", [](guarded_session&, nb::args) {});
  bind_transactions(module, session);
  bind_many(session);
}

}  // namespace

void bind_client(nb::module_& module) {
  bind_session(module);
  nb::class_<client>(module, "Client",
                     "Connections and routing of one process. Safe to share between threads.")
      .def_static("open", &open, nb::arg("conninfo"), nb::kw_only(), nb::arg("application") = "application",
                  nb::arg("connections_max") = 8, nb::arg("stall_budget") = 5.0,
                  nb::arg("connect_timeout") = 5.0, nb::arg("observe") = true,
                  nb::arg("report_interval") = 5.0, nb::arg("observe_unknown_tables") = false,
                  nb::arg("connections_min") = 0, nb::arg("transaction_pooler") = false,
                  "Connects to the source, which names the other nodes. conninfo holds no password: use "
                  "PGPASSFILE or a service file.")
      .def("session", [](client& self) { return guarded_session{self.session()}; })
      .def("generation", [](client const& self) { return self.generation(); })
      .def(
          "refresh", [](client& self) { return unwrap(without_lock([&] { return self.refresh(); })); },
          "Reads the newest generation now and returns its number. One round trip to the source.")
      .def("route_of", &route_document, nb::arg("table"), nb::arg("key").none(),
           "Where a call goes now; node is None for the source. No round trip.")
      .def("totals", &totals_document, "Counts since `open`.")
      .def(
          "report",
          [](client const& self) {
            return nb::cast<nb::dict>(nb::module_::import_("json").attr("loads")(to_json(self.report())));
          },
          "Counts of the calls since `open`: tables, call_sites, written_together.")
      .def("close", [](client& self) { without_lock([&] { self.close(); }); })
      .def(
          "__enter__", [](nb::object self) { return self; }, nb::sig("def __enter__(self) -> Client"))
      .def("__exit__", [](client& self, nb::args) { without_lock([&] { self.close(); }); });
}

}  // namespace shardway::python
