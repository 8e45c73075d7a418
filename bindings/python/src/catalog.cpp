#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "bindings.hpp"
#include "blocking.hpp"
#include "errors.hpp"
#include "shardway/catalog/audit.hpp"
#include "shardway/catalog/call_reports.hpp"
#include "shardway/catalog/certificate.hpp"
#include "shardway/catalog/client_registry.hpp"
#include "shardway/catalog/generation_store.hpp"
#include "shardway/catalog/journal.hpp"
#include "shardway/catalog/lease.hpp"
#include "shardway/catalog/request.hpp"
#include "shardway/catalog/status.hpp"
#include "shardway/pg/connect.hpp"
#include "values.hpp"

namespace nb = nanobind;

namespace shardway::python {
namespace {

/// One session on the source, used by one thread at a time.
class catalog_session {
 public:
  static catalog_session open(std::string conninfo, std::string application, int timeout_ms) {
    auto opened = without_lock([&] {
      return connect({.node = "source",
                      .conninfo = std::move(conninfo),
                      .application_name = std::move(application),
                      .connect_timeout = std::chrono::milliseconds{timeout_ms}});
    });
    return catalog_session{unwrap(std::move(opened))};
  }

  /// Runs the call on the session, without the interpreter lock; raises its error.
  template <class Call>
  auto run(Call&& call) {
    auto answer = without_lock([&] {
      std::lock_guard const held(*mutex_);
      return session_ ? call(*session_)
                      : decltype(call(*session_)){
                            error{error_code::cancelled, "the catalog's connection was closed"}};
    });
    return unwrap(std::move(answer));
  }

  void close() {
    without_lock([&] {
      std::lock_guard const held(*mutex_);
      session_.reset();
    });
  }

