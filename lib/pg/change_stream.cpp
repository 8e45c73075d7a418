#include "lib/pg/change_stream.hpp"

#include "lib/pg/connection.hpp"
#include "lib/pg/pgoutput.hpp"
#include "lib/pg/translate.hpp"
#include "lib/pg/wire_reader.hpp"

namespace shardway {
inline namespace v0 {
namespace pg {
namespace {

constexpr std::string_view doing = "reading the change stream";

// PostgreSQL counts microseconds from 2000-01-01.
std::int64_t server_time() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock_source().wall() - sys_days{year{2000} / 1 / 1}).count();
}

void append_number(std::string& message, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) message.push_back(static_cast<char>((value >> shift) & 0xFF));
}

class pg_change_stream final : public change_stream {
 public:
  pg_change_stream(std::shared_ptr<connection> link, change_stream_options options)
      : link_(std::move(link)), options_(std::move(options)), next_status_(system_clock_source().now()) {}

  result<std::optional<stream_event>> next(steady_time deadline) override {
    for (;;) {
      BOOST_OUTCOME_TRYV(report_if_due());
      char* piece{};
      int const size = PQgetCopyData(link_->raw(), &piece, 1);
      memory_ptr<char> const owned{piece};
      if (size < 0) return ended();
      if (size > 0) {
        BOOST_OUTCOME_TRY(
            auto event, message({reinterpret_cast<std::byte const*>(piece), static_cast<std::size_t>(size)}));
        if (event) return event;
        continue;
      }
      BOOST_OUTCOME_TRY(bool progressed, link_->wait_progress(std::min(deadline, next_status_), doing));
      if (!progressed && system_clock_source().now() >= deadline) return std::optional<stream_event>{};
    }
  }

  result<> confirm(lsn position) override {
    confirmed_ = std::max(confirmed_, position);
    return report_if_due();
  }

 private:
  result<std::optional<stream_event>> message(std::span<std::byte const> bytes) {
    wire_reader reader{bytes};
    switch (reader.letter()) {
      case 'w':
        return change(reader);
      case 'k':
        return keepalive(reader);
      default:
        return violation_error(link_->node(), doing);
    }
  }

  result<std::optional<stream_event>> change(wire_reader& reader) {
    lsn const start{reader.number<std::uint64_t>()};
    reader.take(16);  // the server's end of WAL and clock
    if (!reader.is_valid()) return violation_error(link_->node(), doing);
    received_ = std::max(received_, start);
    auto event = decoder_.decode(reader.take(reader.left()));
    if (!event) return event.error().at_node(link_->node());
    return event;
  }

  result<std::optional<stream_event>> keepalive(wire_reader& reader) {
    lsn const end{reader.number<std::uint64_t>()};
    reader.take(8);
    bool const wants_reply = reader.byte() != 0;
    if (!reader.is_valid() || !reader.is_at_end()) return violation_error(link_->node(), doing);
    received_ = std::max(received_, end);
    if (wants_reply) {
      BOOST_OUTCOME_TRYV(report());
    }
    return std::optional<stream_event>{keepalive_event{end}};
  }

  result<> report_if_due() {
    if (link_->is_broken()) return link_->lost(doing);
    if (system_clock_source().now() < next_status_) return success();
    return report();
  }

  // Sends a standby status. Only what was confirmed is reported as flushed (I10, S6). A position of 0
  // confirms nothing.
  result<> report() {
    next_status_ = system_clock_source().now() + options_.status_interval;
    std::string status{"r"};
    append_number(status, std::max(received_, confirmed_).value());
    append_number(status, confirmed_.value());
    append_number(status, confirmed_.value());
    append_number(status, static_cast<std::uint64_t>(server_time()));
    status.push_back('\0');
    if (PQputCopyData(link_->raw(), status.data(), static_cast<int>(status.size())) != 1)
      return link_->lost(doing);
    if (PQflush(link_->raw()) < 0) return link_->lost(doing);
    return success();
  }

  error ended() {
    auto answer = link_->next_answer(system_clock_source().now() + std::chrono::seconds{5}, doing);
    link_->mark_broken();
    if (!answer) return answer.error();
    auto const* last = answer.value().get();
    auto const state = sqlstate_of(last);
    if (state.empty() || is_fatal(last) || state.starts_with("57") || state.starts_with("08"))
      return link_->lost(doing, last);
    auto const cause = server_error(last, link_->node(), doing);
    return error{error_code::stream_broken, cause.message(),
                 "read the server's detail; the replication slot was not advanced"}
        .at_node(link_->node())
        .with_server(cause.sqlstate(), cause.server_detail());
  }

