// Bodies of pg_session.hpp: COPY in and out.
#include <algorithm>

#include "lib/pg/pg_session.hpp"
#include "lib/pg/translate.hpp"

namespace shardway {
inline namespace v0 {
namespace pg {
namespace {

constexpr auto give_up_after = std::chrono::seconds{5};
steady_time soon() { return system_clock_source().now() + give_up_after; }

void cancel(PGconn* raw) noexcept {
  auto* const handle = PQgetCancel(raw);
  char why[256];
  if (handle) PQcancel(handle, why, sizeof why);
  PQfreeCancel(handle);
}

// Reads the result after the last byte, and the end of the command.
result<answer_ptr> end_of_copy(connection& link, std::string_view doing) {
  answer_ptr last;
  for (;;) {
    BOOST_OUTCOME_TRY(auto answer, link.next_answer(steady_time::max(), doing));
    if (!answer) break;
    if (!last) last = std::move(answer);
  }
  link.set_copying(false);
  if (link.is_broken()) return link.lost(doing, last.get());
  if (!last) return violation_error(link.node(), doing);
  if (PQresultStatus(last.get()) == PGRES_COMMAND_OK) return last;
  if (is_fatal(last.get())) link.mark_broken();
  return server_error(last.get(), link.node(), doing);
}

class pg_copy_reader final : public copy_reader {
 public:
  explicit pg_copy_reader(std::shared_ptr<connection> link) : link_(std::move(link)) {}
  ~pg_copy_reader() override {
    if (is_over_) return;
    if (!link_->is_broken()) {
      cancel(link_->raw());
      link_->drain(soon());
    }
    link_->set_copying(false);
  }

  result<std::span<std::byte const>> read() override {
    constexpr std::string_view doing = "reading a COPY";
    if (is_over_) return std::span<std::byte const>{};
    for (;;) {
      char* piece{};
      int const size = PQgetCopyData(link_->raw(), &piece, 1);
      piece_.reset(piece);
      if (size > 0)
        return std::span{reinterpret_cast<std::byte const*>(piece), static_cast<std::size_t>(size)};
      if (size < 0) break;
      BOOST_OUTCOME_TRYV(link_->wait_progress(steady_time::max(), doing));
    }
    is_over_ = true;
    BOOST_OUTCOME_TRYV(end_of_copy(*link_, doing));
    return std::span<std::byte const>{};
  }

 private:
  std::shared_ptr<connection> link_;
  memory_ptr<char> piece_;
  bool is_over_{};
};

class pg_copy_writer final : public copy_writer {
 public:
  explicit pg_copy_writer(std::shared_ptr<connection> link) : link_(std::move(link)) {}
  ~pg_copy_writer() override { abort("the writer was given up"); }

  result<> write(std::span<std::byte const> bytes) override {
    while (!bytes.empty()) {
      if (is_over_) return misuse_error(link_->node(), "writing to a COPY that is over");
      auto const room = buffer_bytes_max - std::min(buffer_bytes_max, pending_bytes());
      auto const accepted = bytes.first(std::min(room, bytes.size()));
      waiting_.insert(waiting_.end(), accepted.begin(), accepted.end());
      bytes = bytes.subspan(accepted.size());
      BOOST_OUTCOME_TRYV(pump());
      if (pending_bytes() >= buffer_bytes_max) {
        BOOST_OUTCOME_TRYV(wait());
      }
    }
    return success();
  }

  result<> pump() override {
    for (;;) {
      int const unsent = PQflush(link_->raw());
      if (unsent < 0) return fail();
      if (unsent > 0) return success();
      in_libpq_ = 0;
      if (taken_ == waiting_.size()) {
        waiting_.clear();
        taken_ = 0;
        return success();
      }
      BOOST_OUTCOME_TRYV(hand_over());
    }
  }

  std::size_t pending_bytes() const noexcept override { return waiting_.size() - taken_ + in_libpq_; }

  result<std::int64_t> finish() override {
    if (is_over_) return misuse_error(link_->node(), "finishing a COPY that is over");
    while (pending_bytes() > 0) {
      BOOST_OUTCOME_TRYV(pump());
      if (pending_bytes() > 0) {
        BOOST_OUTCOME_TRYV(wait());
      }
    }
    is_over_ = true;
    if (PQputCopyEnd(link_->raw(), nullptr) != 1) return fail();
    BOOST_OUTCOME_TRY(auto answer, end_of_copy(*link_, doing));
    return rows_of(answer.get(), false).affected();
  }

  void abort(std::string_view reason) noexcept override {
    if (is_over_) return;
    is_over_ = true;
    link_->set_copying(false);
    if (link_->is_broken()) return;
    if (PQputCopyEnd(link_->raw(), std::string{reason}.c_str()) != 1) return link_->mark_broken();
    link_->drain(soon());
  }

 private:
  static constexpr std::string_view doing = "writing a COPY";
  static constexpr std::size_t piece_bytes = std::size_t{64} << 10;

  // libpq's own buffer grows without bound. So it gets a piece only after it has sent the last one.
  result<> hand_over() {
    auto const size = std::min(piece_bytes, waiting_.size() - taken_);
    auto const* piece = reinterpret_cast<char const*>(waiting_.data() + taken_);
    if (PQputCopyData(link_->raw(), piece, static_cast<int>(size)) != 1) return fail();
    taken_ += size;
    in_libpq_ = size;
    if (taken_ < buffer_bytes_max) return success();
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(taken_));
    taken_ = 0;
    return success();
  }

  result<> wait() {
    BOOST_OUTCOME_TRYV(link_->wait_progress(steady_time::max(), doing));
    return success();
  }

  error fail() {
    is_over_ = true;
    link_->set_copying(false);
    return link_->lost(doing);
  }

  std::shared_ptr<connection> link_;
  std::vector<std::byte> waiting_;
  std::size_t taken_{};
  std::size_t in_libpq_{};
  bool is_over_{};
};

}  // namespace

result<answer_ptr> pg_session::start_copy(std::string_view sql, ExecStatusType expected,
                                          std::string_view doing) {
  BOOST_OUTCOME_TRYV(link_->ready_for(doing));
  if (PQsendQuery(link_->raw(), std::string{sql}.c_str()) == 0) return link_->lost(doing);
  BOOST_OUTCOME_TRY(auto answer, link_->next_answer(steady_time::max(), doing));
  if (link_->is_broken() || !answer) return link_->lost(doing, answer.get());
  if (PQresultStatus(answer.get()) == expected) {
    link_->set_copying(true);
    return answer;
  }
  bool const failed = PQresultStatus(answer.get()) == PGRES_FATAL_ERROR;
  if (PQresultStatus(answer.get()) == PGRES_COPY_IN || PQresultStatus(answer.get()) == PGRES_COPY_OUT)
    link_->mark_broken();
  else
    link_->drain(soon());
  if (failed) return server_error(answer.get(), link_->node(), doing);
  return misuse_error(link_->node(), std::string{doing} + " with a statement that is no such COPY,");
}

result<std::unique_ptr<copy_reader>> pg_session::copy_out(std::string_view sql) {
  BOOST_OUTCOME_TRYV(start_copy(sql, PGRES_COPY_OUT, "starting a COPY out"));
  return std::unique_ptr<copy_reader>{std::make_unique<pg_copy_reader>(link_)};
}

result<std::unique_ptr<copy_writer>> pg_session::copy_in(std::string_view sql) {
  BOOST_OUTCOME_TRYV(start_copy(sql, PGRES_COPY_IN, "starting a COPY in"));
  return std::unique_ptr<copy_writer>{std::make_unique<pg_copy_writer>(link_)};
}

}  // namespace pg
}  // namespace v0
}  // namespace shardway
