// Two nodes' answers to one read, compared without keeping either. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// What became of one shadow read.
enum class shadow_class : unsigned char {
  equal,           ///< the shard gave the same rows
  stale,           ///< the shard gave the same rows once the stream had passed the read
  different,       ///< the rows still differed then, while the source's own answer did not change
  not_comparable,  ///< the statement depends on time or chance, an error, other columns, or rows that
                   ///< kept changing
};
std::string_view name(shadow_class) noexcept;

/// An answer reduced to what the comparison needs: 64 bits for the columns, twice 64 for the rows.
struct answer_digest {
  std::uint64_t columns{};
  std::uint64_t rows_low{};
  std::uint64_t rows_high{};
  std::uint64_t row_count{};
  friend bool operator==(answer_digest const&, answer_digest const&) = default;
};

/// Values count in their text form, NULL apart from the empty text; the order of the rows counts only where
/// `is_ordered`. Columns count by name, and by type where it is a type of the server's own. Cost: one pass
/// over the rows.
answer_digest digest_of(rows const& answer, bool is_ordered);

/// The rounds that follow a first comparison without equality.
///
/// Each round reads the shard once its stream has passed what the source had committed after `before` was
/// read, then the source again. The result is `different` after two rounds in which the source's answer
/// did not change and the shard's differed. One such round alone may have met a row that changed and
/// changed back.
class shadow_rounds {
 public:
  static constexpr unsigned rounds_max = 4;
  explicit shadow_rounds(answer_digest before) noexcept : before_(before) {}
  /// The class, or nothing: another round. `before` of the next round is this one's `source`.
  /// `source` is asked for only where the shard's answer does not equal `before()`.
  bool needs_source(answer_digest const& shard) const noexcept { return shard != before_; }
  bool is_over(answer_digest const& shard, answer_digest const& source) noexcept {
    ++rounds_;
    if (shard == before_ || shard == source) return found(shadow_class::stale);
    if (source == before_ && ++differed_ == 2) return found(shadow_class::different);
    if (source != before_) differed_ = 0;
    before_ = source;
    return rounds_ == rounds_max && found(shadow_class::not_comparable);
  }
  shadow_class result() const noexcept { return result_; }

 private:
  bool found(shadow_class what) noexcept {
    result_ = what;
    return true;
  }
  answer_digest before_;
  unsigned rounds_{};
  unsigned differed_{};
  shadow_class result_{shadow_class::not_comparable};
};

}  // namespace v0
}  // namespace shardway
