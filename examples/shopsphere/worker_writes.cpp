// The shop's writes, as its services make them.
#include <algorithm>

#include "worker.hpp"

namespace shopsphere {
namespace {

constexpr int attempts_max = 3;

std::string hex(std::mt19937_64& random, std::size_t length) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out(length, '0');
  for (auto& c : out) c = digits[random() % 16];
  return out;
}

std::string uuid(std::mt19937_64& random) {
  auto const text = hex(random, 32);
  return text.substr(0, 8) + "-" + text.substr(8, 4) + "-4" + text.substr(13, 3) + "-a" + text.substr(17, 3) +
         "-" + text.substr(20);
}

std::string number(std::int64_t n) { return std::to_string(n); }

// What an operation does to one row, for the checker.
std::string effect(char const* table, std::string const& key, char const* what) {
  return json_object().text("table", table).raw("key", key).text("do", what).finish();
}
std::string append_effect(char const* table, std::string const& key, std::int64_t add, bool sets) {
  return json_object()
      .text("table", table)
      .raw("key", key)
      .text("do", "append")
      .number("add", add)
      .flag("sets", sets)
      .finish();
}
// Rows of their own that belong to another row and go with it.
std::string child_effect(char const* table, std::int64_t count, char const* parent_table,
                         std::string const& parent) {
  return json_object()
      .text("table", table)
      .text("do", "child")
      .number("count", count)
      .text("parent_table", parent_table)
      .raw("parent", parent)
      .finish();
}

std::int64_t id_of(table_rows const& returned) {
  return returned.rows.empty() ? 0 : std::atoll(returned.rows.front().front()->c_str());
}

}  // namespace

// What was written to the row before can't be asked for any more.
static void forget(auto& recent, std::string_view table, std::string const& row) {
  std::erase_if(recent, [&](auto const& item) { return item.table == table && item.row == row; });
}

void worker::place_order() {
  auto const op = next_op();
  auto const customer = any_customer();
  auto const items = 1 + pick(3), quantity = 1 + pick(4);
  auto const sku = any_sku(), reference = uuid(random_), net = number(5 + pick(500)) + ".50";
  std::int64_t order = 0, event = 0;
  auto const body = [&](shop_transaction& transaction) {
    table_rows made;
    if (!transaction.execute("shop.orders",
                             "INSERT INTO shop.orders (customer_id, reference, net, operations, tags) "
                             "VALUES ($1, $2, $3, ARRAY[$4::bigint], ARRAY['load']) RETURNING id",
                             {number(customer), reference, net, number(op)}, &made))
      return false;
    order = id_of(made);
    for (std::int64_t item = 0; item < items; ++item)
      if (!transaction.execute(
              "shop.order_items",
              "INSERT INTO shop.order_items (order_id, customer_id, sku, quantity, price, operation) "
              "VALUES ($1, $2, $3, $4, 9.90, $5)",
              {number(order), number(customer), sku, number(quantity), number(op)}))
        return false;
    if (!transaction.execute("shop.outbox_events",
                             "INSERT INTO shop.outbox_events (customer_id, topic, payload, operation) "
                             "VALUES ($1, 'stock-sold', jsonb_build_object('sku', $2::text, 'quantity', "
                             "$3::int), $4) RETURNING id",
                             {number(customer), sku, number(items * quantity), number(op)}, &made))
      return false;
    event = id_of(made);
    return true;
  };
  auto const invoked = now_us();
  auto const done = session_->write("shop.orders", customer, body);
  auto const key = number(order);
  auto const effects = effect("shop.orders", key, "insert") + "," +
                       child_effect("shop.order_items", items, "shop.orders", key) + "," +
                       effect("shop.outbox_events", number(event), "insert");
  if (record_write({op, "place_order", "shop.orders", customer, effects}, done, invoked) != outcome::ok)
    return;
  orders_.push_back({order, customer});
  remember({.table = "shop.orders", .row = key, .key = customer, .op = op});
  sell(next_op(), sku, items * quantity);
  finish_event(event, customer);
}

// Driven by the order's event, which may come again: the operation number makes it idempotent.
void worker::sell(op_number op, std::string const& sku, std::int64_t quantity) {
  auto const body = [&](shop_transaction& transaction) {
    table_rows changed;
    if (!transaction.execute("shop.inventory",
                             "UPDATE shop.inventory SET quantity = quantity - $2::bigint, operations = "
                             "operations || $3::bigint "
                             "WHERE sku = $1 AND NOT ($3::bigint = ANY (operations))",
                             {sku, number(quantity), number(op)}, &changed))
      return false;
    if (changed.affected == 0) return true;
    return transaction.execute(
        "shop.stock_movements",
        "INSERT INTO shop.stock_movements (sku, delta, reason, operation) VALUES ($1, $2, 'sold', $3)",
        {sku, number(-quantity), number(op)});
  };
  auto const key = "\"" + sku + "\"";
  auto const effects = append_effect("shop.inventory", key, -quantity, false) + "," +
                       child_effect("shop.stock_movements", 1, "shop.inventory", key);
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    auto const invoked = now_us();
    auto const done = session_->write("shop.inventory", sku, body);
    if (record_write({op, "sell", "shop.inventory", sku, effects, attempt}, done, invoked) != outcome::ok)
      continue;
    return remember({.table = "shop.inventory", .row = sku, .key = sku, .op = op});
  }
}

