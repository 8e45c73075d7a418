#include "values.hpp"

#include <array>
#include <string>
#include <string_view>

#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include "errors.hpp"

namespace nb = nanobind;

namespace shardway::python {
namespace {

constexpr std::array<std::string_view, 8> texts_by_str{"int",  "float", "UUID",     "Decimal",
                                                       "date", "time",  "datetime", "timedelta"};

std::string hex_of(nb::bytes const& value) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text{"\\x"};
  auto const* bytes = static_cast<unsigned char const*>(value.data());
  for (std::size_t i = 0; i < value.size(); ++i) text.append({digits[bytes[i] >> 4], digits[bytes[i] & 15]});
  return text;
}

text_value parameter_of(nb::handle value) {
  if (value.is_none()) return std::nullopt;
  if (PyUnicode_Check(value.ptr())) return nb::cast<std::string>(value);
  if (PyBool_Check(value.ptr())) return std::string{value.is(Py_True) ? "t" : "f"};
  if (PyBytes_Check(value.ptr())) return hex_of(nb::borrow<nb::bytes>(value));
  auto const type = nb::cast<std::string>(nb::handle(Py_TYPE(value.ptr())).attr("__name__"));
  for (auto const known : texts_by_str)
    if (type == known) return nb::cast<std::string>(nb::str(value));
  raise({error_code::invalid_argument, "a parameter of type " + type + " has no text form here",
         "give PostgreSQL's text form as str"});
}

}  // namespace

std::vector<text_value> parameters_of(nb::handle sequence) {
  std::vector<text_value> parameters;
  if (!sequence.is_none())
    for (auto const value : sequence) parameters.push_back(parameter_of(value));
  return parameters;
}

nb::object rows_of(rows const& from) {
  auto const results = nb::module_::import_("shardway.results");
  nb::list all, description;
  std::vector<std::pair<nb::object, nb::object>> columns;  // name, converter or None
  for (auto const& [name, type_oid] : from.columns()) {
    columns.emplace_back(nb::cast(name), results.attr("converter_of")(type_oid));
    description.append(nb::make_tuple(columns.back().first, type_oid));
  }
  for (std::size_t row = 0; row < from.size(); ++row) {
    nb::dict one;
    for (std::size_t column = 0; column < columns.size(); ++column) {
      auto const& [name, convert] = columns[column];
      auto const text = from.at(row, column);
      if (!text)
        one[name] = nb::none();
      else
        one[name] = convert.is_none() ? nb::cast(*text) : convert(*text);
    }
    all.append(one);
  }
  return results.attr("Rows")(all, description);
}

nb::list ranges_of(std::vector<slot_range> const& from) {
  nb::list all;
  for (auto const& range : from) all.append(nb::make_tuple(range.first.value(), range.last.value()));
  return all;
}

}  // namespace shardway::python
