// Copy and stream together on real servers, under writes that don't stop.
#include "stream_fixture.hpp"

namespace shardway_test {
namespace {

constexpr char orders_ddl[] =
    "CREATE TABLE shop.orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, note text, total numeric(12,2) NOT NULL DEFAULT 0)";

std::vector<table_state> orders() {
  return {table_of("shop.orders", {"id"}, {"customer_id"},
                   {{"id", "bigint", false, true}, {"customer_id", "bigint", false, true}, {"note", "text", false, false}, {"total", "numeric(12,2)", false, true}})};
}

/// Inserts, updates, deletes, key changes and moves between customers, until it is destroyed.
class writer {
 public:
  writer(std::unique_ptr<session> node, int number) : node_(std::move(node)), number_(number), thread_([this] { run(); }) {}
  ~writer() { stop(); }
  void stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }
  int done() const { return done_; }

 private:
  void run() {
    std::int64_t next = 1'000'000 * (number_ + 1);
    for (unsigned i = 0; !stopping_; ++i) {
      auto const old = std::to_string(1 + (i * 7919u + static_cast<unsigned>(number_) * 31u) % 2000);
      auto const fresh = std::to_string(++next);
      std::string const sql[] = {
          "INSERT INTO shop.orders VALUES (" + fresh + ", " + old + ", 'new', 1)",
          "UPDATE shop.orders SET total = total + 1 WHERE id = " + old,
          "DELETE FROM shop.orders WHERE id = " + old,
          "BEGIN; UPDATE shop.orders SET note = note || 'x' WHERE id = " + old + "; INSERT INTO shop.orders VALUES (" + fresh + ", 5, 'two', 2) ON CONFLICT DO NOTHING; COMMIT",
          "INSERT INTO shop.orders VALUES (" + old + ", " + old + ", 'again', 3) ON CONFLICT (id) DO UPDATE SET total = -1",
          "UPDATE shop.orders SET id = " + fresh + " WHERE id = " + old,
      };
      auto const answer = node_->simple(sql[i % std::size(sql)]);
      if (answer) ++done_;
    }
  }
  std::unique_ptr<session> node_;
  int number_;
  std::atomic<bool> stopping_{};
  std::atomic<int> done_{};
  std::thread thread_;
};

class stream : public stream_fixture {};

TEST_F(stream, copy_under_writes_ends_equal) {
  install(orders_ddl, orders(), "INSERT INTO shop.orders SELECT n, n, 'note ' || n, n FROM generate_series(1, 2000) AS n");
  {
    writer first(open(fleet_->source()), 1), second(open(fleet_->source()), 2);
    start();
    copy();
    std::this_thread::sleep_for(500ms);
    first.stop();
    second.stop();
    EXPECT_GT(first.done() + second.done(), 100);
  }
  catch_up();
  EXPECT_EQ(digest_on_shards("shop.orders", "id, customer_id, note, total"), digest("shop.orders", "id, customer_id, note, total"));
  EXPECT_EQ(misplaced("shop.orders", "customer_id"), 0);
  auto const progress = engine_->copy_state("sales");
  EXPECT_GT(progress.tables.at(0).chunks, 3);
  EXPECT_EQ(progress.tables.at(0).chunks, progress.tables.at(0).chunks_closed);
  EXPECT_EQ(one(*source_, "SELECT count(*) FROM shardway.chunk WHERE state <> 'closed'"), "0");
}

}  // namespace
}  // namespace shardway_test
