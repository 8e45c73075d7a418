#include "lib/write/framed_text.hpp"

#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "lib/store/statement_name.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::size_t texts_max = 256;

struct frame_made {
  table_state const* table{};
  bool with_outbox{};
  bool keeps_lookups{};
  std::shared_ptr<framed_text const> text;
};

// The generation is remembered by its owner, which no other can have while it is: a later one may lie at the
// same address.
struct frames_of_thread {
  std::weak_ptr<generation const> owner;
  absl::flat_hash_map<std::string, std::vector<frame_made>, hash_of_text, std::equal_to<>> made;

  bool belongs_to(std::shared_ptr<generation const> const& current) const noexcept {
    return !owner.owner_before(current) && !current.owner_before(owner);
  }
};

std::shared_ptr<framed_text const> make(table_state const& table, lexed_statement const& lexed,
                                        std::string_view sql, bool with_outbox, bool keeps_lookups) {
  auto text = std::make_shared<framed_text>();
  text->capture = capture_of(lexed, sql, table);
  text->sql = capture_sql(text->capture, table, with_outbox, keeps_lookups);
  text->name = statement_name(text->sql);
  return text;
}

}  // namespace

std::shared_ptr<framed_text const> framed_text_of(std::shared_ptr<generation const> const& current,
                                                  table_state const& table, lexed_statement const& lexed,
                                                  std::string_view sql, bool with_outbox,
                                                  bool keeps_lookups) {
  thread_local frames_of_thread known;
  if (!known.belongs_to(current) || known.made.size() > texts_max) {
    known.made.clear();
    known.owner = current;
  }
  auto found = known.made.find(sql);
  if (found == known.made.end()) found = known.made.emplace(sql, std::vector<frame_made>{}).first;
  for (auto const& one : found->second)
    if (one.table == &table && one.with_outbox == with_outbox && one.keeps_lookups == keeps_lookups)
      return one.text;
  found->second.push_back(
      {&table, with_outbox, keeps_lookups, make(table, lexed, sql, with_outbox, keeps_lookups)});
  return found->second.back().text;
}

}  // namespace v0
}  // namespace shardway
