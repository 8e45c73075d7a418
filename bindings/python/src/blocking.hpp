// Calls that wait: other Python threads go on meanwhile, and Ctrl-C is seen.
#pragma once

#include <chrono>
#include <future>
#include <stop_token>
#include <thread>
#include <utility>

#include <nanobind/nanobind.h>

#include "shardway/base/result.hpp"

namespace shardway::python {

/// Runs the call without the interpreter lock. For calls with a deadline of their own.
template <class Call>
auto without_lock(Call&& call) {
  nanobind::gil_scoped_release const released;
  return std::forward<Call>(call)();
}

/// Asks Python about signals; the pending exception, if there is one, is fetched by `throw python_error`.
inline bool is_interrupted() {
  nanobind::gil_scoped_acquire const held;
  return PyErr_CheckSignals() != 0;
}

/// Runs `call(std::stop_token)` on a thread of its own and looks for signals every 100 ms. When a handler
/// raised (Ctrl-C), the call is asked to stop, waited for, and the exception goes on. Preconditions: the
/// interpreter lock is held. `call` never touches Python.
template <class Call>
auto interruptible(Call call) {
  std::stop_source stop;
  std::packaged_task task([&call, token = stop.get_token()] { return call(token); });
  auto answer = task.get_future();
  bool interrupted = false;
  {
    nanobind::gil_scoped_release const released;
    std::jthread const worker(std::move(task));
    while (answer.wait_for(std::chrono::milliseconds{100}) != std::future_status::ready) {
      if (interrupted || !is_interrupted()) continue;
      interrupted = true;
      stop.request_stop();
    }
  }
  if (interrupted) throw nanobind::python_error();
  return answer.get();
}

}  // namespace shardway::python
