// One client of the shop: a thread that places orders, pays, moves stock, reads back what it wrote, changes
// documents and deletes.
#pragma once

#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "history.hpp"
#include "shop.hpp"

namespace shopsphere {

struct worker_options {
  unsigned thread = 0, threads = 8;
  std::uint64_t seed = 1;
  std::int64_t first_op = 1;
  double rate = 25;  ///< operations a second of this thread
  std::int64_t customers = 0, skus = 0, documents = 0;
};

/// What all threads share.
struct stage_of_play {
  shop& database;
  phase_label& phase;
  tally& counts;
  std::atomic<bool>& stop;
  std::atomic<bool> const& replica_lags;
};

class worker {
 public:
  worker(worker_options options, stage_of_play shared, history& log);
  /// Works on a fixed schedule until told to stop; what is late counts from when it was due.
  void run();

 private:
  using op_number = std::int64_t;
  struct written {  ///< a write that was acknowledged, to be read back
    std::string table{}, row{};
    shop_key key{};
    op_number op = 0;
    bool gone = false;
    std::string token{};
    std::int64_t at_us = 0;
  };
  enum class address_state { there, gone, unknown };
  struct placed_order {
    std::int64_t id = 0, customer = 0;
  };
  struct call {  ///< one write as it is recorded
    op_number op;
    char const* kind;
    char const* table;
    shop_key key;
    std::string effects{};
    int attempt = 0;
  };

  op_number next_op() { return options_.first_op + sequence_++ * options_.threads + options_.thread; }
  std::int64_t pick(std::int64_t below) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(below));
  }
  bool chance(int percent) { return pick(100) < percent; }
  std::string any_sku();
  std::int64_t any_customer() { return chance(25) ? 1 + pick(16) : 1 + pick(options_.customers); }

  void one_operation();
  void place_order();
  void sell(op_number op, std::string const& sku, std::int64_t quantity);
  void finish_event(std::int64_t event, std::int64_t customer);
  void pay();
  void delete_order();
  void move_stock();
  void earn_points();
  void change_document();
  void change_address();
  void reserve();
  void read_back();
  void read_later();
  void read_anywhere(freshness);

  outcome record_write(call const&, write_result const&, std::int64_t invoked);
  void remember(written item);
  void judge_read(char const* kind, written const& item, freshness, shop_session&);
  bool is_seen(table_rows const& found, written const& item, json_object& line) const;

  worker_options options_;
  stage_of_play shared_;
  history& log_;
  std::unique_ptr<shop_session> session_;
  std::mt19937_64 random_;
  std::int64_t sequence_ = 0, due_us_ = 0;
  std::vector<placed_order> orders_;
  std::map<std::int64_t, address_state> addresses_;  ///< of this thread's addresses, those it has touched
  std::vector<std::pair<std::string, std::string>> reservations_;  ///< id, SKU
  std::deque<written> recent_;                                     ///< newest last
};

}  // namespace shopsphere
