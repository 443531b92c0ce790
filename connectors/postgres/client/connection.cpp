#include "postgres/client/connection.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <initializer_list>
#include <stdexcept>

#include "base/one_line.hpp"
#include "postgres/client/log_text.hpp"
#include "postgres/client/pqxx_handle.hpp"

namespace semel::postgres {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view no_answer = "no answer in time";

std::string field(const PGresult* result, int code) {
  const char* value = PQresultErrorField(result, code);
  return value == nullptr ? "" : value;
}

ServerError error_of(const PGresult* result) {
  const auto severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  return {.sqlstate = field(result, PG_DIAG_SQLSTATE),
          .message = one_line(field(result, PG_DIAG_MESSAGE_PRIMARY)),
          .detail = one_line(field(result, PG_DIAG_MESSAGE_DETAIL)),
          .hint = one_line(field(result, PG_DIAG_MESSAGE_HINT)),
          .context = field(result, PG_DIAG_CONTEXT),
          .schema = field(result, PG_DIAG_SCHEMA_NAME),
          .table = field(result, PG_DIAG_TABLE_NAME),
          .column = field(result, PG_DIAG_COLUMN_NAME),
          .constraint = field(result, PG_DIAG_CONSTRAINT_NAME),
          .source_file = field(result, PG_DIAG_SOURCE_FILE),
          .source_function = field(result, PG_DIAG_SOURCE_FUNCTION),
          .session_ended = severity == "FATAL" || severity == "PANIC"};
}

}  // namespace

