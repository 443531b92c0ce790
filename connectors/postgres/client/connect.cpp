// How a session is opened: several hosts, SQLSTATEs of refusals, liveness of dead networks.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/one_line.hpp"
#include "postgres/client/connection.hpp"
#include "postgres/client/secrets.hpp"

namespace semel::postgres {

namespace {

using Clock = std::chrono::steady_clock;

struct Finish {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
using Handle = std::unique_ptr<PGconn, Finish>;
struct FreeDefaults {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Defaults = std::unique_ptr<PQconninfoOption, FreeDefaults>;
using Parameters = std::vector<std::pair<std::string, std::string>>;

/// As libpq takes them; they live as long as `parameters`.
std::pair<std::vector<const char*>, std::vector<const char*>> pointers(
    const Parameters& parameters) {
  std::pair<std::vector<const char*>, std::vector<const char*>> all;
  for (const auto& [keyword, value] : parameters) {
    all.first.push_back(keyword.c_str());
    all.second.push_back(value.c_str());
  }
  all.first.push_back(nullptr);
  all.second.push_back(nullptr);
  return all;
}

Handle start(const Parameters& parameters) {
  const auto [keywords, values] = pointers(parameters);
  Handle connection(PQconnectStartParams(keywords.data(), values.data(), 1));
  if (!connection) return connection;
  // Triggers tell values in notices, and a login prints whatever client_min_messages lets through.
  PQsetNoticeReceiver(
      connection.get(), [](void*, const PGresult*) {}, nullptr);
  // The only way to see the SQLSTATE of a refused login.
  PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);
  return connection;
}

enum class Attempt : std::uint8_t { connected, refused, timed_out, interrupted };

Attempt complete(PGconn* connection, Clock::time_point until, const Interrupter& interrupter) {
  auto polled = PGRES_POLLING_WRITING;
  while (true) {
    if (polled == PGRES_POLLING_OK) return Attempt::connected;
    if (polled == PGRES_POLLING_FAILED) return Attempt::refused;
    if (interrupter.interrupted()) return Attempt::interrupted;
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return Attempt::timed_out;
    const short events = polled == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    pollfd fds[2] = {{PQsocket(connection), events, 0}, {interrupter.fd(), POLLIN, 0}};
    if (poll(fds, 2, static_cast<int>(std::min<std::int64_t>(left, 1'000))) > 0 &&
        fds[0].revents != 0) {
      polled = PQconnectPoll(connection);
    }
  }
}

/// "a,b,c" → "b,c,a"
std::string rotated(const std::string& list) {
  const auto comma = list.find(',');
  return comma == std::string::npos ? list : list.substr(comma + 1) + "," + list.substr(0, comma);
}

/// Where one of several hosts says nothing, PQconnectPoll never gets to the next one: the list is
/// tried again with that one last. Empty where there is one host only.
Parameters next_host_first(PGconn* connection) {
  const Defaults options(PQconninfo(connection));
  Parameters parameters;
  bool several = false;
  for (const auto* option = options.get(); option && option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string_view keyword = option->keyword;
    const bool list = keyword == "host" || keyword == "hostaddr" || keyword == "port";
    parameters.emplace_back(keyword, list ? rotated(option->val) : option->val);
    several = several || (list && keyword != "port" && parameters.back().second != option->val);
  }
  return several ? parameters : Parameters{};
}

std::size_t count_hosts(const Parameters& parameters) {
  std::size_t hosts = 1;
  for (const auto& [keyword, value] : parameters) {
    if (keyword != "host" && keyword != "hostaddr") continue;
    hosts = std::max<std::size_t>(
        hosts, 1 + static_cast<std::size_t>(std::count(value.begin(), value.end(), ',')));
  }
  return hosts;
}

bool is_sqlstate(std::string_view text) {
  return text.size() == 5 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
         });
}

/// "connection to server at "localhost" (::1), port …" without what is in the parentheses.
std::string without_address(std::string text) {
  const auto begin = text.find("\" (");
  const auto end = begin == std::string::npos ? begin : text.find("), ", begin);
  return end == std::string::npos ? text : text.erase(begin + 1, end - begin);
}

/// libpq's verbose text, "…failed: FATAL:  28P01: password authentication failed …\nLOCATION: …",
/// without what only developers read; `states` gets the SQLSTATEs.
std::string readable(std::string_view text, std::vector<std::string>& states) {
  std::string line;
  std::set<std::string> told;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string one(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (one.starts_with("LOCATION:") || one.empty()) continue;
    for (auto at = one.find(":  "); at != std::string::npos; at = one.find(":  ", at + 1)) {
      if (one.size() < at + 10 || one.substr(at + 8, 2) != ": ") continue;
      const auto state = one.substr(at + 3, 5);
      if (!is_sqlstate(state)) continue;
      states.push_back(state);
      one.erase(at + 1, 8);
      break;
    }
    // One server is asked again, with another kind of encryption or at another address, and says
    // the same.
    if (!told.insert(without_address(one)).second) continue;
    if (!line.empty()) line += "; ";
    line += one;
  }
  return line;
}

/// libpq has not even tried: what it was given can never be right.
bool made_no_attempt(Parameters parameters) {
  parameters.emplace_back("connect_timeout", "2");
  const auto [keywords, values] = pointers(parameters);
  return PQpingParams(keywords.data(), values.data(), 1) == PQPING_NO_ATTEMPT;
}

/// What libpq cannot set on a socket (keepalives, time-outs of the network) fails as if the server
/// were away. It fails as well, then, where a server certainly is: at a port of our own.
bool fails_anywhere(PGconn* connection, Parameters parameters) {
  // No address, no socket: it is the name that was not found. Of Unix sockets none of this is
  // asked.
  if (PQhostaddr(connection) == nullptr || *PQhostaddr(connection) == '\0') return false;
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const where = reinterpret_cast<sockaddr*>(&address);
  const bool listens = listener >= 0 && bind(listener, where, size) == 0 &&
                       listen(listener, 1) == 0 && getsockname(listener, where, &size) == 0;
  bool fails = false;
  if (listens) {
    parameters.emplace_back("host", "127.0.0.1");
    parameters.emplace_back("hostaddr", "127.0.0.1");
    parameters.emplace_back("port", fmt::to_string(ntohs(address.sin_port)));
    const auto trial = start(parameters);
    fails = trial && PQstatus(trial.get()) == CONNECTION_BAD;
  }
  if (listener >= 0) close(listener);
  return fails;
}

/// The server is still there and waits for us: it is libpq that does not want to go on, because of
/// what it was told to insist on (encryption, a kind of login). Whoever was left by the server has
/// no socket any more, or one that has ended. One that has let us in, and told its settings, is
/// only not the primary that is wanted: it may become one.
bool gave_up_by_itself(PGconn* connection) {
  if (PQparameterStatus(connection, "server_version") != nullptr) return false;
  char byte = 0;
  const int socket = PQsocket(connection);
  const auto peeked = socket < 0 ? 0 : recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return peeked > 0 || (peeked < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
}

std::optional<int> whole_number(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  int number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  return whole ? std::optional(number) : std::nullopt;
}

bool ports_are_numbers(std::string_view list) {
  while (!list.empty()) {
    const auto port = list.substr(0, list.find(','));
    list.remove_prefix(std::min(port.size() + 1, list.size()));
    const auto number = whole_number(port);
    if (!port.empty() && (!number || *number < 1 || *number > 65535)) return false;
  }
  return true;
}

/// What libpq looks at only when it comes to that host, as if it were an outage, or not at all
/// where we do the waiting. Empty: nothing is wrong.
std::string_view malformed(PGconn* connection) {
  const Defaults options(PQconninfo(connection));
  for (const auto* option = options.get(); option && option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string_view keyword = option->keyword;
    const std::string_view value = option->val;
    if (keyword == "port" && !ports_are_numbers(value)) {
      return "a port of PostgreSQL is not a number from 1 to 65535";
    }
    if (keyword == "connect_timeout" && !value.empty() && !whole_number(value)) {
      return "connect_timeout is not a number of seconds";
    }
  }
  return "";
}

/// Ours takes the place of it: what is no encoding at all would not be noticed.
bool names_an_encoding(const std::string& dsn) {
  const Defaults options(PQconninfoParse(dsn.c_str(), nullptr));
  for (const auto* option = options.get(); option && option->keyword != nullptr; ++option) {
    if (option->val == nullptr || std::string_view(option->keyword) != "client_encoding") continue;
    return std::string_view(option->val) == "auto" || pg_char_to_encoding(option->val) >= 0;
  }
  return true;
}

std::string remedy(const Options& options) {
  return fmt::format("Correct {}, or the PG* variables and the files that complete it",
                     options.names("sink.postgres.dsn"));
}

Error refusal(PGconn* connection, const Parameters& parameters, const Options& options,
              bool at_once) {
  const auto& dsn = options.dsn;
  std::vector<std::string> states;
  const auto text = one_line(without_secrets(readable(PQerrorMessage(connection), states), dsn));
  if (PQconnectionNeedsPassword(connection) != 0) states.emplace_back("28P01");
  const bool mistaken = states.empty() ? (at_once ? made_no_attempt(parameters) ||
                                                        fails_anywhere(connection, parameters)
                                                  : gave_up_by_itself(connection))
                                       : std::ranges::all_of(states, refuses_a_setting);
  if (mistaken) {
    return {ErrorKind::fatal, Cause::configuration,
            fmt::format("PostgreSQL cannot be used as it is configured: {}. {}", text,
                        remedy(options))};
  }
  // With several hosts, one that may come back is enough to wait for.
  auto kind = states.empty() ? ErrorKind::unavailable : ErrorKind::fatal;
  auto first = states.empty() ? "" : states.front();
  for (const auto& state : states) {
    const auto meaning = meaning_of(state);
    if (meaning == Meaning::unavailable || meaning == Meaning::retriable) {
      kind = meaning == Meaning::unavailable ? ErrorKind::unavailable : ErrorKind::retriable;
      first = state;
    }
  }
  if (kind == ErrorKind::fatal) {
    return {kind, Cause::sink,
            fmt::format("PostgreSQL does not let us in: {} (SQLSTATE {}). Correct {}, or let "
                        "the role log in to the database",
                        text, first, options.names("sink.postgres.dsn"))};
  }
  return {kind, Cause::sink, fmt::format("PostgreSQL cannot be reached: {}", text)};
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const Options& options,
                                                     const std::string& application_name,
                                                     std::shared_ptr<Interrupter> interrupter) {
  if (const auto mistake = dsn_mistake(options.dsn); !mistake.empty()) {
    return fail(ErrorKind::fatal, Cause::configuration,
                options.names("sink.postgres.dsn") + " cannot be understood: " + mistake);
  }
  if (!names_an_encoding(options.dsn)) {
    return fail(
        ErrorKind::fatal, Cause::configuration,
        fmt::format("client_encoding in {} is no encoding that PostgreSQL knows. Leave it out: "
                    "semel sends UTF-8",
                    options.names("sink.postgres.dsn")));
  }

  // What comes before `dbname` the DSN may change, what comes after it may not. The time-outs
  // notice a network that swallows everything; the kernel's own take two hours.
  Parameters parameters{{"target_session_attrs", "primary"},    {"keepalives_idle", "30"},
                        {"keepalives_interval", "10"},          {"keepalives_count", "3"},
                        {"tcp_user_timeout", "60000"},          {"dbname", options.dsn},
                        {"application_name", application_name}, {"client_encoding", "UTF8"}};
  Handle connection;
  for (std::size_t tried = 0, hosts = 1; tried < hosts; ++tried) {
    connection = start(parameters);
    if (!connection) return fail(ErrorKind::retriable, Cause::sink, "out of memory in libpq");
    if (const auto mistake = malformed(connection.get()); !mistake.empty()) {
      return fail(ErrorKind::fatal, Cause::configuration,
                  fmt::format("{}. {}", mistake, remedy(options)));
    }
    const auto until = Clock::now() + std::chrono::milliseconds(options.connect_timeout_ms);
    const bool at_once = PQstatus(connection.get()) == CONNECTION_BAD;
    switch (at_once ? Attempt::refused : complete(connection.get(), until, *interrupter)) {
      case Attempt::connected:
        try {
          return std::unique_ptr<Connection>(
              new Connection(connection.release(), std::move(interrupter), options.names));
        } catch (const std::exception& error) {
          return fail(ErrorKind::unavailable, Cause::sink,
                      fmt::format("the connection to PostgreSQL broke at once: {}", error.what()));
        }
      case Attempt::refused:
        return tl::unexpected(refusal(connection.get(), parameters, options, at_once));
      case Attempt::interrupted:
        return fail(ErrorKind::unavailable, Cause::sink,
                    "connecting to PostgreSQL was interrupted, because the pipeline ends");
      case Attempt::timed_out:
        if (auto next = next_host_first(connection.get()); !next.empty()) {
          parameters = std::move(next);
          hosts = count_hosts(parameters);
        }
    }
  }
  return fail(
      ErrorKind::unavailable, Cause::sink,
      fmt::format("PostgreSQL at {} did not answer within {} ms ({}). Is the address right, "
                  "and does a firewall let us through?",
                  PQhost(connection.get()), options.connect_timeout_ms,
                  options.names("sink.postgres.connect_timeout")));
}

}  // namespace semel::postgres
