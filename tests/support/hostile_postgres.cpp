#include "support/hostile_postgres.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <optional>
#include <sstream>
#include <tuple>
#include <utility>

#include "support/loopback.hpp"

namespace semel::test {

namespace {

constexpr std::string_view help =
    "error SQLSTATE [SEVERITY] | delay MS | stop | cut | lose-reply, each with [times N] [nth N] "
    "[at TEXT]; go; clear; cut-all; throttle BYTES_PER_SECOND; random SEED PROBABILITY; count";

// Requests in place of a startup message.
constexpr std::uint32_t tls_request = 80'877'103;
constexpr std::uint32_t gss_request = 80'877'104;

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    number = number << 8U | static_cast<unsigned char>(bytes[at + i]);
  }
  return number;
}

/// A message as it goes over the wire.
std::string framed(char type, std::string_view body) {
  std::string bytes(1, type);
  const auto length = static_cast<std::uint32_t>(body.size() + 4);
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(length >> shift & 255U);
  return bytes.append(body);
}

std::string error_body(const PostgresFault& fault) {
  std::string body;
  for (const auto& [field, text] : {std::pair{'S', fault.severity},
                                    {'V', fault.severity},
                                    {'C', fault.sqlstate},
                                    {'M', fault.message}}) {
    body += field;
    body += text;
    body += '\0';
  }
  return body += '\0';
}

}  // namespace

struct HostilePostgres::Link {
  int client = -1;
  int server = -1;
  int cuts = 0;
  bool started = false;  ///< the startup message is through
  bool ends_at_answer = false;
  std::string client_bytes;  ///< that are no whole message yet
  std::string server_bytes;
  std::string copied;                   ///< the end of COPY's stream, to find texts across messages
  std::optional<PostgresFault> answer;  ///< instead of the server's next error
  std::atomic<bool> over{false};
  std::thread thread;

  ~Link() {
    if (thread.joinable()) thread.join();
    if (client >= 0) close(client);
    if (server >= 0) close(server);
  }
};

HostilePostgres::HostilePostgres(int target_port, int port) : target_port_(target_port) {
  std::tie(listener_, port_) = listen_on_loopback(port);
  thread_ = std::thread([this] { accept_links(); });
}

HostilePostgres::~HostilePostgres() {
  done_ = true;
  thread_.join();
  close(listener_);
}

void HostilePostgres::add(const PostgresFault& fault) {
  const std::lock_guard lock(mutex_);
  rules_.push_back({fault});
}

void HostilePostgres::clear() {
  const std::lock_guard lock(mutex_);
  rules_.clear();
  probability_ = 0;
  throttle_ = 0;
  go();
}

void HostilePostgres::random(std::uint64_t seed, double probability) {
  const std::lock_guard lock(mutex_);
  random_.seed(seed);
  probability_ = probability;
}

PostgresFault HostilePostgres::any_fault() {
  const auto one_of = [this](std::uint64_t many) { return random_() % many; };
  using Kind = PostgresFault::Kind;
  switch (one_of(5)) {
    case 0: {
      // What may pass, and says so to a client that listens.
      constexpr const char* codes[] = {"40001", "40P01", "53200", "55P03", "57014", "58030"};
      return {.kind = Kind::error, .sqlstate = codes[one_of(std::size(codes))]};
    }
    case 1:
      return {.kind = Kind::error, .sqlstate = "57P01", .severity = "FATAL"};
    case 2:
      return {.kind = Kind::cut};
    case 3:
      return {.kind = Kind::lose_reply};
    default:
      return {.kind = Kind::delay, .delay = std::chrono::milliseconds(one_of(300))};
  }
}

std::vector<PostgresFault> HostilePostgres::due(std::string_view says) {
  const std::lock_guard lock(mutex_);
  std::vector<PostgresFault> faults;
  for (auto& [fault, seen] : rules_) {
    if (says.find(fault.text) == std::string_view::npos) continue;
    ++seen;
    if (seen >= fault.nth && (fault.times == 0 || seen < fault.nth + fault.times)) {
      faults.push_back(fault);
    }
  }
  std::bernoulli_distribution strikes(probability_);
  if (faults.empty() && probability_ > 0 && strikes(random_)) faults.push_back(any_fault());
  return faults;
}

