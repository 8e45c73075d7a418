#include "lib/write/operation.hpp"

#include <memory>

#include <openssl/evp.h>

#include "shardway/base/ensure.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr epoch first_epoch{1};
constexpr char asking[] = "asking the node that had the slot before for an operation; nothing was written";

class digest {
 public:
  digest() {
    ensure(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1, "OpenSSL has SHA-256");
  }
  void add(std::string_view bytes) {
    add_number(bytes.size());
    ensure(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1, "OpenSSL has SHA-256");
  }
  void add_number(std::uint64_t value) {
    unsigned char bytes[8];
    for (auto& byte : bytes) byte = static_cast<unsigned char>(value & 0xFF), value >>= 8;
    ensure(EVP_DigestUpdate(context_.get(), bytes, sizeof bytes) == 1, "OpenSSL has SHA-256");
  }
  std::string hex() {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    ensure(EVP_DigestFinal_ex(context_.get(), bytes, &length) == 1, "OpenSSL has SHA-256");
    std::string text;
    constexpr char digits[] = "0123456789abcdef";
    for (unsigned int i = 0; i < length; ++i) text.append({digits[bytes[i] >> 4], digits[bytes[i] & 15]});
    return text;
  }

 private:
  struct free_context {
    void operator()(EVP_MD_CTX* one) const noexcept { EVP_MD_CTX_free(one); }
  };
  std::unique_ptr<EVP_MD_CTX, free_context> context_{EVP_MD_CTX_new()};
};

// The same id with another content is never executed (W3).
attempt_result compared(fenced_call const& call, call_target const& target, operation_record record) {
  if (record.digest == call.operation()->digest) return {.replayed = std::move(record)};
  return failed_attempt(
      error{error_code::write_id_mismatch,
            "the operation id was used before, for another write than this one to table " +
                target.table->manifest.table + "; nothing was written",
            "give each operation an id of its own, and repeat it with exactly the same content"}
          .at_node(target.node_name));
}

result<std::optional<operation_record>> find(session& node, std::string_view id, steady_time deadline) {
  BOOST_OUTCOME_TRY(auto const answer, node.query(find_operation_statement(id), deadline));
  return parse_operation(answer);
}

}  // namespace

std::string operation_digest(std::string_view id, std::string_view table, shard_key const& key,
                             std::string_view sql, std::span<text_value const> parameters) {
  digest all;
  all.add(id);
  all.add(table);
  auto const bytes = key.bytes();
  all.add({reinterpret_cast<char const*>(bytes.data()), bytes.size()});
  all.add(sql);
  for (auto const& value : parameters) {
    all.add_number(value ? 1 : 0);
    all.add(value ? std::string_view{*value} : std::string_view{});
  }
  return all.hex();
}

std::optional<operation_claim> operation_of(write_address const& address, std::string_view sql,
                                            std::span<text_value const> parameters,
                                            write_options const& options) {
  if (options.operation_id.empty()) return std::nullopt;
  return operation_claim{options.operation_id,
                         operation_digest(options.operation_id, address.table, address.key, sql, parameters)};
}

bool sweeps_operations(write_id id) noexcept { return id.bytes().back() == 0; }

std::optional<attempt_result> operation_elsewhere(fenced_call& call, call_target const& target) {
  // A finalized group no longer needs its source.
  bool const may_have_moved = !target.shard_key.empty() && target.group->stage != stage::finalized &&
                              call.expected(target) > first_epoch;
  if (!call.operation() || !may_have_moved) return std::nullopt;
  auto const before = target.node.is_source() ? node_index{target.placed} : source_node;
  auto lent = call.host().lend(before, call.deadline());
  if (!lent) return failed_attempt(lent.error().while_doing(asking));
  auto found = find(*lent.value().link, call.operation()->id, call.deadline());
  if (!found) return failed_attempt(found.error().while_doing(asking));
  if (!found.value()) return std::nullopt;
  return compared(call, target, std::move(*found.value()));
}

attempt_result operation_repeated(fenced_call& call, call_target const& target, lent_session const& lent) {
  auto found = find(*lent.link, call.operation()->id, call.deadline());
  if (!found) return {.end = end_of(found.error())};
  // The record was swept or removed in between: the claim will succeed.
  if (!found.value())
    return repeatable_attempt(error{error_code::serialization_failure, "an operation's record went away"});
  return compared(call, target, std::move(*found.value()));
}

}  // namespace v0
}  // namespace shardway
