// What each client saw, written down as it happened: one JSON line an operation, one file a thread. The
// checker reads nothing else of us.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace shopsphere {

inline std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// One JSON object, member by member.
class json_object {
 public:
  json_object& text(std::string_view name, std::string_view content);
  json_object& number(std::string_view name, std::int64_t content);
  json_object& flag(std::string_view name, bool content);
  json_object& raw(std::string_view name, std::string_view json);
  std::string finish() { return body_ + "}"; }

 private:
  void name_of(std::string_view name);
  std::string body_ = "{";
};

/// "..." with JSON's escapes.
std::string quoted(std::string_view text);

/// The label that operations are recorded under; changed by whoever drives the demo.
class phase_label {
 public:
  void set(std::string name) {
    std::scoped_lock const lock(guard_);
    name_ = std::move(name);
  }
  std::string get() const {
    std::scoped_lock const lock(guard_);
    return name_;
  }

 private:
  mutable std::mutex guard_;
  std::string name_ = "start";
};

/// One thread's file. Each line is on its way to the kernel when `write` returns.
class history {
 public:
  static std::unique_ptr<history> open(std::string const& folder, unsigned thread);
  ~history() { std::fclose(file_); }
  history(history const&) = delete;
  history& operator=(history const&) = delete;
  void write(std::string line);

 private:
  explicit history(std::FILE* file) : file_(file) {}
  std::FILE* file_;
};

/// Counts for the live display and the summary.
struct tally {
  std::atomic<std::int64_t> writes_ok{}, writes_failed{}, in_doubt{}, reads{}, replica_reads{},
      lagging_reads{}, violations{};
  std::atomic<std::int64_t> applied{}, pending{}, refused{}, stalled{}, stall_us_max{}, latency_us_sum{},
      behind_us_max{};
};

inline void raise(std::atomic<std::int64_t>& most, std::int64_t seen) {
  auto held = most.load(std::memory_order_relaxed);
  while (held < seen && !most.compare_exchange_weak(held, seen, std::memory_order_relaxed)) {
  }
}

}  // namespace shopsphere
