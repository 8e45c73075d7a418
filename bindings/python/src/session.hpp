// What a Python session holds, and options and documents of its calls.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <nanobind/nanobind.h>

#include "errors.hpp"
#include "shardway/client/client.hpp"

namespace shardway::python {

/// Calls release the interpreter lock, so that a second thread could come into the same session: it is
/// refused.
class guarded_session {
 public:
  explicit guarded_session(client_session from) : session_(std::move(from)) {}

  template <class Call>
  auto alone(Call&& call) {
    // Not a mutex: the function given to `write` may come back in the same thread.
    if (busy_->test_and_set())
      raise({error_code::invalid_argument, "this session is in use, perhaps by another thread",
             "take a session for each thread"});
    struct release {
      std::atomic_flag& busy;
      ~release() { busy.clear(); }
    } const released{*busy_};
    return std::forward<Call>(call)(session_);
  }

 private:
  client_session session_;
  std::unique_ptr<std::atomic_flag> busy_{std::make_unique<std::atomic_flag>()};
};

inline std::chrono::milliseconds ms(double seconds) {
  return std::chrono::milliseconds{static_cast<std::int64_t>(seconds * 1000)};
}
/// The label, or where Python code calls: file, line and function of the frame that this call comes from.
std::string site_of(nanobind::handle label);
/// A reference table has no shard key: None.
shard_key key_or_none(nanobind::handle value);
consistency consistency_of(std::string_view word);
isolation_level isolation_of(std::string_view word);
nanobind::dict receipt_document(write_receipt const& from);
nanobind::dict answer_document(read_answer const& from);

/// Adds calls of many rows or keys, and `write`, to the class.
void bind_transactions(nanobind::module_& module, nanobind::class_<guarded_session>& session);
void bind_many(nanobind::class_<guarded_session>& session);

}  // namespace shardway::python
