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

stream_value read_value(wire_reader& in) {
  switch (in.letter()) {
    case 'n':
      return {};
    case 'u':
      return {stream_value::kind_type::unchanged, {}};
    case 't':
      return {stream_value::kind_type::text, in.text(in.number<std::uint32_t>())};
    default:
      in.fail();
      return {};  // 'b', binary, was not asked for
  }
}

stream_tuple read_tuple(wire_reader& in, stream_relation const& relation) {
  stream_tuple tuple;
  std::size_t const count = in.number<std::uint16_t>();
  if (count != relation.columns.size()) in.fail();
  while (in.is_valid() && tuple.size() < count) tuple.push_back(read_value(in));
  return tuple;
}

std::shared_ptr<stream_relation const> find(relation_map const& known, std::uint32_t oid) {
  auto const found = known.find(oid);
  return found == known.end() ? nullptr : found->second;
}

maybe_event read_relation(wire_reader& in, relation_map& known) {
  stream_relation relation;
  relation.oid = in.number<std::uint32_t>();
  relation.schema = in.c_string();
  if (relation.schema.empty()) relation.schema = "pg_catalog";
  relation.name = in.c_string();
  relation.replica_identity = in.letter();
  std::size_t const count = in.number<std::uint16_t>();
  while (in.is_valid() && relation.columns.size() < count) {
    bool const in_identity = (in.byte() & 1U) != 0;
    auto column_name = in.c_string();
    auto const type = in.number<std::uint32_t>();
    relation.columns.push_back(
        {std::move(column_name), type, static_cast<std::int32_t>(in.number<std::uint32_t>()), in_identity});
  }
  if (!in.is_valid() || !in.is_at_end()) return malformed("a table's description is cut or too long");
  auto& entry = known[relation.oid];
  if (!entry || *entry != relation) entry = std::make_shared<stream_relation const>(std::move(relation));
  return stream_event{relation_event{entry}};
}

void read_before(wire_reader& in, row_event& event, char kind) {
  event.before_is_key = kind == 'K';
  event.before = read_tuple(in, *event.relation);
}

// `kind` is the letter before a tuple: O(ld row), K(ey of the old row), N(ew row).
void read_row(wire_reader& in, row_event& event) {
  char kind = in.letter();
  if (event.kind != row_event::kind_type::insert && (kind == 'O' || kind == 'K')) {
    read_before(in, event, kind);
    if (event.kind == row_event::kind_type::remove) return;
    kind = in.letter();
  }
  if (kind != 'N' || event.kind == row_event::kind_type::remove) return in.fail();
  event.after = read_tuple(in, *event.relation);
}

maybe_event read_change(wire_reader& in, relation_map const& known, row_event::kind_type kind) {
  row_event event;
  event.kind = kind;
  event.relation = find(known, in.number<std::uint32_t>());
  if (!event.relation) return malformed("a change of a table that was not described");
  read_row(in, event);
  if (!in.is_valid() || !in.is_at_end())
    return malformed("a change of table " + event.relation->name + " is cut, too long or of unknown form");
  return stream_event{std::move(event)};
}

maybe_event read_truncate(wire_reader& in, relation_map const& known) {
  truncate_event event;
  auto const count = in.number<std::uint32_t>();
  auto const flags = in.byte();
  event.cascade = (flags & 1U) != 0;
  event.restart_identity = (flags & 2U) != 0;
  if (!in.is_valid() || in.left() != std::size_t{count} * 4)
    return malformed("a TRUNCATE is cut or too long");
  for (std::uint32_t i = 0; i < count; ++i) {
    auto relation = find(known, in.number<std::uint32_t>());
    if (!relation) return malformed("a TRUNCATE of a table that was not described");
    event.relations.push_back(std::move(relation));
  }
  return stream_event{std::move(event)};
}

stream_event read_begin(wire_reader& in) {
  begin_event event;
  event.final_lsn = lsn{in.number<std::uint64_t>()};
  event.commit_time = static_cast<std::int64_t>(in.number<std::uint64_t>());
  event.xid = in.number<std::uint32_t>();
  return event;
}

stream_event read_commit(wire_reader& in) {
  in.byte();  // flags, unused in this version
  commit_event event;
  event.commit_lsn = lsn{in.number<std::uint64_t>()};
  event.end_lsn = lsn{in.number<std::uint64_t>()};
  in.number<std::uint64_t>();  // the time, which BEGIN has told
  return event;
}

stream_event read_message(wire_reader& in) {
  message_event event;
  event.transactional = (in.byte() & 1U) != 0;
  event.position = lsn{in.number<std::uint64_t>()};
  event.prefix = in.c_string();
  event.content = in.text(in.number<std::uint32_t>());
  return event;
}

maybe_event whole(wire_reader const& in, std::optional<stream_event> event, char const* what) {
  if (!in.is_valid() || !in.is_at_end()) return malformed(std::string{what} + " is cut or too long");
  return event;
}

// Type names and origins are read to check them, and say nothing to us.
maybe_event read_type(wire_reader& in) {
  in.number<std::uint32_t>();
  in.c_string();
  in.c_string();
  return whole(in, std::nullopt, "a type's description");
}

maybe_event read_origin(wire_reader& in) {
  in.number<std::uint64_t>();
  in.c_string();
  return whole(in, std::nullopt, "an origin");
}

}  // namespace

result<std::optional<stream_event>> pgoutput_decoder::decode(std::span<std::byte const> message) {
  using kind = row_event::kind_type;
  wire_reader in{message};
  switch (in.letter()) {
    case 'B': {
      auto event = read_begin(in);
      return whole(in, std::move(event), "a BEGIN");
    }
    case 'C': {
      auto event = read_commit(in);
      return whole(in, std::move(event), "a COMMIT");
    }
    case 'M': {
      auto event = read_message(in);
      return whole(in, std::move(event), "a logical message");
    }
    case 'R':
      return read_relation(in, relations_);
    case 'I':
      return read_change(in, relations_, kind::insert);
    case 'U':
      return read_change(in, relations_, kind::update);
    case 'D':
      return read_change(in, relations_, kind::remove);
    case 'T':
      return read_truncate(in, relations_);
    case 'Y':
      return read_type(in);
    case 'O':
      return read_origin(in);
    default:
      return malformed("a message of unknown kind");
  }
}

}  // namespace v0
}  // namespace shardway