std::int64_t Rows::number(int row, int column) const {
  std::int64_t value = 0;
  const auto digits = view(row, column);
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

std::optional<std::int64_t> Rows::optional_number(int row, int column) const {
  if (is_null(row, column)) return std::nullopt;
  return number(row, column);
}

std::optional<std::string> Rows::bytes(int row, int column) const {
  if (is_null(row, column)) return std::nullopt;
  constexpr int hexadecimal = 16;
  const auto text = view(row, column);
  std::string bytes(text.size() / 2, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    unsigned char byte = 0;
    std::from_chars(text.data() + 2 * i, text.data() + 2 * i + 2, byte, hexadecimal);
    bytes[i] = static_cast<char>(byte);
  }
  return bytes;
}

std::size_t Reply::tables() const {
  return static_cast<std::size_t>(std::ranges::count_if(results, &Rows::is_table));
}

namespace {

std::uint64_t counted(const std::vector<Rows>& results,
                      std::initializer_list<std::string_view> commands) {
  std::uint64_t total = 0;
  for (const auto& rows : results) {
    const auto tag = rows.tag();
    const auto is_tag = [&](std::string_view command) { return tag.starts_with(command); };
    if (std::ranges::none_of(commands, is_tag)) continue;
    std::uint64_t count = 0;
    std::from_chars(tag.data() + tag.rfind(' ') + 1, tag.data() + tag.size(), count);
    total += count;
  }
  return total;
}

}  // namespace

std::uint64_t Reply::rows_stored() const {
  return counted(results, {"COPY ", "INSERT "});
}

std::uint64_t Reply::rows_changed() const {
  return counted(results, {"INSERT ", "UPDATE ", "DELETE "});
}

const Rows& Reply::table(std::size_t n) const {
  for (const auto& rows : results) {
    if (rows.is_table() && n-- == 0) return rows;
  }
  throw std::logic_error("the server answered with fewer tables than were asked for");
}

Error to_error(const Reply& reply, std::string_view doing) {
  if (reply.error) return to_error(*reply.error, doing);
  // Nobody knows that it was the connection.
  if (reply.lost == no_answer) {
    return {ErrorKind::unavailable, Cause::sink,
            fmt::format("PostgreSQL gave {} while {}: it says nothing, or somebody holds a lock",
                        no_answer, doing)};
  }
  return {ErrorKind::unavailable, Cause::sink,
          fmt::format("the connection to PostgreSQL was lost while {}: {}", doing,
                      reply.lost.value_or("no reason given"))};
}

Connection::Connection(PGconn* opened, std::shared_ptr<Interrupter> interrupter,
                       const SettingNames& names)
    : handle_(opened),
      pqxx_(std::make_unique<PqxxHandle>(opened)),
      interrupter_(std::move(interrupter)),
      cancel_(PQgetCancel(opened), PQfreeCancel),
      backend_(PQbackendPID(opened)),
      names_(names) {
  // What libpq has to say is for logs. Fields of errors are there nevertheless.
  PQsetErrorVerbosity(handle_, PQERRORS_SQLSTATE);
  PQsetnonblocking(handle_, 1);
  if (cancel_) interrupter_->add(cancel_);
}

Connection::~Connection() {
  interrupter_->remove(cancel_);
}

bool Connection::usable() const {
  return broken_.empty() && PQstatus(handle_) == CONNECTION_OK;
}

void Connection::give_up(std::string why) {
  if (broken_.empty()) broken_ = std::move(why);
}

bool Connection::is_alive() {
  pollfd readable{PQsocket(handle_), POLLIN, 0};
  if (usable() && poll(&readable, 1, 0) > 0 && PQconsumeInput(handle_) != 0) {
    // A farewell is read here; the end of the stream only by the next look.
    while (PGresult* result = PQgetResult(handle_)) {
      PQclear(result);
      give_up("the server ended the session");
    }
    readable.revents = 0;
    if (poll(&readable, 1, 0) > 0 && PQconsumeInput(handle_) == 0) {
      give_up("the server ended the session");
    }
  }
  return usable();
}

bool Connection::server_speaks_utf8() const {
  const char* encoding = PQparameterStatus(handle_, "server_encoding");
  return encoding != nullptr && std::string_view(encoding) == "UTF8";
}

std::string Connection::where() const {
  const auto text = [](const char* value) { return value == nullptr ? "?" : value; };
  return fmt::format("as {} to {} on {}:{}", text(PQuser(handle_)), text(PQdb(handle_)),
                     text(PQhost(handle_)), text(PQport(handle_)));
}

void Connection::on_silence(std::chrono::milliseconds first, OnSilence tell) {
  tell_first_ = first;
  tell_ = std::move(tell);
}

Clock::time_point Connection::begin_to_wait(std::chrono::milliseconds patience) {
  waits_since_ = Clock::now();
  tell_at_ = waits_since_ + tell_first_;
  return waits_since_ + patience;
}

void Connection::tell_silence(Clock::time_point now) {
  const auto waited = now - waits_since_;
  tell_at_ = now + waited;
  tell_(std::chrono::duration_cast<std::chrono::milliseconds>(waited));
}

bool Connection::wait(short events, Clock::time_point until) {
  while (true) {
    if (interrupter_->interrupted()) {
      give_up("interrupted, because the pipeline ends");
      return false;
    }
    const auto now = Clock::now();
    if (now >= until) {
      give_up(std::string(no_answer));
      return false;
    }
    if (tell_ && now >= tell_at_) tell_silence(now);
    const auto next = tell_ ? std::min(until, tell_at_) : until;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
    pollfd fds[2] = {{PQsocket(handle_), events, 0}, {interrupter_->fd(), POLLIN, 0}};
    const int ready = poll(fds, 2, static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000)));
    if (ready > 0 && fds[0].revents != 0) return true;
    if (ready < 0 && errno != EINTR) {
      give_up("the socket cannot be polled");
      return false;
    }
  }
}

bool Connection::flush(Clock::time_point until) {
  while (true) {
    const int left = PQflush(handle_);
    if (left == 0) return true;
    if (left < 0) {
      give_up(one_line(PQerrorMessage(handle_)));
      return false;
    }
    // Both directions: a server that wants to be heard first would block for ever.
    if (!wait(POLLIN | POLLOUT, until)) return false;
    pollfd readable{PQsocket(handle_), POLLIN, 0};
    if (poll(&readable, 1, 0) > 0 && PQconsumeInput(handle_) == 0) {
      give_up(one_line(PQerrorMessage(handle_)));
      return false;
    }
  }
}

bool Connection::send(const std::string& sql) {
  if (!usable()) {
    give_up("the session had ended before");
    return false;
  }
  if (PQsendQuery(handle_, sql.c_str()) == 0) {
    give_up(one_line(PQerrorMessage(handle_)));
    return false;
  }
  return true;
}

