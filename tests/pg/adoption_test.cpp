// examples/adopt_a_service: runs the original service on one PostgreSQL, and the service with its few changed
// lines from observing to sharded. Both must behave the same, and the README must show the actual difference.
#include <cstdio>
#include <sstream>

#include "examples/adopt_a_service/service.hpp"
#include "migration_fixture.hpp"
#include "shardway/client/pqxx_transaction.hpp"

namespace shardway_test {
namespace {

std::string content_of(std::string const& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> lines_of(std::string const& text) {
  std::vector<std::string> lines;
  std::istringstream all(text);
  for (std::string line; std::getline(all, line);) lines.push_back(line);
  return lines;
}

std::string output_of(std::string const& command) {
  std::unique_ptr<FILE, int (*)(FILE*)> const pipe{popen(command.c_str(), "r"), pclose};
  std::string out;
  char piece[4096];
  while (auto const size = fread(piece, 1, sizeof piece, pipe.get())) out.append(piece, size);
  return out;
}

// Without the two lines that name the files and the ones that number the lines.
std::vector<std::string> changed_lines(std::vector<std::string> const& diff) {
  std::vector<std::string> changed;
  for (auto const& line : diff)
    if ((line.starts_with('+') || line.starts_with('-')) && !line.starts_with("+++") &&
        !line.starts_with("---"))
      changed.push_back(line);
  return changed;
}

std::vector<std::string> real_change() {
  return changed_lines(lines_of(
      output_of("cd '" ADOPT_FOLDER "' && diff -U0 before/order_service.cpp after/order_service.cpp")));
}

TEST(adopting_a_service, changes_fewer_than_20_lines) {
  auto const changed = real_change();
  auto const added =
      std::count_if(changed.begin(), changed.end(), [](auto const& line) { return line.starts_with('+'); });
  EXPECT_GT(added, 0);
  EXPECT_LT(added, 20);
  EXPECT_LT(static_cast<std::ptrdiff_t>(changed.size()) - added, 20);
}

TEST(adopting_a_service, the_readme_shows_the_change_as_it_is) {
  auto const readme = content_of(ADOPT_FOLDER "/README.md");
  auto const begin = readme.find("```diff\n"), end = readme.find("```", begin + 8);
  ASSERT_NE(begin, std::string::npos);
  EXPECT_EQ(changed_lines(lines_of(readme.substr(begin, end - begin))), real_change());
}

class adoption : public migration_fixture {
 protected:
  void start_store() {
    start();
    auto const schema = content_of(ADOPT_FOLDER "/schema.sql");
    run_on(fleet_->source(), "CREATE DATABASE plain");
    auto plain = value_of(connect({.node = "plain", .conninfo = plain_address()}));
    require(plain->simple(schema));
    run_on(fleet_->source(), "GRANT CREATE ON DATABASE postgres TO shop_owner; SET ROLE shop_owner;" +
                                 schema +
                                 "GRANT USAGE ON SCHEMA store TO app; GRANT SELECT, INSERT, UPDATE, DELETE "
                                 "ON ALL TABLES IN SCHEMA store TO app; RESET ROLE");
    require(apply_manifests(options_, manifests()));
  }
  static std::vector<table_manifest> manifests() {
    std::vector<table_manifest> tables;
    for (auto const* name : {"customers", "orders", "lines", "coupons"}) {
      auto file =
          parse_table_manifest(content_of(std::string(ADOPT_FOLDER "/manifests/") + name + ".txtpb"), name);
      EXPECT_TRUE(file.findings.empty()) << name;
      tables.push_back(std::move(file.manifest));
    }
    return tables;
  }
  /// The manifests with another capture, as members of a JSON array.
  std::string documents(capture_kind kind) {
    std::string all;
    for (auto table : manifests()) {
      table.capture = kind;
      all += (all.empty() ? "" : ", ") + on_source("SELECT to_json($doc$" + print(table) + "$doc$::text)");
    }
    return all;
  }
  static constexpr char by_statement[] = "shardway_capture";
  static constexpr char by_trigger[] =
      "shardway_capture_delete,shardway_capture_insert,shardway_capture_truncate,shardway_capture_update";
  std::string capture_triggers() {
    return on_source(
        "SELECT string_agg(DISTINCT tgname::text, ',' ORDER BY tgname::text) FROM pg_trigger WHERE tgname "
        "LIKE 'shardway\\_capture%'");
  }
  std::string plain_address() const {
    return "host=" + fleet_->source().folder().string() + " port=" + std::to_string(fleet_->source().port()) +
           " dbname=plain user=postgres";
  }
  std::string application_address() const { return address(fleet_->source()) + " user=app"; }

  /// Everything the service does for one customer, and what it answered.
  static std::string play(store::order_service& service, std::int64_t customer) {
    std::string log;
    auto const told = [&](std::string const& what, auto&& call) {
      try {
        call();
        log += what + " done; ";
      } catch (store::over_limit const&) {
        log += what + " over the limit; ";
      } catch (std::exception const&) {
        log += what + " refused; ";
      }
    };
    auto const list = [&] {
      for (auto const& line : service.list(customer)) log += "[" + line + "] ";
    };
    told("place 1", [&] { service.place(customer, 1, {{"pen", 100}, {"ink", 50}}, "SPRING"); });
    told("place 2", [&] { service.place(customer, 2, {{"desk", 200}}, "SPRING"); });
    list();
    log += service.pay(customer, 1) ? "paid " : "not paid ";
    log += service.pay(customer, 1) ? "paid " : "not paid ";
    told("place 3", [&] { service.place(customer, 3, {{"boat", 900}}, ""); });
    told("place 1 again", [&] { service.place(customer, 1, {{"pen", 1}}, ""); });
    told("cancel 2", [&] { service.cancel(customer, 2); });
    told("place 4", [&] { service.place(customer, 4, {{"lamp", 70}}, "SUMMER"); });
    list();
    return log;
  }

  /// The newest totals of the shards' appliers.
  std::int64_t totals(std::string const& column) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < fleet_->shard_count(); ++i)
      sum += std::stoll(on_shard(
          i, "SELECT coalesce((SELECT " + column +
                 " FROM shardway.stream_progress WHERE stream = 'source' ORDER BY id DESC LIMIT 1), 0)"));
    return sum;
  }
  /// Waits until the stream has seen this many outbox rows.
  void wait_for_outbox() {
    auto const wanted = std::stoll(on_source("SELECT count(*) FROM shardway.outbox"));
    auto const until = std::chrono::steady_clock::now() + 20s;
    while (totals("outbox") < wanted && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(20ms);
    EXPECT_EQ(totals("outbox"), wanted);
  }
};

TEST_F(adoption, the_service_answers_as_before_from_observing_to_sharded) {
  start_store();
  auto const before = store::connect_before(plain_address());
  auto const after = store::connect_after(application_address());
  controller_process controller(file_);
  auto const expect_same = [&](std::int64_t first, std::int64_t last) {
    for (auto customer = first; customer <= last; ++customer)
      EXPECT_EQ(play(*after, customer), play(*before, customer)) << customer;
  };
  expect_same(1, 6);
  done(ask("advance", R"({"group": "store", "to": "replicating"})"));
  // Until dual writing the manifest may change the capture, and the triggers follow.
  EXPECT_EQ(capture_triggers(), by_trigger);
  for (auto const& [kind, wanted] :
       {std::pair{capture_kind::statement, by_statement}, std::pair{capture_kind::trigger, by_trigger}}) {
    done(ask("apply", "{\"documents\": [" + documents(kind) + "]}"));
    EXPECT_EQ(capture_triggers(), wanted);
  }
  done(ask("advance", R"({"group": "store", "to": "dual_writing"})"));
  expect_same(7, 12);

  // The stream finds every row that a shard took from a dual write again, as a duplicate: nothing bypassed
  // the capture.
  auto app = value_of(client::open({.source = {.node = "source", .conninfo = application_address()}}));
  auto session = app.session();
  wait_for_outbox();
  auto const duplicates = totals("duplicates");
  std::int64_t applied = 0;
  for (std::int64_t customer = 30; customer < 40; ++customer) {
    auto const wrote = value_of(in_pqxx_transaction(
        session, "store.customers", customer,
        [&](pqxx::dbtransaction& tx) {
          tx.exec("INSERT INTO orders (customer_id, order_id) VALUES (" + std::to_string(customer) +
                  ", 1), (" + std::to_string(customer) + ", 2)");
          tx.exec("SELECT charge(" + std::to_string(customer) + ", 1, 0) FROM orders WHERE false");
          tx.exec("UPDATE customers SET name = 'changed' WHERE customer_id = " + std::to_string(customer));
        },
        {.search_path = {"store"}}));
    applied += wrote.dual_write_rows;
    EXPECT_EQ(wrote.versions.size(), 3u);
  }
  EXPECT_GT(applied, 0);
  wait_for_outbox();
  EXPECT_EQ(totals("duplicates") - duplicates, applied);
  EXPECT_EQ(totals("foreign_writes"), 0);
  EXPECT_EQ(totals("side_effects"), 0) << "what functions and cascades change is captured too";

  done(ask("guard", R"({"group": "store", "mode": "refusing"})"));
  done(ask("verify", R"({"group": "store"})"));
  EXPECT_EQ(on_source("SELECT string_agg(DISTINCT c.result, ',') FROM shardway.certificate c WHERE NOT "
                      "EXISTS (SELECT 1 FROM "
                      "shardway.certificate n WHERE n.relation = c.relation AND n.id > c.id)"),
            "equal");
  done(ask_until_done("wave", R"({"group": "store", "percent": 100, "approved_by": "test"})"));
  expect_same(13, 24);
  std::int64_t placed = 0;
  for (std::size_t i = 0; i < fleet_->shard_count(); ++i)
    placed +=
        std::stoll(on_shard(i, "SELECT count(*) FROM store.orders WHERE customer_id BETWEEN 13 AND 24"));
  EXPECT_EQ(placed, 24);

  done(ask("finalize", R"({"group": "store", "approved_by": "test"})"));
  EXPECT_NE(on_shard(0, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'shardway\\_capture%'"), "0")
      << "they go on comparing shard keys";
  EXPECT_EQ(on_source("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'shardway\\_capture%'"), "0");
}

}  // namespace
}  // namespace shardway_test
