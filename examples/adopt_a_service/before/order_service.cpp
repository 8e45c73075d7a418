// Orders of a shop, with libpqxx.
#include <pqxx/pqxx>

#include "../service.hpp"

namespace store {
namespace {

struct {
  char const* name;
  char const* sql;
} const statements[]{
    {"place", "INSERT INTO orders (customer_id, order_id) VALUES ($1, $2)"},
    {"add_line", "INSERT INTO lines (customer_id, order_id, line, sku, price) VALUES ($1, $2, $3, $4, $5)"},
    {"list", "SELECT order_id, state, total FROM orders WHERE customer_id = $1 ORDER BY order_id"},
};

constexpr std::int64_t owes_max = 1000;

class service final : public order_service {
 public:
  explicit service(std::string const& conninfo) : connection_(conninfo) {
    connection_.set_session_var("search_path", "store");
    for (auto const& [name, sql] : statements) connection_.prepare(name, sql);
  }

  void place(std::int64_t customer, std::int64_t order, std::vector<order_line> const& lines,
             std::string const& coupon) override {
    transact([&](auto& tx) {
      tx.exec(pqxx::prepped{"place"}, pqxx::params{customer, order});
      int number = 0;
      for (auto const& line : lines)
        tx.exec(pqxx::prepped{"add_line"}, pqxx::params{customer, order, ++number, line.sku, line.price});
      auto const discount = use_coupon(tx, customer, coupon) ? 10 : 0;
      auto const owes = tx.exec("SELECT charge($1, $2, $3)", pqxx::params{customer, order, discount})
                            .one_row()[0]
                            .template as<std::int64_t>();
      if (owes > owes_max) throw over_limit{"the customer owes too much"};
    });
  }

  bool pay(std::int64_t customer, std::int64_t order) override {
    bool paid = false;
    transact([&](auto& tx) {
      auto const due = tx.exec(
          "UPDATE orders SET state = 'paid' WHERE customer_id = $1 AND order_id = $2 AND state = 'placed' "
          "RETURNING total",
          pqxx::params{customer, order});
      paid = !due.empty();
      if (paid)
        tx.exec("UPDATE customers SET owes = owes - $2 WHERE customer_id = $1",
                pqxx::params{customer, due[0][0].template as<std::int64_t>()});
    });
    return paid;
  }

  void cancel(std::int64_t customer, std::int64_t order) override {
    transact([&](auto& tx) {
      tx.exec(
          "UPDATE customers c SET owes = owes - o.total FROM orders o WHERE c.customer_id = $1 AND "
          "o.customer_id = $1 AND o.order_id = $2 AND "
          "o.state = 'placed'",
          pqxx::params{customer, order});
      tx.exec("DELETE FROM orders WHERE customer_id = $1 AND order_id = $2", pqxx::params{customer, order});
    });
  }

  std::vector<std::string> list(std::int64_t customer) override {
    std::vector<std::string> all;
    transact([&](auto& tx) {
      all.clear();
      for (auto const& row : tx.exec(pqxx::prepped{"list"}, pqxx::params{customer}))
        all.push_back(std::string(row[0].c_str()) + " " + row[1].c_str() + " " + row[2].c_str());
    });
    return all;
  }

 private:
  // A coupon that was used before fails alone.
  static bool use_coupon(pqxx::dbtransaction& tx, std::int64_t customer, std::string const& code) {
    if (code.empty()) return false;
    try {
      pqxx::subtransaction inner{tx};
      inner.exec("INSERT INTO coupons VALUES ($1, $2)", pqxx::params{customer, code});
      inner.commit();
      return true;
    } catch (pqxx::unique_violation const&) {
      return false;
    }
  }

  template <class Code>
  void transact(Code const& code) {
    pqxx::perform([&] {
      pqxx::work tx{connection_};
      code(tx);
      tx.commit();
    });
  }

  pqxx::connection connection_;
};

}  // namespace

std::unique_ptr<order_service> connect_service(std::string const& conninfo) {
  return std::make_unique<service>(conninfo);
}

}  // namespace store
