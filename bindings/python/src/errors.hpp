// From result<T> to Python: a value, or the exception class that shardway/errors.py has for the code.
#pragma once

#include <utility>

#include <nanobind/nanobind.h>

#include "shardway/base/result.hpp"

namespace shardway::python {

/// Raises the exception of the error's code. Preconditions: the interpreter lock is held.
[[noreturn]] void raise(error const& why);

template <class T>
T unwrap(result<T>&& from) {
  if (!from) raise(from.error());
  if constexpr (!std::is_void_v<T>) return std::move(from).value();
}

}  // namespace shardway::python
