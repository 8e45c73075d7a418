#include "worker.hpp"

#include <thread>

namespace shopsphere {
namespace {

constexpr std::size_t recent_max = 400;
constexpr std::int64_t later_us = 400'000;  // past the replica's replay delay

std::string key_json(shop_key const& key) {
  if (auto const* id = std::get_if<std::int64_t>(&key)) return std::to_string(*id);
  return quoted(std::get<std::string>(key));
}

char const* group_of(std::string_view table) {
  if (table == "shop.customers" || table == "shop.customer_addresses") return "crm";
  return table == "shop.inventory" || table == "shop.stock_movements" || table == "shop.reservations"
             ? "stock"
             : "sales";
}

char const* name_of(outcome what) {
  return what == outcome::ok ? "ok" : what == outcome::fail ? "fail" : "in_doubt";
}
char const* name_of(freshness fresh) {
  return fresh == freshness::own_writes ? "read_your_writes"
         : fresh == freshness::bounded  ? "bounded_staleness"
                                        : "any_replica";
}

// The list column of a table whose rows keep one.
std::string read_sql(std::string_view table) {
  if (table == "shop.customer_addresses" || table == "shop.reservations" || table == "shop.outbox_events")
    return "SELECT ARRAY[operation]::text FROM " + std::string(table) + " WHERE id = $1";
  return "SELECT operations::text FROM " + std::string(table) +
         (table == "shop.inventory" ? " WHERE sku = $1" : " WHERE id = $1");
}

std::vector<std::int64_t> numbers_of(std::string const& array) {
  std::vector<std::int64_t> out;
  for (std::size_t at = 1; at + 1 < array.size();) {
    out.push_back(std::atoll(array.c_str() + at));
    auto const comma = array.find(',', at);
    if (comma == std::string::npos) break;
    at = comma + 1;
  }
  return out;
}

}  // namespace

worker::worker(worker_options options, stage_of_play shared, history& log)
    : options_(options),
      shared_(shared),
      log_(log),
      session_(shared.database.session()),
      random_(options.seed * 1000 + options.thread) {}

void worker::run() {
  auto const interval = static_cast<std::int64_t>(1e6 / options_.rate);
  auto next = now_us() + interval * options_.thread / options_.threads;
  while (!shared_.stop) {
    auto const wait = next - now_us();
    if (wait > 0)
      std::this_thread::sleep_for(std::chrono::microseconds(std::min<std::int64_t>(wait, 50'000)));
    if (next > now_us()) continue;
    raise(shared_.counts.behind_us_max, now_us() - next);
    due_us_ = next;
    one_operation();
    next += interval;
  }
}

void worker::one_operation() {
  auto const dice = pick(100);
  if (dice < 14)
    place_order();
  else if (dice < 24)
    pay();
  else if (dice < 41)
    move_stock();
  else if (dice < 53)
    earn_points();
  else if (dice < 58)
    change_document();
  else if (dice < 63)
    change_address();
  else if (dice < 66)
    reserve();
  else if (dice < 69)
    delete_order();
  else if (dice < 80)
    read_back();
  else if (dice < 90)
    read_later();
  else
    read_anywhere(dice < 96 ? freshness::any_replica : freshness::bounded);
}

std::string worker::any_sku() {
  auto const number = chance(25) ? 1 + pick(16) : 1 + pick(options_.skus);
  auto const digits = std::to_string(number);
  return "SKU-" + std::string(7 - digits.size(), '0') + digits;
}

outcome worker::record_write(call const& made, write_result const& done, std::int64_t invoked) {
  auto const ended = now_us();
  auto const due = due_us_;
  due_us_ = ended;  // what follows in the same operation is due now
  json_object line;
  line.number("op", made.op)
      .number("thread", options_.thread)
      .text("phase", shared_.phase.get())
      .text("kind", made.kind);
  line.text("table", made.table)
      .text("group", group_of(made.table))
      .raw("key", key_json(made.key))
      .number("slot", done.slot);
  line.number("due", due)
      .number("invoke", invoked)
      .number("end", ended)
      .text("outcome", name_of(done.what))
      .number("attempt", made.attempt);
  line.number("latency_us", ended - due)
      .number("stall_us", done.stall_us)
      .text("dual_write", done.dual_write)
      .text("node", done.node);
  line.number("epoch", done.epoch)
      .text("write_id", done.write_id)
      .number("captured", done.captured)
      .number("affected", done.affected);
  line.number("retries", done.retries)
      .flag("answer_lost", done.answer_lost)
      .raw("effects", "[" + made.effects + "]");
  if (done.what != outcome::ok) line.text("error", done.error);
  log_.write(line.finish());
  auto& counts = shared_.counts;
  (done.what == outcome::ok     ? counts.writes_ok
   : done.what == outcome::fail ? counts.writes_failed
                                : counts.in_doubt)++;
  counts.latency_us_sum += ended - due;
  counts.applied += done.dual_write == "applied";
  counts.pending += done.dual_write == "pending";
  counts.refused += done.dual_write == "refused";
  counts.stalled += done.stall_us > 0;
  raise(counts.stall_us_max, done.stall_us);
  return done.what;
}

void worker::remember(written item) {
  item.token = session_->token();
  item.at_us = now_us();
  recent_.push_back(std::move(item));
  if (recent_.size() > recent_max) recent_.pop_front();
}

// True: what was found shows what must be there.
bool worker::is_seen(table_rows const& found, written const& item, json_object& line) const {
  if (found.rows.empty() || !found.rows.front().front()) {
    line.number("saw_length", 0).flag("saw_row", false);
    return item.gone || item.op == 0;
  }
  auto const list = numbers_of(*found.rows.front().front());
  line.number("saw_length", static_cast<std::int64_t>(list.size()))
      .number("saw_last", list.empty() ? 0 : list.back())
      .flag("saw_row", true);
  if (item.gone) return false;
  for (auto const op : list)
    if (op == item.op) return true;
  return item.op == 0;
}

void worker::judge_read(char const* kind, written const& item, freshness fresh, shop_session& session) {
  auto const invoked = now_us();
  bool const lagged = shared_.replica_lags;
  auto const done = session.read(item.table, item.key, read_sql(item.table), {item.row}, fresh);
  auto const ended = now_us();
  json_object line;
  line.number("op", 0)
      .number("thread", options_.thread)
      .text("phase", shared_.phase.get())
      .text("kind", kind)
      .text("table", item.table);
  line.text("group", group_of(item.table))
      .raw("key", key_json(item.key))
      .text("row", item.row)
      .text("consistency", name_of(fresh));
  line.number("due", due_us_)
      .number("invoke", invoked)
      .number("end", ended)
      .number("latency_us", ended - due_us_);
  line.text("outcome", name_of(done.what))
      .text("node", done.node)
      .flag("from_replica", done.from_replica)
      .flag("replica_lags", lagged);
  line.number("must_see", item.op).flag("must_be_gone", item.gone);
  bool violated = false;
  if (done.what == outcome::ok)
    violated = !is_seen(done.found, item, line);
  else
    line.text("error", done.error);
  line.flag("violation", violated);
  log_.write(line.finish());
  shared_.counts.reads++;
  shared_.counts.replica_reads += done.from_replica;
  shared_.counts.lagging_reads += done.from_replica && lagged;
  shared_.counts.violations += violated;
}

void worker::read_back() {
  if (recent_.empty()) return move_stock();
  auto const newest = std::min<std::int64_t>(12, static_cast<std::int64_t>(recent_.size()));
  judge_read("read_back", recent_[recent_.size() - 1 - static_cast<std::size_t>(pick(newest))],
             freshness::own_writes, *session_);
}

// Another service reads on the user's behalf, a moment later: a session of its own that was given the token.
void worker::read_later() {
  std::size_t old = 0;
  while (old < recent_.size() && recent_[old].at_us < now_us() - later_us) ++old;
  if (old == 0) return read_back();
  auto const item =
      recent_[old - 1 -
              static_cast<std::size_t>(pick(std::min<std::int64_t>(20, static_cast<std::int64_t>(old))))];
  auto const other = shared_.database.session();
  other->adopt(item.token);
  judge_read("read_later", item, freshness::own_writes, *other);
}

void worker::read_anywhere(freshness fresh) {
  auto const sku = any_sku();
  judge_read("read_any", {.table = "shop.inventory", .row = sku, .key = sku}, fresh, *session_);
}

}  // namespace shopsphere
