#include "support/hostile_kafka.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <deque>
#include <list>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "support/loopback.hpp"

namespace semel::test {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// What may wait in here for one client before no more is taken from its broker.
constexpr std::size_t waiting_max = 4 << 20;

/// Takes a whole message, without its length, off the front of `bytes`.
std::optional<std::string> take_frame(std::string& bytes) {
  if (bytes.size() < 4) return std::nullopt;
  std::size_t size = 0;
  for (std::size_t i = 0; i < 4; ++i) size = size << 8 | static_cast<unsigned char>(bytes[i]);
  if (bytes.size() - 4 < size) return std::nullopt;
  auto frame = bytes.substr(4, size);
  bytes.erase(0, 4 + size);
  return frame;
}

std::string with_length(const std::string& frame) {
  std::string whole;
  for (int shift = 24; shift >= 0; shift -= 8) {
    whole += static_cast<char>((frame.size() >> shift) & 0xff);
  }
  return whole + frame;
}

/// False: the other end is gone.
bool receive(int fd, std::string& into) {
  char buffer[65536];
  const auto got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  into.append(buffer, static_cast<std::size_t>(got));
  return got > 0;
}

/// Sends what can be sent of the first `at_most` bytes and erases it. Negative: the other end is
/// gone.
std::int64_t send_some(int fd, std::string& bytes, std::size_t at_most) {
  const auto sent =
      send(fd, bytes.data(), std::min(bytes.size(), at_most), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
  bytes.erase(0, static_cast<std::size_t>(sent));
  return sent;
}

}  // namespace

struct HostileKafka::Link {
  int client = -1;
  int server = -1;
  std::string from_client;
  std::string from_server;
  std::string to_server;
  std::deque<RequestHeader> asked;  ///< and not answered: answers come in this order
  struct Answer {
    Clock::time_point due;
    std::string bytes;
  };
  std::deque<Answer> answers;
  std::size_t waiting = 0;  ///< bytes of answers

  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() {
    if (client >= 0) close(client);
    if (server >= 0) close(server);
  }

  void answer(std::string bytes, std::chrono::milliseconds later) {
    auto due = Clock::now() + later;
    if (!answers.empty()) due = std::max(due, answers.back().due);
    waiting += bytes.size();
    answers.push_back({due, std::move(bytes)});
  }
};

/// What the thread knows; everything else is behind the mutex.
struct HostileKafka::Loop {
  HostileKafka& proxy;
  std::list<Link> links;
  int cuts_seen = 0;
  double tokens = 0;  ///< bytes that may go to clients now, while there is a limit
  Clock::time_point filled = Clock::now();

