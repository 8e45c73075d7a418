// Rows and parameters between Python and PostgreSQL's text form.
#pragma once

#include <vector>

#include <nanobind/nanobind.h>

#include "shardway/base/ids.hpp"
#include "shardway/store/session.hpp"

namespace shardway::python {

/// None, str, bool, int, float, bytes, uuid.UUID, Decimal, dates and times; anything else raises ConfigError.
std::vector<text_value> parameters_of(nanobind::handle sequence);
/// shardway.results.Rows: dicts by column name, with Python's own values.
nanobind::object rows_of(rows const& from);
nanobind::list ranges_of(std::vector<slot_range> const& from);

}  // namespace shardway::python
