#include "errors.hpp"

#include <vector>

#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "bindings.hpp"

namespace nb = nanobind;

namespace shardway::python {
namespace {

using answers = std::tuple<std::string_view, bool, bool, bool>;

std::vector<answers> error_codes() {
  std::vector<answers> all;
  for (auto number = 1; number <= static_cast<int>(error_code::internal); ++number) {
    auto const code = static_cast<error_code>(number);
    all.emplace_back(name(code), is_retryable(code), needs_reconnect(code), needs_operator(code));
  }
  return all;
}

}  // namespace

void raise(error const& why) {
  auto const make = nb::module_::import_("shardway.errors").attr("from_code");
  auto const made =
      make(name(why.code()), why.message(), why.hint(), why.node(), why.sqlstate(), why.server_detail());
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(made.ptr())), made.ptr());
  throw nb::python_error();
}

void bind_errors(nb::module_& module) {
  module.def(
      "error_codes", &error_codes,
      "Every error code: (name, retryable, needs_reconnect, needs_operator). docs/ERRORS.md explains each.");
}

}  // namespace shardway::python
