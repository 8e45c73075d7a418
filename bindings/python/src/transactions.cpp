// `ClientSession.write`: a Python function inside a transaction of the library's.
#include <exception>
#include <memory>
#include <mutex>
#include <optional>

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include "bindings.hpp"
#include "blocking.hpp"
#include "session.hpp"
#include "values.hpp"

namespace nb = nanobind;

namespace shardway::python {
namespace {

/// One attempt, as the function sees it. Past its end every call is refused: the transaction is gone.
class python_transaction {
 public:
  explicit python_transaction(write_transaction& on) : on_(&on) {}
  /// Waits for a call that another thread of the function's is still making.
  void end() {
    nb::gil_scoped_release const released;
    std::lock_guard const lock{busy_};
    on_ = nullptr;
  }
  std::optional<error> const& failed() const noexcept { return failed_; }

  template <class Call>
  auto run(Call&& call) {
    std::unique_lock const lock{busy_, std::try_to_lock};
    if (!lock)
      raise({error_code::invalid_argument, "this transaction is in use by another thread",
             "use it in one thread at a time"});
    if (on_ == nullptr)
      raise({error_code::invalid_argument, "the transaction has ended",
             "use it only inside the function given to write"});
    auto done = without_lock([&] { return call(*on_); });
    if (!done) failed_ = done.error();
    return unwrap(std::move(done));
  }

 private:
  std::mutex busy_{};
  write_transaction* on_;
  std::optional<error>
      failed_{};  ///< the last error of the library's, which decides whether the function is run again
};

/// Runs the function once. What it raised is kept for the caller; an error of the library's goes to the
/// library as it was.
class attempts {
 public:
  explicit attempts(nb::callable body) : body_(std::move(body)) {}

  result<> run(write_transaction& in) {
    nb::gil_scoped_acquire const held;
    raised_ = nullptr;
    auto const here = std::make_shared<python_transaction>(in);
    auto const ended = [&](result<> with) {
      here->end();
      return with;
    };
    try {
      body_(here);
      return ended(success());
    } catch (nb::python_error&) {
      raised_ = std::current_exception();
    } catch (std::exception const&) {
      raised_ = std::current_exception();
    }
    if (here->failed()) return ended(*here->failed());
    return ended(error{error_code::cancelled, "the function given to write raised",
                       "the transaction was rolled back"});
  }
  std::exception_ptr const& raised() const noexcept { return raised_; }

 private:
  nb::callable body_;
  std::exception_ptr raised_{};
};

nb::dict write(guarded_session& self, std::string const& table, nb::object const& key, nb::callable body,
               double deadline, std::string const& isolation, std::string operation_id,
               nb::object const& call_site) {
  auto const shard = key_or_none(key);
  write_options const options{.isolation = isolation_of(isolation),
                              .deadline = ms(deadline),
                              .operation_id = std::move(operation_id),
                              .call_site = site_of(call_site)};
  attempts tried{std::move(body)};
  auto done = self.alone([&](client_session& in) {
    return without_lock([&] {
      return in.write(table, shard, [&](write_transaction& on) { return tried.run(on); }, options);
    });
  });
  if (!done && tried.raised()) std::rethrow_exception(tried.raised());
  return receipt_document(unwrap(std::move(done)));
}

}  // namespace

void bind_transactions(nb::module_& module, nb::class_<guarded_session>& session) {
  nb::class_<python_transaction>(
      module, "WriteTransaction",
      "One attempt of `ClientSession.write`, past the fence. COMMIT is the library's.")
      .def(
          "execute",
          [](python_transaction& self, std::string const& table, std::string const& sql,
             nb::object const& parameters) {
            auto values = parameters_of(parameters);
            auto const done =
                self.run([&](write_transaction& on) { return on.execute(table, sql, std::move(values)); });
            nb::dict one;
            one["affected"] = done.affected();
            one["rows"] = rows_of(done);
            return one;
          },
          nb::arg("table"), nb::arg("sql"), nb::arg("parameters") = nb::none(),
          "One INSERT, UPDATE or DELETE: affected and rows.")
      .def(
          "query",
          [](python_transaction& self, std::string const& sql, nb::object const& parameters) {
            auto values = parameters_of(parameters);
            return rows_of(self.run([&](write_transaction& on) { return on.query(sql, std::move(values)); }));
          },
          nb::arg("sql"), nb::arg("parameters") = nb::none(),
          nb::sig("def query(self, sql: str, parameters: object | None = None) -> shardway.results.Rows"),
          "One SELECT: its rows.")
      .def(
          "savepoint",
          [](python_transaction& self, std::string const& name) {
            self.run([&](write_transaction& on) { return on.savepoint(name); });
          },
          nb::arg("name"), "Sets a savepoint, for `rollback_to`.")
      .def(
          "rollback_to",
          [](python_transaction& self, std::string const& name) {
            self.run([&](write_transaction& on) { return on.rollback_to(name); });
          },
          nb::arg("name"), "Undoes everything since a savepoint, captured rows included.");
  session.def("write", &write, nb::arg("table"), nb::arg("key").none(), nb::arg("body"), nb::kw_only(),
              nb::arg("deadline") = 30.0, nb::arg("isolation") = "read_committed",
              nb::arg("operation_id") = "", nb::arg("call_site") = nb::none(),
              "Several statements in one transaction: body(WriteTransaction) may be run again as a whole. "
              "What it raises rolls back and is raised.");
}

}  // namespace shardway::python