  std::shared_ptr<connection> link_;
  change_stream_options options_;
  pgoutput_decoder decoder_;
  steady_time next_status_;
  lsn received_;
  lsn confirmed_;
};

error stream_error(connection const& link, error_code code, std::string what, std::string hint) {
  return error{code, "opening the change stream on node \"" + link.node() + "\": " + std::move(what),
               std::move(hint)}
      .at_node(link.node());
}

// Quotes a name. The replication protocol knows no E'' form, so a backslash is refused.
result<std::string> quoted(connection const& link, std::string const& text, char quote) {
  if (text.empty() || text.find('\0') != std::string::npos || text.find('\\') != std::string::npos) {
    return stream_error(link, error_code::invalid_argument, "a name is empty or holds NUL or a backslash",
                        {});
  }
  std::string made{quote};
  for (char c : text) made.append(c == quote ? 2 : 1, c);
  return made + quote;
}

result<std::string> start_command(connection const& link, change_stream_options const& options) {
  BOOST_OUTCOME_TRY(auto const name, quoted(link, options.replication_slot, '"'));
  std::string publications;
  for (auto const& publication : options.publications) {
    BOOST_OUTCOME_TRY(auto const one, quoted(link, publication, '"'));
    publications.append(publications.empty() ? "" : ",").append(one);
  }
  BOOST_OUTCOME_TRY(auto const list, quoted(link, publications, '\''));
  return "START_REPLICATION SLOT " + name + " LOGICAL " + options.start.to_string() +
         " (proto_version '1', publication_names " + list + (options.messages ? ", messages 'true')" : ")");
}

result<> check_options(connection const& link, change_stream_options const& options, int server_version) {
  auto const bad = [&](char const* what) {
    return stream_error(link, error_code::invalid_argument, what, {});
  };
  if (options.publications.empty()) return bad("no publication was given");
  if (options.status_interval <= std::chrono::milliseconds::zero())
    return bad("status_interval must be above 0");
  if (options.messages && server_version < 140000)
    return bad("logical messages need a server of 14 or later");
  return success();
}

result<> check_replication_slot(connection& link, change_stream_options const& options,
                                steady_time deadline) {
  BOOST_OUTCOME_TRY(auto const name, quoted(link, options.replication_slot, '\''));
  BOOST_OUTCOME_TRY(auto const answer, run_simple(link,
                                                  "SELECT plugin, confirmed_flush_lsn, wal_status, "
                                                  "restart_lsn IS NULL FROM pg_catalog.pg_replication_slots "
                                                  "WHERE slot_type = 'logical' AND slot_name = " +
                                                      name,
                                                  deadline, "reading the replication slot"));
  auto const found = rows_of(answer.get(), false);
  auto const called = "replication slot \"" + options.replication_slot + "\" ";
  if (found.empty())
    return stream_error(link, error_code::stream_broken, called + "does not exist",
                        "its ranges must be copied again under a new one");
  if (found.text(0, 2) == "lost" || found.boolean(0, 3)) {
    return stream_error(link, error_code::stream_broken,
                        called + "is lost: the server has removed WAL it needs",
                        "its ranges must be copied again");
  }
  if (found.text(0, 0) != "pgoutput")
    return stream_error(link, error_code::precondition_failed, called + "has another plug-in",
                        "make one with pgoutput");
  auto const confirmed = lsn::parse(found.text(0, 1)).value_or(lsn{});
  if (options.start.is_set() && options.start < confirmed) {
    return stream_error(
        link, error_code::stream_broken,
        called + "is at " + confirmed.to_string() + ", past the requested " + options.start.to_string(),
        "the changes between were confirmed and are not sent again: copy their ranges again");
  }
  return success();
}

result<> check_publications(connection& link, change_stream_options const& options, steady_time deadline) {
  for (auto const& publication : options.publications) {
    BOOST_OUTCOME_TRY(auto const name, quoted(link, publication, '\''));
    BOOST_OUTCOME_TRY(auto const answer,
                      run_simple(link, "SELECT 1 FROM pg_catalog.pg_publication WHERE pubname = " + name,
                                 deadline, "reading a publication"));
    if (PQntuples(answer.get()) == 0) {
      return stream_error(link, error_code::precondition_failed,
                          "publication \"" + publication + "\" does not exist", "create it first");
    }
  }
  return success();
}

result<> start(connection& link, std::string const& command, steady_time deadline) {
  constexpr std::string_view starting = "starting the change stream";
  if (PQsendQuery(link.raw(), command.c_str()) == 0) return link.lost(starting);
  BOOST_OUTCOME_TRY(auto const answer, link.next_answer(deadline, starting));
  if (PQresultStatus(answer.get()) == PGRES_COPY_BOTH) return success();
  if (link.is_broken()) return link.lost(starting, answer.get());
  auto const cause = server_error(answer.get(), link.node(), starting);
  auto const translated = [&](error_code code, char const* what, char const* hint) {
    return stream_error(link, code, what, hint).with_server(cause.sqlstate(), cause.server_detail());
  };
  if (cause.sqlstate() == "55006")
    return translated(error_code::precondition_failed, "the replication slot is in use",
                      "stop the other reader, then try again");
  if (cause.sqlstate() == "42704")
    return translated(error_code::stream_broken, "the replication slot does not exist",
                      "its ranges must be copied again");
  if (cause.sqlstate() == "55000")
    return translated(error_code::stream_broken, "the replication slot cannot be read any more",
                      "its ranges must be copied again");
  return cause;
}

}  // namespace
}  // namespace pg

result<std::unique_ptr<change_stream>> open_change_stream(connect_options const& where,
                                                          change_stream_options const& options) {
  auto const deadline = system_clock_source().now() + 2 * where.connect_timeout;
  BOOST_OUTCOME_TRY(auto made, pg::make_connection(where, pg::connection_use::replication));
  auto& link = *made.link;
  BOOST_OUTCOME_TRYV(pg::check_options(link, options, made.identity.server_version));
  BOOST_OUTCOME_TRYV(pg::check_replication_slot(link, options, deadline));
  BOOST_OUTCOME_TRYV(pg::check_publications(link, options, deadline));
  BOOST_OUTCOME_TRY(auto const command, pg::start_command(link, options));
  BOOST_OUTCOME_TRYV(pg::start(link, command, deadline));
  return std::unique_ptr<change_stream>{
      std::make_unique<pg::pg_change_stream>(std::move(made.link), options)};
}

}  // namespace v0
}  // namespace shardway