bool HostilePostgres::wait(const std::function<bool()>& until, const Link& link) {
  while (!done_ && link.cuts == cuts_) {
    if (until()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

bool HostilePostgres::slow_down(std::size_t bytes, const Link& link) {
  const auto rate = throttle_.load();
  if (rate <= 0) return true;
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::microseconds(static_cast<std::int64_t>(bytes) * 1'000'000 / rate);
  return wait([&] { return std::chrono::steady_clock::now() >= end; }, link);
}

bool HostilePostgres::refuse(Link& link, char type, const std::string& message,
                             const PostgresFault& fault) {
  // Whatever the server says of the failure that is brought about here is rewritten on its way.
  link.answer = fault;
  if (type != 'Q') return send_all(link.server, framed('f', "refused by the hostile proxy"));
  const auto at = message.find(fault.text);
  const auto begin =
      at == std::string::npos || at == 0 ? std::string::npos : message.rfind(';', at);
  auto failing = begin == std::string::npos ? "" : message.substr(0, begin + 1);
  failing += "SELECT 1/0";
  failing += '\0';
  return send_all(link.server, framed('Q', failing));
}

bool HostilePostgres::forward(Link& link, char type, std::string message) {
  std::vector<PostgresFault> faults;
  if (type == 'Q') {
    faults = due(message);
    link.copied.clear();
    link.answer.reset();  // a text in what follows a refused COPY changes nothing any more
  } else if (type == 'd') {
    link.copied += message;
    faults = due(link.copied);
    constexpr std::size_t longest_text = 256;
    // A text that was found is not found again.
    const auto keep = faults.empty() ? std::min(link.copied.size(), longest_text) : 0;
    link.copied.erase(0, link.copied.size() - keep);
  }
  for (const auto& fault : faults) {
    ++happened_;
    switch (fault.kind) {
      case PostgresFault::Kind::error:
        return refuse(link, type, message, fault);
      case PostgresFault::Kind::cut:
        return false;
      case PostgresFault::Kind::delay: {
        const auto end = std::chrono::steady_clock::now() + fault.delay;
        if (!wait([&] { return std::chrono::steady_clock::now() >= end; }, link)) return false;
        break;
      }
      case PostgresFault::Kind::stop:
        if (!wait([this, before = goes_.load()] { return goes_ != before; }, link)) return false;
        break;
      case PostgresFault::Kind::lose_reply:
        link.ends_at_answer = true;
    }
  }
  return send_all(link.server, framed(type, message));
}

bool HostilePostgres::from_client(Link& link) {
  char buffer[65536];
  const auto got = recv(link.client, buffer, sizeof buffer, 0);
  if (got <= 0 || !slow_down(static_cast<std::size_t>(got), link)) return false;
  auto& bytes = link.client_bytes;
  bytes.append(buffer, static_cast<std::size_t>(got));
  while (!link.started && bytes.size() >= 8 && bytes.size() >= number_at(bytes, 0)) {
    const auto length = number_at(bytes, 0);
    const auto what = number_at(bytes, 4);
    const bool refused = what == tls_request || what == gss_request;
    if (!(refused ? send_all(link.client, "N")
                  : send_all(link.server, std::string_view(bytes).substr(0, length)))) {
      return false;
    }
    link.started = !refused;
    bytes.erase(0, length);
  }
  std::size_t at = 0;
  while (link.started && bytes.size() >= at + 5) {
    const std::size_t length = number_at(bytes, at + 1);
    if (bytes.size() < at + 1 + length) break;
    if (!forward(link, bytes[at], bytes.substr(at + 5, length - 4))) return false;
    at += 1 + length;
  }
  bytes.erase(0, at);
  return true;
}

bool HostilePostgres::from_server(Link& link) {
  char buffer[65536];
  const auto got = recv(link.server, buffer, sizeof buffer, 0);
  if (got <= 0 || link.ends_at_answer || !slow_down(static_cast<std::size_t>(got), link)) {
    return false;
  }
  auto& bytes = link.server_bytes;
  bytes.append(buffer, static_cast<std::size_t>(got));
  if (!link.answer) return send_all(link.client, std::exchange(bytes, {}));
  // Message by message, until the error comes that is to be another one.
  std::size_t at = 0;
  while (link.answer && bytes.size() >= at + 5) {
    const std::size_t length = 1 + number_at(bytes, at + 1);
    if (bytes.size() < at + length) break;
    auto message = bytes.substr(at, length);
    at += length;
    if (message[0] == 'E') {
      const auto fault = *std::exchange(link.answer, std::nullopt);
      message = framed('E', error_body(fault));
      if (fault.severity == "FATAL" || fault.severity == "PANIC") {
        send_all(link.client, message);
        return false;
      }
    }
    if (!send_all(link.client, message)) return false;
  }
  bytes.erase(0, at);
  return link.answer || send_all(link.client, std::exchange(bytes, {}));
}

void HostilePostgres::serve(Link& link) {
  bool good = true;
  while (good && !done_ && link.cuts == cuts_) {
    pollfd fds[2] = {{link.client, POLLIN, 0}, {link.server, POLLIN, 0}};
    if (poll(fds, 2, 20) < 0) continue;
    good = (fds[1].revents == 0 || from_server(link)) && (fds[0].revents == 0 || from_client(link));
  }
  // Both ends learn of it now, not when the thread is joined.
  shutdown(link.client, SHUT_RDWR);
  shutdown(link.server, SHUT_RDWR);
  link.over = true;
}

void HostilePostgres::accept_links() {
  while (!done_) {
    std::erase_if(links_, [](const auto& link) { return link->over.load(); });
    pollfd listening{listener_, POLLIN, 0};
    if (poll(&listening, 1, 20) <= 0) continue;
    auto link = std::make_unique<Link>();
    link->client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    link->server = connect_to_loopback(target_port_);
    link->cuts = cuts_;
    if (link->client < 0 || link->server < 0) continue;
    link->thread = std::thread([this, &link = *link] { serve(link); });
    links_.push_back(std::move(link));
  }
  links_.clear();
}

std::string HostilePostgres::command(std::string_view line) {
  std::istringstream words{std::string(line)};
  std::string word;
  words >> word;
  PostgresFault fault;
  using Kind = PostgresFault::Kind;
  if (word == "go") {
    go();
  } else if (word == "clear") {
    clear();
  } else if (word == "cut-all") {
    cut_all();
  } else if (word == "count") {
    return "ok " + std::to_string(happened_);
  } else if (std::int64_t rate = 0; word == "throttle" && words >> rate) {
    throttle(rate);
  } else if (std::pair<std::uint64_t, double> odds;
             word == "random" && words >> odds.first >> odds.second) {
    random(odds.first, odds.second);
  } else {
    std::int64_t ms = 0;
    if (word == "error" && words >> fault.sqlstate && fault.sqlstate.size() == 5) {
      fault.kind = Kind::error;
    } else if (word == "delay" && words >> ms) {
      fault.kind = Kind::delay;
      fault.delay = std::chrono::milliseconds(ms);
    } else if (word == "stop") {
      fault.kind = Kind::stop;
    } else if (word == "cut") {
      fault.kind = Kind::cut;
    } else if (word == "lose-reply") {
      fault.kind = Kind::lose_reply;
    } else {
      return "error: " + std::string(help);
    }
    while (words >> word) {
      if (word == "at") {
        std::getline(words >> std::ws, fault.text);
      } else if (word == "ERROR" || word == "FATAL" || word == "PANIC") {
        fault.severity = word;
      } else if (!(word == "times" ? words >> fault.times : words >> fault.nth) ||
                 (word != "times" && word != "nth")) {
        return "error: " + std::string(help);
      }
    }
    add(fault);
  }
  return "ok";
}

}  // namespace semel::test
