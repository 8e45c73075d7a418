#include "lib/pg/pgoutput.hpp"

#include <limits>

#include "lib/pg/wire_reader.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using pg::wire_reader;
using relation_map = std::map<std::uint32_t, std::shared_ptr<stream_relation const>>;
using maybe_event = result<std::optional<stream_event>>;

error malformed(std::string what) {
  return error{error_code::protocol_violation, "decoding a change: " + what,
               "report it with the server's version"};
}

stream_value read_value(wire_reader& reader) {
  switch (reader.letter()) {
    case 'n':
      return {};
    case 'u':
      return {stream_value::kind_type::unchanged, {}};
    case 't':
      return {stream_value::kind_type::text, reader.text(reader.number<std::uint32_t>())};
    default:
      reader.fail();
      return {};  // 'b', binary, was not requested
  }
}

stream_tuple read_tuple(wire_reader& reader, stream_relation const& relation) {
  stream_tuple tuple;
  std::size_t const count = reader.number<std::uint16_t>();
  if (count != relation.columns.size()) reader.fail();
  while (reader.is_valid() && tuple.size() < count) tuple.push_back(read_value(reader));
  return tuple;
}

std::shared_ptr<stream_relation const> find(relation_map const& known, std::uint32_t oid) {
  auto const found = known.find(oid);
  return found == known.end() ? nullptr : found->second;
}

maybe_event read_relation(wire_reader& reader, relation_map& known) {
  stream_relation relation;
  relation.oid = reader.number<std::uint32_t>();
  relation.schema = reader.c_string();
  if (relation.schema.empty()) relation.schema = "pg_catalog";
  relation.name = reader.c_string();
  relation.replica_identity = reader.letter();
  std::size_t const count = reader.number<std::uint16_t>();
  while (reader.is_valid() && relation.columns.size() < count) {
    bool const in_identity = (reader.byte() & 1U) != 0;
    auto column_name = reader.c_string();
    auto const type = reader.number<std::uint32_t>();
    relation.columns.push_back({std::move(column_name), type,
                                static_cast<std::int32_t>(reader.number<std::uint32_t>()), in_identity});
  }
  if (!reader.is_valid() || !reader.is_at_end()) return malformed("a table's description is cut or too long");
  auto& entry = known[relation.oid];
  if (!entry || *entry != relation) entry = std::make_shared<stream_relation const>(std::move(relation));
  return stream_event{relation_event{entry}};
}

void read_before(wire_reader& reader, row_event& event, char kind) {
  event.before_is_key = kind == 'K';
  event.before = read_tuple(reader, *event.relation);
}

// The letter before a tuple: O (old row), K (key of the old row) or N (new row).
void read_row(wire_reader& reader, row_event& event) {
  char kind = reader.letter();
  if (event.kind != row_event::kind_type::insert && (kind == 'O' || kind == 'K')) {
    read_before(reader, event, kind);
    if (event.kind == row_event::kind_type::remove) return;
    kind = reader.letter();
  }
  if (kind != 'N' || event.kind == row_event::kind_type::remove) return reader.fail();
  event.after = read_tuple(reader, *event.relation);
}

maybe_event read_change(wire_reader& reader, relation_map const& known, row_event::kind_type kind) {
  row_event event;
  event.kind = kind;
  event.relation = find(known, reader.number<std::uint32_t>());
  if (!event.relation) return malformed("a change of a table that was not described");
  read_row(reader, event);
  if (!reader.is_valid() || !reader.is_at_end())
    return malformed("a change of table " + event.relation->name + " is cut, too long or of unknown form");
  return stream_event{std::move(event)};
}

maybe_event read_truncate(wire_reader& reader, relation_map const& known) {
  truncate_event event;
  auto const count = reader.number<std::uint32_t>();
  auto const flags = reader.byte();
  event.cascade = (flags & 1U) != 0;
  event.restart_identity = (flags & 2U) != 0;
  if (!reader.is_valid() || reader.left() != std::size_t{count} * 4)
    return malformed("a TRUNCATE is cut or too long");
  for (std::uint32_t i = 0; i < count; ++i) {
    auto relation = find(known, reader.number<std::uint32_t>());
    if (!relation) return malformed("a TRUNCATE of a table that was not described");
    event.relations.push_back(std::move(relation));
  }
  return stream_event{std::move(event)};
}

stream_event read_begin(wire_reader& reader) {
  begin_event event;
  event.final_lsn = lsn{reader.number<std::uint64_t>()};
  event.commit_time = static_cast<std::int64_t>(reader.number<std::uint64_t>());
  event.xid = reader.number<std::uint32_t>();
  return event;
}

stream_event read_commit(wire_reader& reader) {
  reader.byte();  // flags, unused in this version
  commit_event event;
  event.commit_lsn = lsn{reader.number<std::uint64_t>()};
  event.end_lsn = lsn{reader.number<std::uint64_t>()};
  reader.number<std::uint64_t>();  // the time, which BEGIN has given already
  return event;
}

stream_event read_message(wire_reader& reader) {
  message_event event;
  event.transactional = (reader.byte() & 1U) != 0;
  event.position = lsn{reader.number<std::uint64_t>()};
  event.prefix = reader.c_string();
  event.content = reader.text(reader.number<std::uint32_t>());
  return event;
}

maybe_event whole(wire_reader const& reader, std::optional<stream_event> event, char const* what) {
  if (!reader.is_valid() || !reader.is_at_end()) return malformed(std::string{what} + " is cut or too long");
  return event;
}

// Type names and origins are read only to check their form.
maybe_event read_type(wire_reader& reader) {
  reader.number<std::uint32_t>();
  reader.c_string();
  reader.c_string();
  return whole(reader, std::nullopt, "a type's description");
}

maybe_event read_origin(wire_reader& reader) {
  reader.number<std::uint64_t>();
  reader.c_string();
  return whole(reader, std::nullopt, "an origin");
}

}  // namespace

result<std::optional<stream_event>> pgoutput_decoder::decode(std::span<std::byte const> message) {
  using kind = row_event::kind_type;
  wire_reader reader{message};
  switch (reader.letter()) {
    case 'B': {
      auto event = read_begin(reader);
      return whole(reader, std::move(event), "a BEGIN");
    }
    case 'C': {
      auto event = read_commit(reader);
      return whole(reader, std::move(event), "a COMMIT");
    }
    case 'M': {
      auto event = read_message(reader);
      return whole(reader, std::move(event), "a logical message");
    }
    case 'R':
      return read_relation(reader, relations_);
    case 'I':
      return read_change(reader, relations_, kind::insert);
    case 'U':
      return read_change(reader, relations_, kind::update);
    case 'D':
      return read_change(reader, relations_, kind::remove);
    case 'T':
      return read_truncate(reader, relations_);
    case 'Y':
      return read_type(reader);
    case 'O':
      return read_origin(reader);
    default:
      return malformed("a message of unknown kind");
  }
}

}  // namespace v0
}  // namespace shardway