  void accept_from(int listener, int broker_port, bool refused);
  bool take_requests(Link& link);
  void take_answers(Link& link);
  bool give_answers(Link& link, std::int64_t limit);
  bool serve(Link& link, short client, short server, std::int64_t limit);
  void fill(std::int64_t bytes_per_second);
  void once();
};

void HostileKafka::Loop::accept_from(int listener, int broker_port, bool refused) {
  const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  auto& link = links.emplace_back();
  link.client = client;
  if (!refused) link.server = connect_to_loopback(broker_port);
  if (link.server < 0) {
    links.pop_back();
    return;
  }
  const int at_once = 1;
  setsockopt(link.client, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
  setsockopt(link.server, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
}

/// Requests that have come whole: on their way to the broker, or answered here. False: cut.
bool HostileKafka::Loop::take_requests(Link& link) {
  while (auto frame = take_frame(link.from_client)) {
    if (frame->size() < 8) return false;
    const auto asked = request_header(*frame);
    const std::lock_guard lock(proxy.mutex_);
    ++proxy.requests_[asked.api];
    if (asked.api == Api::sasl_handshake || asked.api == Api::sasl_authenticate) {
      link.answer(login_answer(asked, proxy.faults_.logins_refused), 0ms);
      continue;
    }
    link.asked.push_back(asked);
    link.to_server += with_length(*frame);
  }
  return true;
}

void HostileKafka::Loop::take_answers(Link& link) {
  while (auto frame = take_frame(link.from_server)) {
    if (link.asked.empty()) return;
    const auto asked = link.asked.front();
    link.asked.pop_front();
    const std::lock_guard lock(proxy.mutex_);
    const auto before = *frame;
    try {
      alter_answer(asked, *frame, proxy.faults_.alterations);
    } catch (const std::out_of_range&) {
      *frame = before;
      ++proxy.not_understood_;
    }
    const auto delay = proxy.faults_.delays.find(asked.api);
    link.answer(with_length(*frame), delay == proxy.faults_.delays.end() ? 0ms : delay->second);
  }
}

/// What is due and within the limit. False: the client is gone.
bool HostileKafka::Loop::give_answers(Link& link, std::int64_t limit) {
  while (!link.answers.empty() && link.answers.front().due <= Clock::now()) {
    auto& first = link.answers.front().bytes;
    const auto allowed = limit > 0 ? static_cast<std::size_t>(std::max(tokens, 0.0)) : first.size();
    if (allowed == 0) return true;
    const auto sent = send_some(link.client, first, allowed);
    if (sent < 0) return false;
    if (sent == 0) return true;
    tokens -= static_cast<double>(sent);
    link.waiting -= static_cast<std::size_t>(sent);
    proxy.answered_bytes_ += sent;
    if (first.empty()) link.answers.pop_front();
  }
  return true;
}

bool HostileKafka::Loop::serve(Link& link, short client, short server, std::int64_t limit) {
  if (client != 0 && !receive(link.client, link.from_client)) return false;
  if (!take_requests(link)) return false;
  if (!link.to_server.empty() && send_some(link.server, link.to_server, waiting_max) < 0) {
    return false;
  }
  if (server != 0 && !receive(link.server, link.from_server)) return false;
  take_answers(link);
  return give_answers(link, limit);
}

void HostileKafka::Loop::fill(std::int64_t bytes_per_second) {
  const auto now = Clock::now();
  const auto rate = static_cast<double>(bytes_per_second);
  tokens = std::min(rate, tokens + rate * std::chrono::duration<double>(now - filled).count());
  filled = now;
}

void HostileKafka::Loop::once() {
  std::vector<pollfd> fds;
  std::vector<int> brokers;
  bool stopped = false;
  std::int64_t limit = 0;
  {
    const std::lock_guard lock(proxy.mutex_);
    for (const auto& [broker, listener] : proxy.listeners_) {
      fds.push_back({listener.first, POLLIN, 0});
      brokers.push_back(broker);
    }
    stopped = proxy.faults_.stopped;
    limit = proxy.faults_.bytes_per_second;
  }
  fill(limit);
  const auto listeners = fds.size();
  auto wait = 20ms;
  for (const auto& link : links) {
    const auto client = static_cast<short>(POLLIN);
    const auto server = static_cast<short>(link.waiting < waiting_max ? POLLIN : 0);
    // A negative number is not looked at.
    fds.push_back({stopped ? -1 : link.client, client, 0});
    fds.push_back({stopped || server == 0 ? -1 : link.server, server, 0});
    if (!link.answers.empty() || !link.to_server.empty()) wait = 1ms;
  }
  if (poll(fds.data(), fds.size(), static_cast<int>(wait.count())) < 0) return;
  auto at = listeners;
  for (auto link = links.begin(); link != links.end(); at += 2) {
    const bool good = stopped || serve(*link, fds[at].revents, fds[at + 1].revents, limit);
    link = good ? std::next(link) : links.erase(link);
  }
  if (const int cuts = proxy.cuts_; cuts != cuts_seen) {
    cuts_seen = cuts;
    links.clear();
  }
  // As it is now: a client may come because of a change that was made while nothing happened.
  const bool refused = [this] {
    const std::lock_guard lock(proxy.mutex_);
    return proxy.faults_.connections_refused;
  }();
  for (std::size_t i = 0; i < listeners; ++i) {
    if (fds[i].revents == 0) continue;
    const bool first = brokers[i] == proxy.first_broker_;
    accept_from(fds[i].fd, first ? proxy.broker_port_.load() : brokers[i], refused);
  }
}

HostileKafka::HostileKafka(int broker_port)
    : first_broker_(broker_port), broker_port_(broker_port) {
  faults_.alterations.port_for = [this](int port) { return listen_for(port); };
  port_ = listen_for(broker_port);
  thread_ = std::thread([this] { run(); });
}

HostileKafka::~HostileKafka() {
  done_ = true;
  thread_.join();
  for (const auto& [broker, listener] : listeners_) close(listener.first);
}

void HostileKafka::run() {
  Loop loop{.proxy = *this, .links = {}};
  while (!done_) loop.once();
}

/// The proxy's port for a broker. With the mutex held, but for the constructor.
int HostileKafka::listen_for(int broker_port) {
  if (broker_port == broker_port_ && port_ != 0) return port_;
  const auto known = listeners_.find(broker_port);
  if (known != listeners_.end()) return known->second.second;
  const auto [listener, port] = listen_on_loopback();
  listeners_[broker_port] = {listener, port};
  return port;
}

void HostileKafka::delay(Api api, std::chrono::milliseconds by) {
  change([&](Faults& faults) { faults.delays[api] = by; });
}

void HostileKafka::throttle(std::int64_t bytes_per_second) {
  change([&](Faults& faults) { faults.bytes_per_second = bytes_per_second; });
}

void HostileKafka::stop() {
  change([](Faults& faults) { faults.stopped = true; });
}

void HostileKafka::resume() {
  change([](Faults& faults) { faults.stopped = false; });
}

void HostileKafka::cut() {
  ++cuts_;
}

void HostileKafka::refuse_connections(bool refused) {
  change([&](Faults& faults) { faults.connections_refused = refused; });
  if (refused) cut();
}

void HostileKafka::refuse_logins(bool refused) {
  change([&](Faults& faults) { faults.logins_refused = refused; });
}

void HostileKafka::leaderless(const std::string& topic, std::int32_t partition, bool is) {
  change([&](Faults& faults) {
    auto& leaderless = faults.alterations.leaderless;
    if (is) {
      leaderless.insert({topic, partition});
    } else {
      leaderless.erase({topic, partition});
    }
  });
}

void HostileKafka::fail(Api api, const std::string& topic, std::int32_t partition,
                        std::int16_t error) {
  change([&](Faults& faults) {
    auto& errors = faults.alterations.errors;
    errors.erase({api, {topic, partition}});
    if (error != 0) errors[{api, {topic, partition}}] = error;
  });
}

void HostileKafka::pretend_cluster(const std::string& id) {
  change([&](Faults& faults) { faults.alterations.cluster_id = id; });
}

void HostileKafka::target(int broker_port) {
  broker_port_ = broker_port;
  cut();
}

void HostileKafka::damage(const DamagedBatch& batch) {
  change([&](Faults& faults) { faults.alterations.damaged.push_back(batch); });
}

void HostileKafka::mend() {
  change([](Faults& faults) { faults.alterations.damaged.clear(); });
}

int HostileKafka::requests(Api api) const {
  const std::lock_guard lock(mutex_);
  const auto found = requests_.find(api);
  return found == requests_.end() ? 0 : found->second;
}

int HostileKafka::damages() const {
  const std::lock_guard lock(mutex_);
  return faults_.alterations.damages;
}

namespace {

/// WHAT TOPIC PARTITION OFFSET [DELTA [TIMES]]; nothing where that is incomplete.
std::optional<DamagedBatch> damaged_batch(std::istringstream& words) {
  static const std::map<std::string, Damage> damages{{"magic", Damage::magic},
                                                     {"base_offset", Damage::base_offset},
                                                     {"length", Damage::length},
                                                     {"content", Damage::content}};
  DamagedBatch batch;
  std::string what;
  if (!(words >> what >> batch.topic >> batch.partition >> batch.offset)) return std::nullopt;
  const auto damage = damages.find(what);
  if (damage == damages.end()) return std::nullopt;
  if (batch.topic == "*") batch.topic.clear();
  batch.damage = damage->second;
  if (std::int64_t delta = 0; words >> delta) batch.delta = delta;
  if (int times = 0; words >> times) batch.times = times;
  return batch;
}

}  // namespace

std::string HostileKafka::obey(const std::string& command) {
  static const std::map<std::string, Api> apis{{"fetch", Api::fetch},
                                               {"list_offsets", Api::list_offsets},
                                               {"metadata", Api::metadata},
                                               {"find_coordinator", Api::find_coordinator}};
  std::istringstream words(command);
  std::string verb;
  std::string what;
  std::string topic;
  words >> verb;
  if (verb == "stop") return stop(), "";
  if (verb == "resume") return resume(), "";
  if (verb == "cut") return cut(), "";
  if (verb == "mend") return mend(), "";
  if (verb == "well") {
    change([](Faults& faults) {
      auto port_for = std::move(faults.alterations.port_for);
      const auto damages_so_far = faults.alterations.damages;
      faults = {};
      faults.alterations.port_for = std::move(port_for);
      faults.alterations.damages = damages_so_far;
    });
    return "";
  }
  if (std::int64_t rate = 0; verb == "throttle" && words >> rate) return throttle(rate), "";
  if (int port = 0; verb == "target" && words >> port) return target(port), "";
  if (verb == "cluster") return words >> what, pretend_cluster(what), "";
  if (verb == "delay" || verb == "fail") {
    words >> what;
    const auto api = apis.find(what);
    if (api == apis.end()) return "no such request: " + what;
    int ms = 0;
    if (verb == "delay" && words >> ms)
      return delay(api->second, std::chrono::milliseconds(ms)), "";
    int partition = 0;
    std::int16_t error = 0;
    if (words >> topic >> partition >> error) {
      return fail(api->second, topic, partition, error), "";
    }
    return "incomplete: " + command;
  }
  if (verb == "connections" || verb == "logins") {
    words >> what;
    if (what != "refuse" && what != "accept") return "refuse or accept?";
    const bool refused = what == "refuse";
    verb == "logins" ? refuse_logins(refused) : refuse_connections(refused);
    return "";
  }
  int partition = 0;
  if (verb == "leaderless" || verb == "led") {
    if (!(words >> topic >> partition)) return "incomplete: " + command;
    return leaderless(topic, partition, verb == "leaderless"), "";
  }
  if (verb == "damage") {
    const auto batch = damaged_batch(words);
    if (!batch) return "incomplete: " + command;
    return damage(*batch), "";
  }
  return "no such command: " + command;
}

}  // namespace semel::test
