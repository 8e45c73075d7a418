// Any texts and bytes as shard keys: refused, or canonical bytes from which every form of the key comes back,
// and no other key has them.
#include <string>
#include <vector>

#include <fuzzer/FuzzedDataProvider.h>

#include "shardway/base/ensure.hpp"
#include "shardway/route/slot.hpp"

namespace {

using namespace shardway;

constexpr key_column columns[] = {key_column::smallint, key_column::integer, key_column::bigint,
                                  key_column::text,     key_column::uuid,    key_column::bytea};

struct column_value {
  key_column column;
  shard_key key;
};

void check_forms(column_value const& one) {
  ensure(one.key.columns() == 1 && one.key.type_of(0) == type_of(one.column),
         "a key has the type of its column");
  ensure(bool(one.key.check()), "a key that was read is sound");
  ensure(slot_of(one.key).value() < limits::slot_count, "a key has a slot");
  auto const from_text = shard_key::from_text(one.column, one.key.text_of(0));
  ensure(from_text && from_text.value() == one.key, "a key's text is read back as the key");
  auto const bytes = one.key.bytes_of(0);
  auto const field = one.column == key_column::smallint  ? bytes.subspan(6)
                     : one.column == key_column::integer ? bytes.subspan(4)
                                                         : bytes;
  auto const from_binary = shard_key::from_binary(one.column, field);
  ensure(from_binary && from_binary.value() == one.key, "a key's binary form is read back as the key");
}

std::vector<column_value> values_of(FuzzedDataProvider& input) {
  std::vector<column_value> values;
  while (input.remaining_bytes() > 0 && values.size() < 8) {
    auto const column = input.PickValueInArray(columns);
    bool const is_text = input.ConsumeBool();
    auto const form = input.ConsumeRandomLengthString();
    auto key = is_text ? shard_key::from_text(column, form)
                       : shard_key::from_binary(column, std::as_bytes(std::span{form}));
    if (key) values.push_back({column, std::move(key).value()});
  }
  return values;
}

// The first `count` values from `begin` as one key.
shard_key composite_of(std::vector<column_value> const& values, std::size_t begin, std::size_t count) {
  std::vector<shard_key> parts;
  for (std::size_t i = begin; i < begin + count; ++i) parts.push_back(values[i].key);
  auto made = shard_key::composite(parts);
  ensure(bool(made), "one to four columns make a key");
  for (std::size_t i = 0; i < count; ++i) {
    ensure(made.value().type_of(i) == parts[i].type_of(0), "a column keeps its type in a composite key");
    ensure(std::ranges::equal(made.value().bytes_of(i), parts[i].bytes()),
           "a column keeps its bytes in a composite key");
  }
  return std::move(made).value();
}

bool are_same(std::vector<column_value> const& values, std::size_t a, std::size_t b, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    if (!(values[a + i].key == values[b + i].key)) return false;
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
  FuzzedDataProvider input{data, size};
  auto const values = values_of(input);
  for (auto const& one : values) check_forms(one);
  for (std::size_t count = 1; count <= 4 && 2 * count <= values.size(); ++count) {
    auto const first = composite_of(values, 0, count);
    auto const second = composite_of(values, count, count);
    ensure((first == second) == are_same(values, 0, count, count),
           "keys are equal where all their columns are");
    if (count > 1)
      ensure((first == second) == std::ranges::equal(first.bytes(), second.bytes()),
             "different composite keys have different bytes");
  }
  return 0;
}