 private:
  explicit catalog_session(std::unique_ptr<session> opened) : session_(std::move(opened)) {}
  std::unique_ptr<session> session_;
  std::unique_ptr<std::mutex> mutex_{std::make_unique<std::mutex>()};
};

nb::dict request_document(request const& from) {
  nb::dict one;
  one["id"] = from.id;
  one["kind"] = from.kind;
  one["arguments"] = from.arguments;
  one["requested_by"] = from.requested_by;
  one["state"] = name(from.state);
  one["result"] = from.result;
  one["error_code"] = from.error_code;
  one["error_message"] = from.error_message;
  return one;
}

std::optional<nb::dict> find_request_document(catalog_session& self, std::int64_t id) {
  auto const found = self.run([&](session& on) { return find_request(on, id); });
  return found ? std::optional(request_document(*found)) : std::nullopt;
}

nb::list status_documents(catalog_session& self) {
  nb::list all;
  for (auto const& from : self.run([](session& on) { return list_status(on); })) {
    nb::dict one;
    one["name"] = from.name;
    one["document"] = from.document;
    one["age_ms"] = from.age.count();
    all.append(one);
  }
  return all;
}

std::optional<std::string> generation_document(catalog_session& self) {
  auto const found = self.run([](session& on) { return read_newest_generation(on); });
  return found ? std::optional(encode(*found)) : std::nullopt;
}

std::optional<nb::dict> lease_document(catalog_session& self) {
  auto const found = self.run([](session& on) { return read_lease(on); });
  if (!found) return std::nullopt;
  nb::dict one;
  one["token"] = found->token;
  one["holder"] = found->holder;
  one["expires_at"] = found->expires_at;
  one["is_alive"] = found->is_alive;
  return one;
}

std::optional<nb::dict> certificate_document(catalog_session& self, std::string const& relation) {
  auto const found = self.run([&](session& on) { return newest_certificate(on, relation); });
  if (!found) return std::nullopt;
  nb::dict one;
  one["id"] = found->id;
  one["group"] = found->group;
  one["relation"] = found->relation;
  one["verdict"] = name(found->found);
  one["row_count"] = found->row_count;
  one["as_of"] = found->as_of.to_string();
  one["detail"] = found->detail;
  one["started_at"] = found->started_at;
  one["at"] = found->recorded_at;
  return one;
}

nb::list certificate_gap_documents(catalog_session& self, std::vector<std::string> const& relations,
                                   int age_max_s) {
  nb::list all;
  for (auto const& gap : self.run(
           [&](session& on) { return certificate_gaps(on, relations, std::chrono::seconds{age_max_s}); })) {
    nb::dict one;
    one["relation"] = gap.relation;
    one["why"] = gap.why;
    all.append(one);
  }
  return all;
}

nb::list foreign_writer_documents(catalog_session& self, std::int64_t within_s) {
  nb::list writers;
  for (auto const& from :
       self.run([&](session& on) { return list_foreign_writers(on, std::chrono::seconds{within_s}); })) {
    nb::dict one;
    one["relation"] = from.relation;
    one["operation"] = from.operation;
    one["application"] = from.application;
    one["role"] = from.role;
    one["statements"] = from.statements;
    one["last_seen"] = from.last_seen;
    writers.append(one);
  }
  return writers;
}

nb::dict observed_document(catalog_session& self, std::int64_t within_s) {
  std::chrono::seconds const within{within_s};
  auto const found = self.run([&](session& on) { return collect_call_reports(on, within); });
  nb::dict all;
  all["calls"] = to_json(found.calls);
  all["clients"] = found.clients;
  all["applications"] = found.applications;
  all["since"] = found.since;
  all["until"] = found.until;
  nb::list groups;
  for (auto const& from : propose_groups(found.calls)) {
    nb::dict one;
    one["tables"] = from.tables;
    one["transactions"] = from.transactions;
    groups.append(one);
  }
  all["proposed_groups"] = groups;
  all["foreign_writers"] = foreign_writer_documents(self, within_s);
  return all;
}

nb::list wave_documents(catalog_session& self, std::string const& group) {
  nb::list all;
  for (auto const& from : self.run([&](session& on) { return list_waves(on, group); })) {
    nb::dict one;
    one["wave"] = from.wave;
    one["group"] = from.group;
    one["direction"] = name(from.direction);
    one["ranges"] = ranges_of(from.ranges);
    one["epoch_before"] = from.before.value();
    one["epoch_after"] = from.after.value();
    one["state"] = from.state;
    one["started_at"] = from.started_at;
    one["finished_at"] = from.finished_at;
    one["report"] = from.report;
    all.append(one);
  }
  return all;
}

nb::list journal_documents(catalog_session& self, std::string const& wave, std::size_t limit) {
  nb::list all;
  for (auto const& from : self.run([&](session& on) { return read_journal(on, wave, limit); })) {
    nb::dict one;
    one["id"] = from.id;
    one["wave"] = from.wave;
    one["step"] = from.step;
    one["detail"] = from.detail;
    one["at"] = from.recorded_at;
    all.append(one);
  }
  return all;
}

nb::list client_documents(catalog_session& self, int expire_after_s) {
  nb::list all;
  for (auto const& from :
       self.run([&](session& on) { return list_clients(on, std::chrono::seconds{expire_after_s}); })) {
    nb::dict one;
    one["client_id"] = from.client_id;
    one["application"] = from.application;
    one["library_version"] = from.library_version;
    one["generation"] = from.generation;
    one["silent_ms"] = from.silent_for.count();
    all.append(one);
  }
  return all;
}

nb::list manifest_documents(catalog_session& self) {
  nb::list all;
  for (auto const& from : self.run([](session& on) { return list_manifests(on); })) {
    nb::dict one;
    one["relation"] = from.relation;
    one["document"] = from.document;
    one["sha256"] = from.sha256;
    one["applied_by"] = from.applied_by;
    one["applied_at"] = from.applied_at;
    all.append(one);
  }
  return all;
}

}  // namespace

void bind_catalog(nb::module_& module) {
  using self = catalog_session;
  nb::class_<self>(
      module, "Catalog",
      "A session on the source's catalog. JSON documents are texts; shardway.catalog parses them.")
      .def_static("open", &self::open, nb::arg("conninfo"), nb::arg("application") = "shardway-command",
                  nb::arg("timeout_ms") = 5000)
      .def("close", &self::close)
      .def(
          "enqueue_request",
          [](self& on, std::string const& kind, std::string const& arguments) {
            return on.run([&](session& to) { return enqueue_request(to, kind, arguments); });
          },
          nb::arg("kind"), nb::arg("arguments"),
          "Inserts a request for the controller and returns its number.")
      .def("find_request", &find_request_document, nb::arg("id"),
           "The request as it stands, its result as JSON; None if there is no such request.")
      .def("status", &status_documents, "The status documents of controllers: name, document, age_ms.")
      .def("generation", &generation_document, "The newest generation as JSON, or None.")
      .def("lease", &lease_document, "Who holds the lease: token, holder, expires_at, is_alive; or None.")
      .def("certificate", &certificate_document, nb::arg("relation"),
           "The newest certificate of a table, or None.")
      .def("certificate_gaps", &certificate_gap_documents, nb::arg("relations"), nb::arg("age_max_s") = 0)
      .def("waves", &wave_documents, nb::arg("group") = "")
      .def("journal", &journal_documents, nb::arg("wave") = "", nb::arg("limit") = 100)
      .def("clients", &client_documents, nb::arg("expire_after_s") = 60)
      .def("observed", &observed_document, nb::arg("within_s"),
           "The call reports of all clients added up, `calls` as JSON; proposed_groups; foreign_writers of "
           "the source.")
      .def("foreign_writers", &foreign_writer_documents, nb::arg("within_s"),
           "Who has written the source's tables without the library: relation, operation, application, role, "
           "statements, last_seen.")
      .def("manifests", &manifest_documents, "The manifests as they were applied.")
      .def(
          "put_manifest",
          [](self& on, std::string const& relation, std::string const& document) {
            return on.run([&](session& to) { return put_manifest(to, relation, document); });
          },
          nb::arg("relation"), nb::arg("document"),
          "Records an applied manifest. True if it is new or differs from the one recorded.");
}

}  // namespace shardway::python
