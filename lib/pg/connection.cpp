#include "lib/pg/connection.hpp"

#include <cerrno>
#include <charconv>

#include <poll.h>
#include <sys/socket.h>

#include "lib/pg/translate.hpp"

namespace shardway {
inline namespace v0 {
namespace pg {
namespace {

// The time-out for poll. It is rounded up, so that a wait never ends just before its deadline.
int poll_milliseconds(steady_time deadline) noexcept {
  if (deadline == steady_time::max()) return -1;
  auto const left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - system_clock_source().now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 60'000));
}

bool is_error(PGresult const* answer) noexcept {
  auto const status = PQresultStatus(answer);
  return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE;
}

bool is_copy(PGresult const* answer) noexcept {
  auto const status = PQresultStatus(answer);
  return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

std::string command_of(PGresult const* answer) {
  std::string_view tag = PQcmdStatus(const_cast<PGresult*>(answer));
  if (auto const digit = tag.find_first_of("0123456789"); digit != std::string_view::npos)
    tag = tag.substr(0, digit);
  while (!tag.empty() && tag.back() == ' ') tag.remove_suffix(1);
  return std::string{tag};
}

std::int64_t affected_by(PGresult const* answer) {
  std::string_view const text = PQcmdTuples(const_cast<PGresult*>(answer));
  std::int64_t count{};
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

}  // namespace

waited wait_socket(int descriptor, short events, steady_time deadline) noexcept {
  if (descriptor < 0) return waited::failed;
  for (;;) {
    pollfd entry{descriptor, events, 0};
    int const count = ::poll(&entry, 1, poll_milliseconds(deadline));
    if (count > 0) return waited::ready;
    if (count < 0 && errno != EINTR) return waited::failed;
    if (system_clock_source().now() >= deadline) return waited::timed_out;
  }
}

connection::connection(raw_ptr raw, std::string node) : raw_(std::move(raw)), node_(std::move(node)) {
  adopt();
}

void connection::adopt() noexcept {
  if (PQsetnonblocking(raw_.get(), 1) != 0) is_broken_ = true;
  PQsetNoticeReceiver(raw_.get(), &connection::on_notice, this);
}

void connection::on_notice(void* self, PGresult const* notice) {
  if (is_sync_wait_warning(notice)) static_cast<connection*>(self)->is_sync_wait_cancelled_ = true;
}

result<> connection::ready_for(std::string_view doing) const {
  if (!is_lent_ && !is_copying_ && !is_broken()) [[likely]]
    return success();
  std::string const what{doing};
  if (is_lent_) return misuse_error(node_, what + " while the connection is lent,");
  if (is_broken())
    return error{error_code::connection_lost, what + ": the session on node \"" + node_ + "\" is broken",
                 "connect again"}
        .at_node(node_);
  if (is_copying_) return misuse_error(node_, what + " while a COPY runs,");
  return success();
}

error connection::lost(std::string_view doing, PGresult const* last) {
  mark_broken();
  return lost_error(raw_.get(), last, node_, doing);
}

error connection::timed_out(std::string_view doing) {
  mark_broken();
  return deadline_error(node_, doing);
}

bool connection::is_quiet() const noexcept {
  if (PQsslInUse(raw_.get()) == 1) return false;  // TLS may hold bytes that are not on the socket
  char next;
  return ::recv(PQsocket(raw_.get()), &next, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

result<bool> connection::wait_progress(steady_time deadline, std::string_view doing) {
  int const unsent = PQflush(raw_.get());
  short const events = static_cast<short>(unsent == 1 ? POLLIN | POLLOUT : POLLIN);
  // After a failed write libpq still reads, so the server's last message is not lost.
  switch (wait_socket(PQsocket(raw_.get()), events, deadline)) {
    case waited::timed_out:
      return false;
    case waited::failed:
      return lost(doing);
    case waited::ready:
      break;
  }
  if (PQconsumeInput(raw_.get()) == 0 && PQisBusy(raw_.get()) == 1) return lost(doing);
  return true;
}

result<answer_ptr> connection::next_answer(steady_time deadline, std::string_view doing) {
  while (PQisBusy(raw_.get()) == 1) {
    BOOST_OUTCOME_TRY(bool progressed, wait_progress(deadline, doing));
    if (!progressed) return timed_out(doing);
  }
  return answer_ptr{PQgetResult(raw_.get())};
}

result<> connection::send_all(steady_time deadline, std::string_view doing) {
  for (;;) {
    int const unsent = PQflush(raw_.get());
    if (unsent < 0) return lost(doing);
    if (unsent == 0) return success();
    BOOST_OUTCOME_TRY(bool progressed, wait_progress(deadline, doing));
    if (!progressed) return timed_out(doing);
  }
}

void connection::drain(steady_time deadline) noexcept {
  for (;;) {
    auto answer = next_answer(deadline, "ending a command");
    if (!answer || is_broken()) return mark_broken();
    if (!answer.value()) return;
    if (PQresultStatus(answer.value().get()) != PGRES_COPY_OUT) continue;
    for (;;) {
      char* piece{};
      int const size = PQgetCopyData(raw_.get(), &piece, 1);
      memory_ptr<char> const owned{piece};
      if (size < 0) break;
      if (size > 0) continue;
      auto progressed = wait_progress(deadline, "ending a COPY");
      if (!progressed || !progressed.value()) return mark_broken();
    }
  }
}

PGconn* connection::lend() {
  PQsetnonblocking(raw_.get(), 0);
  PQsetNoticeReceiver(raw_.get(), [](void*, PGresult const*) {}, nullptr);
  is_lent_ = true;
  return raw_.release();
}

void connection::take_back(PGconn* raw) noexcept {
  is_lent_ = false;
  raw_.reset(raw);
  if (!raw) return mark_broken();
  adopt();
  // libpqxx does not read the end of a COPY's answer.
  if (PQpipelineStatus(raw) == PQ_PIPELINE_OFF && PQtransactionStatus(raw) == PQTRANS_ACTIVE) {
    auto const rest =
        next_answer(system_clock_source().now() + std::chrono::seconds{1}, "giving the connection back");
    if (!rest || rest.value()) mark_broken();
  }
  if (PQpipelineStatus(raw) != PQ_PIPELINE_OFF || PQtransactionStatus(raw) == PQTRANS_ACTIVE) mark_broken();
}

result<answer_ptr> run_simple(connection& link, std::string const& sql, steady_time deadline,
                              std::string_view doing) {
  link.clear_notices();
  if (PQsendQuery(link.raw(), sql.c_str()) == 0) return link.lost(doing);
  answer_ptr last;
  for (;;) {
    BOOST_OUTCOME_TRY(auto answer, link.next_answer(deadline, doing));
    if (!answer) break;
    if (is_copy(answer.get())) {
      link.mark_broken();
      return misuse_error(link.node(),
                          std::string{doing} + ": COPY needs copy_out or copy_in; the session is given up,");
    }
    if (!last || !is_error(last.get())) last = std::move(answer);
  }
  if (link.is_broken()) return link.lost(doing, last.get());
  if (!last) return violation_error(link.node(), doing);
  if (is_error(last.get())) {
    if (is_fatal(last.get())) link.mark_broken();
    return server_error(last.get(), link.node(), doing);
  }
  return last;
}

rows rows_of(PGresult const* answer, bool is_sync_wait_cancelled) {
  int const width = PQnfields(answer);
  int const height = PQntuples(answer);
  std::vector<rows::column> columns;
  for (int c = 0; c < width; ++c) columns.push_back({PQfname(answer, c), PQftype(answer, c)});
  std::vector<text_value> values;
  values.reserve(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  for (int r = 0; r < height; ++r) {
    for (int c = 0; c < width; ++c) {
      if (PQgetisnull(answer, r, c) == 1)
        values.emplace_back();
      else
        values.emplace_back(std::in_place, PQgetvalue(answer, r, c),
                            static_cast<std::size_t>(PQgetlength(answer, r, c)));
    }
  }
  return rows{std::move(columns), static_cast<std::size_t>(height), std::move(values), affected_by(answer)}
      .with_command(command_of(answer), is_sync_wait_cancelled);
}

}  // namespace pg
}  // namespace v0
}  // namespace shardway
