// Any bytes as a binary COPY: the same tuples and the same outcome whatever pieces they come in.
#include <string>
#include <vector>

#include <fuzzer/FuzzedDataProvider.h>

#include "lib/pg/binary_copy.hpp"
#include "shardway/base/ensure.hpp"

namespace {

using namespace shardway;

struct outcome {
  std::vector<std::string> seen;  // tuples and their chosen fields
  error_code code{};
  friend bool operator==(outcome const&, outcome const&) = default;
};

std::string text_of(std::span<std::byte const> bytes) {
  return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

result<> take_tuples(binary_copy_splitter& splitter, std::vector<std::string>& seen) {
  for (;;) {
    BOOST_OUTCOME_TRY(auto const tuple, splitter.next());
    if (!tuple) return success();
    seen.push_back(text_of(tuple->bytes));
    for (auto const& field : tuple->fields) seen.push_back(field ? "=" + text_of(*field) : "NULL");
  }
}

result<> split(std::span<std::byte const> stream, std::size_t piece, binary_copy_options options,
               std::vector<std::string>& seen) {
  BOOST_OUTCOME_TRY(auto splitter, binary_copy_splitter::make(std::move(options)));
  while (!stream.empty()) {
    auto const taken = std::min(piece, stream.size());
    splitter.feed(stream.first(taken));
    BOOST_OUTCOME_TRYV(take_tuples(splitter, seen));
    stream = stream.subspan(taken);
  }
  return splitter.finish();
}

outcome outcome_of(std::span<std::byte const> stream, std::size_t piece, binary_copy_options options) {
  outcome found;
  auto const done = split(stream, piece, std::move(options), found.seen);
  if (!done) found.code = done.error().code();
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
  FuzzedDataProvider input{data, size};
  binary_copy_options options{.columns = input.ConsumeIntegralInRange<std::size_t>(1, 4),
                              .tuple_bytes_max = 4096};
  options.chosen = {options.columns - 1, 0};
  auto const piece = input.ConsumeIntegralInRange<std::size_t>(1, 40);
  auto const rest = input.ConsumeRemainingBytes<unsigned char>();
  auto const stream = std::as_bytes(std::span{rest});
  ensure(outcome_of(stream, std::max<std::size_t>(stream.size(), 1), options) ==
             outcome_of(stream, piece, options),
         "pieces do not change what is read");
  return 0;
}
