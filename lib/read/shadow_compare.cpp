#include "lib/read/shadow_compare.hpp"

#include <array>

#include "lib/read/type_oids.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::uint64_t spread(std::uint64_t bits) noexcept {
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9U;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebU;
  return bits ^ (bits >> 31);
}

// FNV-1a; the length of each piece separates it from the next.
class hash {
 public:
  explicit hash(std::uint64_t seed) noexcept : held_(0xcbf29ce484222325U ^ spread(seed + 1)) {}
  void add(std::uint64_t number) noexcept {
    for (int shift = 0; shift < 64; shift += 8) byte(static_cast<unsigned char>(number >> shift));
  }
  void add(std::string_view text) noexcept {
    add(text.size());
    for (char const c : text) byte(static_cast<unsigned char>(c));
  }
  std::uint64_t value() const noexcept { return spread(held_); }

 private:
  void byte(unsigned char one) noexcept { held_ = (held_ ^ one) * 0x100000001b3U; }
  std::uint64_t held_;
};

std::uint64_t row_hash(rows const& answer, std::size_t row, std::uint64_t seed) {
  hash made{seed};
  for (std::size_t column = 0; column < answer.columns().size(); ++column) {
    auto const value = answer.at(row, column);
    made.add(value ? std::uint64_t{1} : std::uint64_t{0});
    if (value) made.add(*value);
  }
  return made.value();
}

}  // namespace

std::string_view name(shadow_class found) noexcept {
  constexpr std::array<std::string_view, 4> names{"equal", "stale", "different", "not_comparable"};
  return names[static_cast<std::size_t>(found)];
}

answer_digest digest_of(rows const& answer, bool is_ordered) {
  answer_digest made{.row_count = answer.size()};
  hash columns{0};
  for (auto const& one : answer.columns()) {
    columns.add(one.name);
    columns.add(one.type_oid < oids::first_of_users ? one.type_oid : 0U);
  }
  made.columns = columns.value();
  for (std::size_t row = 0; row < answer.size(); ++row) {
    made.rows_low += row_hash(answer, row, is_ordered ? row + 1 : 0);
    made.rows_high += row_hash(answer, row, is_ordered ? ~row : ~std::uint64_t{0});
  }
  return made;
}

}  // namespace v0
}  // namespace shardway
