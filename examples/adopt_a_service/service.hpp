// What the service offers: the same before and after.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace store {

struct order_line {
  std::string sku;
  int price{};
};

struct over_limit : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class order_service {
 public:
  virtual ~order_service() = default;
  /// Throws `over_limit`, and the order is not placed. A coupon that the customer has used before gives no
  /// discount.
  virtual void place(std::int64_t customer, std::int64_t order, std::vector<order_line> const& lines,
                     std::string const& coupon) = 0;
  /// False if there is no such order to pay.
  virtual bool pay(std::int64_t customer, std::int64_t order) = 0;
  virtual void cancel(std::int64_t customer, std::int64_t order) = 0;
  /// "number state total", in order of number.
  virtual std::vector<std::string> list(std::int64_t customer) = 0;
};

// Both folders define `connect_service`; one program may hold both, for CMake gives each a name of its own.
std::unique_ptr<order_service> connect_before(std::string const& conninfo);
std::unique_ptr<order_service> connect_after(std::string const& conninfo);

}  // namespace store
