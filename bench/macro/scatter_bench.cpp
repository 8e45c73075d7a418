// One read of 16 shards at once, against the slowest of 16 that libpq asks at once.
#include "macro/fleet.hpp"

namespace shardway_bench {
namespace {

constexpr char all_sql[] = "SELECT id, balance FROM shop.accounts WHERE id <= 1600";
constexpr char scattered_sql[] =
    "SELECT id, balance FROM shop.accounts WHERE {slots:customer_id} AND id <= 1600";
constexpr int rows_expected = 1600;

// Sent to all before the first answer is waited for: how long the last one takes.
class all_at_once {
 public:
  explicit all_at_once(fleet& on) {
    for (std::size_t i = 0; i < on.shard_count(); ++i) {
      links_.emplace_back(PQconnectdb(on.shard_conninfo(i).c_str()), &PQfinish);
      std::unique_ptr<PGresult, void (*)(PGresult*)> const made{
          PQprepare(links_.back().get(), "bare", all_sql, 0, nullptr), &PQclear};
      if (PQresultStatus(made.get()) != PGRES_COMMAND_OK) give_up(PQerrorMessage(links_.back().get()));
    }
  }
  void ask() {
    for (auto const& link : links_)
      if (PQsendQueryPrepared(link.get(), "bare", 0, nullptr, nullptr, nullptr, 0) == 0)
        give_up(PQerrorMessage(link.get()));
    int rows = 0;
    for (auto const& link : links_)
      while (auto* const got = PQgetResult(link.get())) {
        rows += PQntuples(got);
        PQclear(got);
      }
    if (rows != rows_expected) give_up("the shards gave other rows than expected");
  }

 private:
  std::vector<std::unique_ptr<PGconn, void (*)(PGconn*)>> links_;
};

void scatter(benchmark::State& state) {
  fleet on{{.shards = 2}, 8};
  on.move_all();
  sessions ours{on, 1};
  all_at_once theirs{on};
  auto const calls = std::size_t{asked().smoke ? 20U : 100U};
  compare(
      state, "the slowest of 16 shards, asked at once by libpq",
      {{"a read of 16 shards: p50", &figures::p50, "us", ratio_at_most(1.3)},
       {"a read of 16 shards: p99", &figures::p99, "us"}},
      [&] {
        return load(1, calls, [&](std::size_t, std::size_t) {
          if (must(ours.all[0].read_all(table, scattered_sql)).returned.size() != rows_expected)
            give_up("a scatter read gave other rows");
        });
      },
      [&] { return load(1, calls, [&](std::size_t, std::size_t) { theirs.ask(); }); });
}

registered const all{[] { add_benchmark("scatter/16 shards", asked().pairs, scatter); }};

}  // namespace
}  // namespace shardway_bench