Reply Connection::receive(std::chrono::milliseconds patience) {
  Reply reply;
  const auto until = begin_to_wait(patience);
  const auto lost = [&]() -> Reply& {
    reply.lost = broken_;
    return reply;
  };
  if (!broken_.empty() || !flush(until)) return std::move(lost());
  while (true) {
    while (PQisBusy(handle_) != 0) {
      if (!wait(POLLIN, until)) return std::move(lost());
      if (PQconsumeInput(handle_) == 0) {
        give_up(one_line(PQerrorMessage(handle_)));
        return std::move(lost());
      }
    }
    PGresult* result = PQgetResult(handle_);
    if (result == nullptr) break;
    switch (PQresultStatus(result)) {
      case PGRES_COPY_IN:
        PQclear(result);
        reply.copy_in = true;
        return reply;
      case PGRES_TUPLES_OK:
      case PGRES_COMMAND_OK:
      case PGRES_EMPTY_QUERY:
        reply.results.emplace_back(result);
        break;
      default: {
        auto error = error_of(result);
        error.names = names_;
        const auto text = one_line(PQresultErrorMessage(result));
        PQclear(result);
        if (error.sqlstate.empty()) {  // libpq's own: the connection
          give_up(text);
        } else {
          if (error.session_ended) give_up(log_text(error));
          if (!reply.error) reply.error = std::move(error);
        }
      }
    }
  }
  if (PQstatus(handle_) != CONNECTION_OK) give_up(one_line(PQerrorMessage(handle_)));
  if (!broken_.empty()) return std::move(lost());
  return reply;
}

Reply Connection::exchange(const std::string& sql, std::chrono::milliseconds patience) {
  send(sql);
  return receive(patience);
}

Reply Connection::exchange(const std::string& sql, const std::vector<const char*>& values,
                           const std::vector<int>& lengths, std::chrono::milliseconds patience) {
  constexpr int binary = 1;
  const std::vector<int> formats(values.size(), binary);
  if (!usable()) {
    give_up("the session had ended before");
  } else if (PQsendQueryParams(handle_, sql.c_str(), static_cast<int>(values.size()), nullptr,
                               values.data(), lengths.data(), formats.data(), 0) == 0) {
    give_up(one_line(PQerrorMessage(handle_)));
  }
  return receive(patience);
}

Result<Reply> Connection::run(const std::string& sql, std::string_view doing,
                              std::chrono::milliseconds patience) {
  auto reply = exchange(sql, patience);
  if (!reply.ok()) return tl::unexpected(to_error(reply, doing));
  return reply;
}

bool Connection::put(std::string_view bytes, std::chrono::milliseconds patience) {
  const auto until = begin_to_wait(patience);
  // What was put before goes first, so that libpq's buffer holds one piece, not a range.
  if (!broken_.empty() || !flush(until)) return false;
  if (PQputCopyData(handle_, bytes.data(), static_cast<int>(bytes.size())) != 1) {
    give_up(one_line(PQerrorMessage(handle_)));
    return false;
  }
  if (PQflush(handle_) < 0) {
    give_up(one_line(PQerrorMessage(handle_)));
    return false;
  }
  return true;
}

bool Connection::put_end(const char* failure, std::chrono::milliseconds patience) {
  const auto until = begin_to_wait(patience);
  if (!broken_.empty() || !flush(until)) return false;
  if (PQputCopyEnd(handle_, failure) != 1) {
    give_up(one_line(PQerrorMessage(handle_)));
    return false;
  }
  return true;
}

bool Connection::roll_back() noexcept try {
  // Long enough for a server that answers at all; a backend that waits for a lock is left to be
  // ended by the next session.
  constexpr std::chrono::milliseconds patience{2'000};
  if (!usable()) return false;
  if (PQtransactionStatus(handle_) == PQTRANS_ACTIVE) {
    auto reply = receive(patience);
    if (reply.copy_in && put_end("given up", patience)) reply = receive(patience);
    if (!usable()) return false;
  }
  if (PQtransactionStatus(handle_) == PQTRANS_IDLE) return true;
  const auto reply = exchange("ROLLBACK", patience);
  if (!reply.ok()) give_up("ROLLBACK was not answered");
  return usable();
} catch (...) {
  return false;
}

}  // namespace semel::postgres
