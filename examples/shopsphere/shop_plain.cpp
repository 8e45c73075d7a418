// The shop's data layer on plain libpq, for one server: what the load and the checker are tested with, apart
// from the library.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <libpq-fe.h>

#include "shop.hpp"

namespace shopsphere {
namespace {

struct finish {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
  void operator()(PGresult* answer) const noexcept { PQclear(answer); }
};
using connection_ptr = std::unique_ptr<PGconn, finish>;
using answer_ptr = std::unique_ptr<PGresult, finish>;

table_rows copy_of(PGresult const* from) {
  table_rows to;
  char const* const touched = PQcmdTuples(const_cast<PGresult*>(from));
  to.affected = *touched ? std::atoll(touched) : 0;
  for (int row = 0; row < PQntuples(from); ++row) {
    auto& values = to.rows.emplace_back();
    for (int column = 0; column < PQnfields(from); ++column)
      values.push_back(PQgetisnull(from, row, column) ? value() : value(PQgetvalue(from, row, column)));
  }
  return to;
}

class plain_session final : public shop_session, public shop_transaction {
 public:
  plain_session(std::string primary, std::string replica)
      : primary_(std::move(primary)), replica_(std::move(replica)) {}

  write_result write(std::string_view, shop_key const&,
                     std::function<bool(shop_transaction&)> const& body) override {
    affected_ = 0;
    write_result out{.node = "source"};
    bool const kept = run("BEGIN", {}, nullptr) && body(*this);
    if (!kept) {
      out.what = outcome::fail;
      out.error = error_;
      run("ROLLBACK", {}, nullptr);
      return out;
    }
    out.affected = affected_;
    if (run("COMMIT", {}, nullptr)) return out;
    out.error = error_;
    out.what = PQstatus(connection_.get()) == CONNECTION_BAD ? outcome::in_doubt : outcome::fail;
    return out;
  }

  write_result execute(std::string_view, shop_key const&, std::string_view sql, std::vector<value> parameters,
                       table_rows* out) override {
    affected_ = 0;
    write_result done{.node = "source"};
    if (!run(sql, parameters, out)) {
      done.what = PQstatus(connection_.get()) == CONNECTION_BAD ? outcome::in_doubt : outcome::fail;
      done.error = error_;
    }
    done.affected = affected_;
    return done;
  }

  bool execute(std::string_view, std::string_view sql, std::vector<value> parameters,
               table_rows* out) override {
    return run(sql, parameters, out);
  }

  read_result read(std::string_view, shop_key const&, std::string_view sql, std::vector<value> parameters,
                   freshness fresh) override {
    read_result out;
    out.from_replica = fresh == freshness::any_replica && !replica_.empty();
    out.node = out.from_replica ? "source_replica" : "source";
    if (on(out.from_replica ? replica_connection_ : connection_, out.from_replica ? replica_ : primary_, sql,
           parameters, &out.found))
      return out;
    out.what = outcome::fail;
    out.error = error_;
    return out;
  }

  std::string token() const override { return {}; }
  void adopt(std::string_view) override {}

 private:
  bool run(std::string_view sql, std::vector<value> const& parameters, table_rows* out) {
    return on(connection_, primary_, sql, parameters, out);
  }

  bool on(connection_ptr& connection, std::string const& conninfo, std::string_view sql,
          std::vector<value> const& parameters, table_rows* out) {
    if (!connection || PQstatus(connection.get()) != CONNECTION_OK)
      connection.reset(PQconnectdb(conninfo.c_str()));
    std::vector<char const*> pointers;
    for (auto const& one : parameters) pointers.push_back(one ? one->c_str() : nullptr);
    answer_ptr const answer(PQexecParams(connection.get(), std::string(sql).c_str(),
                                         static_cast<int>(pointers.size()), nullptr, pointers.data(), nullptr,
                                         nullptr, 0));
    auto const status = PQresultStatus(answer.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      char const* const state = PQresultErrorField(answer.get(), PG_DIAG_SQLSTATE);
      error_ = state ? state : "connection_lost";
      return false;
    }
    auto copied = copy_of(answer.get());
    if (status == PGRES_COMMAND_OK || std::strncmp(PQcmdStatus(answer.get()), "SELECT", 6) != 0)
      affected_ += copied.affected;
    if (out) *out = std::move(copied);
    return true;
  }

  std::string primary_, replica_, error_;
  std::int64_t affected_ = 0;
  connection_ptr connection_, replica_connection_;
};

class plain_shop final : public shop {
 public:
  plain_shop(std::string primary, std::string replica)
      : primary_(std::move(primary)), replica_(std::move(replica)) {}
  std::unique_ptr<shop_session> session() override {
    return std::make_unique<plain_session>(primary_, replica_);
  }

 private:
  std::string primary_, replica_;
};

}  // namespace

std::unique_ptr<shop> open_plain(std::string const& conninfo, std::string const& replica_conninfo) {
  connection_ptr const probe(PQconnectdb(conninfo.c_str()));
  if (PQstatus(probe.get()) == CONNECTION_OK) return std::make_unique<plain_shop>(conninfo, replica_conninfo);
  std::fprintf(stderr, "load: %s", PQerrorMessage(probe.get()));
  return nullptr;
}

}  // namespace shopsphere
