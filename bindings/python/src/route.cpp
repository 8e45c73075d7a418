#include <algorithm>
#include <vector>

#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "bindings.hpp"
#include "errors.hpp"
#include "keys.hpp"
#include "shardway/route/slot.hpp"

namespace nb = nanobind;

namespace shardway::python {
namespace {

[[noreturn]] void refuse(nb::handle value) {
  auto const type = nb::cast<std::string>(nb::handle(Py_TYPE(value.ptr())).attr("__name__"));
  if (value.is_none())
    raise({error_code::shard_key_missing, "None is no shard key", "give the value of the shard key"});
  raise({error_code::invalid_argument, "a value of type " + type + " is no shard key",
         "use int, str, uuid.UUID, bytes, or a tuple of up to four of them"});
}

shard_key integer_key(nb::handle value) {
  int overflow = 0;
  auto const number = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
  if (overflow != 0)
    raise({error_code::invalid_argument, "the integer does not fit a bigint",
           "shard keys are at most 64 bits wide"});
  return shard_key{static_cast<std::int64_t>(number)};
}

std::span<std::byte const> bytes_of(nb::bytes const& value) {
  return {static_cast<std::byte const*>(value.data()), value.size()};
}

bool is_uuid(nb::handle value) {
  static auto* const type = nb::object(nb::module_::import_("uuid").attr("UUID")).release().ptr();
  return PyObject_IsInstance(value.ptr(), type) == 1;
}

shard_key uuid_key(nb::handle value) {
  auto const raw = nb::cast<nb::bytes>(value.attr("bytes"));
  uuid_bytes bytes{};
  std::copy_n(static_cast<std::uint8_t const*>(raw.data()), bytes.size(), bytes.begin());
  return shard_key{bytes};
}

shard_key composite_key(nb::handle value) {
  std::vector<shard_key> columns;
  for (auto const column : value) columns.push_back(key_of(column));
  return unwrap(shard_key::composite(columns));
}

shard_key checked(shard_key key) {
  unwrap(key.check());
  return key;
}

nb::bytes bytes_of_key(shard_key const& key) { return nb::bytes(key.bytes().data(), key.bytes().size()); }

std::vector<std::uint16_t> slots_of(std::vector<nb::object> const& keys) {
  std::vector<std::uint16_t> slots;
  slots.reserve(keys.size());
  for (auto const& key : keys) slots.push_back(slot_of(checked(key_of(key))).value());
  return slots;
}

}  // namespace

shard_key key_of(nb::handle value) {
  if (shard_key* made = nullptr; nb::try_cast(value, made) && made != nullptr) return *made;
  if (PyBool_Check(value.ptr())) refuse(value);
  if (PyLong_Check(value.ptr())) return integer_key(value);
  if (PyUnicode_Check(value.ptr())) return shard_key{nb::cast<std::string_view>(value)};
  if (PyBytes_Check(value.ptr())) return shard_key{bytes_of(nb::borrow<nb::bytes>(value))};
  if (PyTuple_Check(value.ptr()) || PyList_Check(value.ptr())) return composite_key(value);
  if (is_uuid(value)) return uuid_key(value);
  refuse(value);
}

shard_key key_from_text(std::vector<std::string> const& types, std::vector<std::string> const& texts) {
  if (types.size() != texts.size())
    raise({error_code::shard_key_missing,
           "the shard key has " + std::to_string(types.size()) + " columns, " + std::to_string(texts.size()) +
               " were given",
           "give one value for each column of the shard key, in the manifest's order"});
  std::vector<shard_key> columns;
  for (std::size_t i = 0; i < types.size(); ++i)
    columns.push_back(unwrap(shard_key::from_text(types[i], texts[i])));
  return checked(unwrap(shard_key::composite(columns)));
}

void bind_route(nb::module_& module) {
  nb::class_<shard_key>(module, "ShardKey", "The shard key of a row, as its canonical bytes.")
      .def(
          "__init__",
          [](shard_key* self, nb::object const& value) { new (self) shard_key(checked(key_of(value))); },
          nb::arg("value").none(),
          "From an int, str, uuid.UUID or bytes, or a tuple of up to four of them. Integers of every width "
          "give the same key.")
      .def_static("from_text", &key_from_text, nb::arg("types"), nb::arg("texts"),
                  "From PostgreSQL's names of the columns' types and the values in its text form.")
      .def_prop_ro("bytes", &bytes_of_key, "The canonical bytes (docs/formats/shard_key.md).")
      .def_prop_ro(
          "slot", [](shard_key const& key) { return slot_of(key).value(); }, "The slot, 0 to 4,095.")
      .def("__len__", &shard_key::columns)
      .def("__eq__",
           [](shard_key const& a, nb::object const& b) {
             shard_key* other = nullptr;
             return nb::try_cast(b, other) && other != nullptr && a == *other;
           })
      .def("__hash__", [](shard_key const& key) { return hash_of(key.bytes()); })
      .def("__repr__", [](shard_key const& key) {
        return "<shardway.ShardKey of " + std::to_string(key.columns()) + " column(s), slot " +
               std::to_string(slot_of(key).value()) + ">";
      });
  module.def(
      "slot_of", [](nb::object const& key) { return slot_of(checked(key_of(key))).value(); },
      nb::arg("key").none(),
      "The slot of a shard key, 0 to 4,095. The same as `shardway.slot_of(...)` in SQL.");
  module.def("slots_of", &slots_of, nb::arg("keys"), "The slots of many shard keys in one call.");
  module.attr("SLOT_COUNT") = limits::slot_count;
}

}  // namespace shardway::python
