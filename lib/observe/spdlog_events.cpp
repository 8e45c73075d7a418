#include "shardway/observe/spdlog_events.hpp"

#include <string>

#include <spdlog/spdlog.h>

namespace shardway {
inline namespace v0 {
namespace {

// spdlog reports its own failures to its error handler; whatever else is thrown may not leave an event.
template <class Line>
void quietly(Line const& line) noexcept {
  try {
    line();
  } catch (...) {
    return;
  }
}

class spdlog_listener final : public events {
 public:
  void on_write(write_event const& one) noexcept override {
    quietly([&] {
      auto const level = one.outcome == "in_doubt" ? spdlog::level::err : spdlog::level::debug;
      spdlog::log(level,
                  "write table={} node={} slot={} epoch={} outcome={} dual_write={} retries={} stalled_us={} "
                  "took_us={}",
                  one.table, one.node, one.slot.value(), one.epoch.value(), one.outcome, one.dual_write,
                  one.retries, one.stalled.count(), one.took.count());
    });
  }
  void on_refusal(refusal_event const& one) noexcept override {
    quietly([&] {
      spdlog::info("refused group={} node={} slot={} epoch={} code={}", one.group, one.node, one.slot.value(),
                   one.expected.value(), name(one.code));
    });
  }
  void on_generation(generation_event const& one) noexcept override {
    quietly([&] { spdlog::info("generation before={} after={} node={}", one.before, one.after, one.node); });
  }
  void on_generation_refused(refused_generation_event const& one) noexcept override {
    quietly([&] {
      spdlog::error("generation refused number={} in_use={} node={} error=\"{}\"", one.number, one.in_use,
                    one.node, one.why);
    });
  }
  void on_breaker(breaker_event const& one) noexcept override {
    quietly([&] { spdlog::warn("breaker shard={} open={}", one.shard, one.open); });
  }
  void on_shadow_read(shadow_event const& one) noexcept override {
    quietly([&] {
      auto const level = one.found == "different" ? spdlog::level::warn : spdlog::level::debug;
      spdlog::log(level, "shadow table={} found={} statement={:016x} slot={}", one.table, one.found,
                  one.fingerprint, one.slot.value());
    });
  }
  void on_trouble(std::string_view doing, error const& what) noexcept override {
    quietly([&] { spdlog::warn("trouble doing=\"{}\" error=\"{}\"", doing, what.to_string()); });
  }
};

}  // namespace

std::shared_ptr<events> spdlog_events() { return std::make_shared<spdlog_listener>(); }

}  // namespace v0
}  // namespace shardway