void worker::finish_event(std::int64_t event, std::int64_t customer) {
  auto const op = next_op();
  auto const invoked = now_us();
  auto const done = session_->execute(
      "shop.outbox_events", customer,
      "UPDATE shop.outbox_events SET processed_at = now(), operation = $3 WHERE id = $1 AND customer_id = $2",
      {number(event), number(customer), number(op)});
  record_write({op, "finish_event", "shop.outbox_events", customer,
                effect("shop.outbox_events", number(event), "set")},
               done, invoked);
}

void worker::pay() {
  if (orders_.empty()) return place_order();
  auto const op = next_op();
  auto const order = orders_[static_cast<std::size_t>(pick(static_cast<std::int64_t>(orders_.size())))];
  auto const cents = 100 + pick(90'000);
  auto const body = [&](shop_transaction& transaction) {
    return transaction.execute(
               "shop.payments",
               "INSERT INTO shop.payments (order_id, customer_id, amount, method, details, operation) "
               "VALUES ($1, $2, $3::bigint / 100.0, 'card', jsonb_build_object('cents', $3::bigint), $4)",
               {number(order.id), number(order.customer), number(cents), number(op)}) &&
           transaction.execute("shop.orders",
                               "UPDATE shop.orders SET state = 'paid', paid_cents = paid_cents + $3::bigint, "
                               "operations = operations || $4::bigint WHERE id = $1 AND customer_id = $2",
                               {number(order.id), number(order.customer), number(cents), number(op)});
  };
  auto const invoked = now_us();
  auto const done = session_->write("shop.payments", order.customer, body);
  auto const key = number(order.id);
  auto const effects = child_effect("shop.payments", 1, "shop.orders", key) + "," +
                       append_effect("shop.orders", key, cents, false);
  if (record_write({op, "pay", "shop.orders", order.customer, effects}, done, invoked) == outcome::ok)
    remember({.table = "shop.orders", .row = key, .key = order.customer, .op = op});
}

void worker::delete_order() {
  if (orders_.size() < 4) return place_order();
  auto const op = next_op();
  auto const order = orders_.front();
  orders_.erase(orders_.begin());  // whatever comes of it, it is not used again
  auto const body = [&](shop_transaction& transaction) {
    for (std::string const table : {"shop.payments", "shop.order_items"})
      if (!transaction.execute(table, "DELETE FROM " + table + " WHERE order_id = $1 AND customer_id = $2",
                               {number(order.id), number(order.customer)}))
        return false;
    return transaction.execute("shop.orders", "DELETE FROM shop.orders WHERE id = $1 AND customer_id = $2",
                               {number(order.id), number(order.customer)});
  };
  auto const invoked = now_us();
  auto const done = session_->write("shop.orders", order.customer, body);
  auto const key = number(order.id);
  auto const what =
      record_write({op, "delete_order", "shop.orders", order.customer, effect("shop.orders", key, "delete")},
                   done, invoked);
  if (what != outcome::fail) forget(recent_, "shop.orders", key);
  if (what == outcome::ok)
    remember({.table = "shop.orders", .row = key, .key = order.customer, .op = op, .gone = true});
}

void worker::move_stock() {
  auto const op = next_op();
  auto const sku = any_sku();
  auto const delta = pick(2) == 0 ? 1 + pick(50) : -1 - pick(40);
  auto const invoked = now_us();
  auto const done = session_->execute("shop.inventory", sku,
                                      "UPDATE shop.inventory SET quantity = quantity + $2::bigint, "
                                      "operations = operations || $3::bigint WHERE sku = $1",
                                      {sku, number(delta), number(op)});
  auto const effects = append_effect("shop.inventory", "\"" + sku + "\"", delta, false);
  if (record_write({op, "move_stock", "shop.inventory", sku, effects}, done, invoked) == outcome::ok)
    remember({.table = "shop.inventory", .row = sku, .key = sku, .op = op});
}

void worker::earn_points() {
  auto const op = next_op();
  auto const customer = any_customer();
  auto const points = 1 + pick(30);
  auto const invoked = now_us();
  auto const done = session_->execute("shop.customers", customer,
                                      "UPDATE shop.customers SET loyalty_points = loyalty_points + "
                                      "$2::bigint, operations = operations || $3::bigint WHERE id = $1",
                                      {number(customer), number(points), number(op)});
  auto const key = number(customer);
  if (record_write({op, "earn_points", "shop.customers", customer,
                    append_effect("shop.customers", key, points, false)},
                   done, invoked) == outcome::ok)
    remember({.table = "shop.customers", .row = key, .key = customer, .op = op});
}

// Half of the time the large value stays as it is: its bytes are then not in the change.
void worker::change_document() {
  auto const op = next_op();
  auto const id = 1 + pick(std::min<std::int64_t>(300, options_.documents));
  auto const customer = 1 + id % options_.customers;
  bool const rewrites = pick(2) == 0;
  std::string const sets =
      rewrites ? "document = jsonb_build_object('op', $3::bigint, 'body', $4::text), " : "";
  std::vector<value> parameters{number(id), number(customer), number(op)};
  if (rewrites) parameters.push_back(hex(random_, 2600 + static_cast<std::size_t>(pick(1500))));
  auto const invoked = now_us();
  auto const done = session_->execute(
      "shop.order_documents", customer,
      "UPDATE shop.order_documents SET " + sets +
          "revision = revision + 1, operations = operations || $3::bigint, updated_at = now() "
          "WHERE id = $1 AND customer_id = $2",
      std::move(parameters));
  auto const key = number(id);
  auto const effects = append_effect("shop.order_documents", key, 1, rewrites);
  if (record_write({op, "change_document", "shop.order_documents", customer, effects}, done, invoked) ==
      outcome::ok)
    remember({.table = "shop.order_documents", .row = key, .key = customer, .op = op});
}

// An address is changed, deleted and put back under its old id. Each address has one thread.
void worker::change_address() {
  auto const own = std::min<std::int64_t>(60, options_.customers / options_.threads);
  auto const id = 1 + options_.thread + options_.threads * pick(own);
  auto const op = next_op();
  auto const known = addresses_.try_emplace(id, address_state::there).first;
  if (known->second == address_state::unknown) return;
  bool const there = known->second == address_state::there, removes = there && chance(40);
  auto const row = number(id), place = number(pick(300));
  std::vector<value> parameters{row, row};
  std::string sql = "DELETE FROM shop.customer_addresses WHERE id = $1 AND customer_id = $2";
  if (!removes) {
    parameters.insert(parameters.end(), {number(op), "City " + place, "Street " + place});
    sql = there ? "UPDATE shop.customer_addresses SET operation = $3, city = $4, lines = ARRAY[$5::text] "
                  "WHERE id = $1 AND customer_id = $2"
                : "INSERT INTO shop.customer_addresses (id, customer_id, operation, city, lines, postcode) "
                  "VALUES ($1, $2, $3, $4, ARRAY[$5::text], '01234')";
  }
  auto const invoked = now_us();
  auto const done = session_->execute("shop.customer_addresses", id, sql, std::move(parameters));
  auto const effects = effect("shop.customer_addresses", row, removes ? "delete" : there ? "set" : "insert");
  auto const what =
      record_write({op, "change_address", "shop.customer_addresses", id, effects}, done, invoked);
  if (what == outcome::fail) return;
  forget(recent_, "shop.customer_addresses", row);
  known->second = what == outcome::in_doubt ? address_state::unknown
                  : removes                 ? address_state::gone
                                            : address_state::there;
  if (what == outcome::ok)
    remember({.table = "shop.customer_addresses", .row = row, .key = id, .op = op, .gone = removes});
}

void worker::reserve() {
  auto const op = next_op();
  bool const removes = reservations_.size() > 3 && chance(45);
  auto const [id, sku] = removes ? reservations_.front() : std::pair{uuid(random_), any_sku()};
  if (removes) reservations_.erase(reservations_.begin());
  std::vector<value> parameters{id, sku};
  if (!removes) parameters.insert(parameters.end(), {number(1 + pick(4)), number(op)});
  auto const invoked = now_us();
  auto const done =
      session_->execute("shop.reservations", sku,
                        removes ? "DELETE FROM shop.reservations WHERE id = $1 AND sku = $2"
                                : "INSERT INTO shop.reservations (id, sku, quantity, expires_at, operation) "
                                  "VALUES ($1, $2, $3, now() + interval '1 hour', $4)",
                        std::move(parameters));
  auto const effects = effect("shop.reservations", "\"" + id + "\"", removes ? "delete" : "insert");
  auto const what = record_write({op, "reserve", "shop.reservations", sku, effects}, done, invoked);
  if (what != outcome::fail) forget(recent_, "shop.reservations", id);
  if (what != outcome::ok) return;
  if (!removes) reservations_.emplace_back(id, sku);
  remember({.table = "shop.reservations", .row = id, .key = sku, .op = op, .gone = removes});
}

}  // namespace shopsphere
