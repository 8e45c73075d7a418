#include "lib/migrate/stream/apply/batch.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_map>

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

using kind_type = stream_change::kind_type;

// `later` follows `earlier` for the same row; `earlier` becomes their joint effect.
void merge(stream_change& earlier, stream_change const& later) {
  auto joint = later;
  joint.version = std::max(earlier.version, later.version);
  joint.has_outbox = earlier.has_outbox || later.has_outbox;
  if (earlier.kind == kind_type::upsert && later.kind == kind_type::upsert) {
    for (std::size_t i = 0; i < joint.image.size() && i < earlier.image.size(); ++i)
      if (joint.image[i].kind == stream_value::kind_type::unchanged) joint.image[i] = earlier.image[i];
  }
  earlier = std::move(joint);
}

std::vector<stream_change> net_effect_of_rows(std::span<stream_change const> changes) {
  struct row_effect {
    stream_change change;
    std::size_t last{};  // position of the row's last change
  };
  std::unordered_map<std::string, std::size_t> found;
  std::vector<row_effect> rows;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    auto const [known, is_new] = found.try_emplace(identity_of(changes[i]), rows.size());
    if (is_new) {
      rows.push_back({changes[i], i});
      continue;
    }
    auto& row = rows[known->second];
    merge(row.change, changes[i]);
    row.last = i;
  }
  std::sort(rows.begin(), rows.end(), [](auto const& a, auto const& b) { return a.last < b.last; });
  std::vector<stream_change> net;
  net.reserve(rows.size());
  for (auto& row : rows) net.push_back(std::move(row.change));
  return net;
}

}  // namespace

std::size_t size_of(stream_change const& change) noexcept {
  std::size_t bytes = sizeof change;
  for (auto const& value : change.key) bytes += sizeof(std::string) + value.size();
  for (auto const& value : change.image) bytes += sizeof value + value.text.size();
  return bytes;
}

bool is_partial(stream_change const& change) noexcept {
  return std::any_of(change.image.begin(), change.image.end(),
                     [](auto const& value) { return value.kind == stream_value::kind_type::unchanged; });
}

std::string identity_of(stream_change const& change) {
  std::string identity = std::to_string(change.table->id);
  for (auto const& value : change.key)
    identity.append(1, '\x1f').append(std::to_string(value.size())).append(1, ':').append(value);
  return identity;
}

std::vector<stream_change> net_effect(std::span<stream_change const> changes) {
  std::vector<stream_change> net;
  for (auto rest = changes;;) {
    auto const emptied = std::find_if(rest.begin(), rest.end(),
                                      [](auto const& change) { return change.kind == kind_type::empty; });
    auto some = net_effect_of_rows(rest.first(static_cast<std::size_t>(emptied - rest.begin())));
    std::move(some.begin(), some.end(), std::back_inserter(net));
    if (emptied == rest.end()) return net;
    net.push_back(*emptied);
    rest = rest.subspan(static_cast<std::size_t>(emptied - rest.begin()) + 1);
  }
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
