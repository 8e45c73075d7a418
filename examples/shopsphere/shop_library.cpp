// The shop's data layer on shardway: the same in every stage of the migration.
#include <cstdio>

#include "shardway/shardway.hpp"
#include "shop.hpp"

namespace shopsphere {
namespace {

shardway::shard_key key_of(shop_key const& key) {
  if (auto const* id = std::get_if<std::int64_t>(&key)) return shardway::shard_key(*id);
  return shardway::shard_key(std::get<std::string>(key));
}

table_rows copy_of(shardway::rows const& from) {
  table_rows to;
  to.affected = from.affected();
  for (std::size_t row = 0; row < from.size(); ++row) {
    auto& values = to.rows.emplace_back();
    for (std::size_t column = 0; column < from.columns().size(); ++column) {
      auto const found = from.at(row, column);
      values.push_back(found ? value(std::string(*found)) : value());
    }
  }
  return to;
}

outcome outcome_of(shardway::error const& why) {
  return why.code() == shardway::error_code::in_doubt ? outcome::in_doubt : outcome::fail;
}

write_result report(shardway::result<shardway::write_receipt> const& done) {
  write_result out;
  if (!done) {
    out.what = outcome_of(done.error());
    out.error = std::string(shardway::name(done.error().code())) + " " + done.error().message();
    return out;
  }
  auto const& receipt = done.value();
  out.node = receipt.node;
  out.write_id = receipt.id.to_string();
  out.dual_write = shardway::name(receipt.dual_write);
  out.slot = receipt.slot.value();
  out.epoch = receipt.epoch.value();
  out.retries = receipt.retries;
  out.stall_us = receipt.stalled.count();
  out.captured = static_cast<std::int64_t>(receipt.versions.size());
  out.affected = receipt.affected;
  out.answer_lost = receipt.answer_lost;
  return out;
}

class library_transaction final : public shop_transaction {
 public:
  explicit library_transaction(shardway::write_transaction& inner) : inner_(inner) {}
  bool execute(std::string_view table, std::string_view sql, std::vector<value> parameters,
               table_rows* out) override {
    auto done = inner_.execute(table, sql, std::move(parameters));
    if (!done) {
      last = done.error();
      return false;
    }
    if (out) *out = copy_of(done.value());
    return true;
  }
  shardway::result<> last = shardway::success();

 private:
  shardway::write_transaction& inner_;
};

class library_session final : public shop_session {
 public:
  explicit library_session(shardway::client_session inner) : inner_(std::move(inner)) {}

  write_result write(std::string_view table, shop_key const& key,
                     std::function<bool(shop_transaction&)> const& body) override {
    return report(
        inner_.write(table, key_of(key), [&](shardway::write_transaction& transaction) -> shardway::result<> {
          library_transaction ours(transaction);
          if (body(ours)) return shardway::success();
          return ours.last;
        }));
  }

  write_result execute(std::string_view table, shop_key const& key, std::string_view sql,
                       std::vector<value> parameters, table_rows* out) override {
    auto const done = inner_.execute(table, key_of(key), sql, std::move(parameters));
    if (done && out) *out = copy_of(done.value().returned);
    return report(done);
  }

  read_result read(std::string_view table, shop_key const& key, std::string_view sql,
                   std::vector<value> parameters, freshness fresh) override {
    shardway::read_options options;
    if (fresh == freshness::any_replica) options.fresh = shardway::consistency::any_replica;
    if (fresh == freshness::bounded) options.fresh = shardway::consistency::bounded_staleness;
    auto const done = inner_.read(table, key_of(key), sql, std::move(parameters), options);
    read_result out;
    if (done) {
      out.node = done.value().node;
      out.from_replica = done.value().from_replica;
      out.found = copy_of(done.value().returned);
    } else {
      out.what = outcome_of(done.error());
      out.error = std::string(shardway::name(done.error().code())) + " " + done.error().message();
    }
    return out;
  }

  std::string token() const override { return inner_.token(); }
  void adopt(std::string_view token) override { inner_.adopt(token); }

 private:
  shardway::client_session inner_;
};

class library_shop final : public shop {
 public:
  explicit library_shop(shardway::client inner) : inner_(std::move(inner)) {}
  ~library_shop() override { inner_.close(); }
  std::unique_ptr<shop_session> session() override {
    return std::make_unique<library_session>(inner_.session());
  }

 private:
  shardway::client inner_;
};

}  // namespace

std::unique_ptr<shop> open_with_library(std::string const& conninfo, std::size_t connections) {
  shardway::client_options options;
  options.source = {.node = "source", .conninfo = conninfo, .application_name = "shopsphere"};
  options.application = "shopsphere";
  options.connections_max = connections;
  auto opened = shardway::client::open(std::move(options));
  if (opened) return std::make_unique<library_shop>(std::move(opened).value());
  std::fprintf(stderr, "load: %s\n", opened.error().to_string().c_str());
  return nullptr;
}

}  // namespace shopsphere
