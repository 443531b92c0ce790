#include "support/tcp_proxy.hpp"

#include <linux/filter.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <list>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "support/loopback.hpp"

namespace semel::test {

namespace {

/// The kernel drops every packet that arrives from here on, before it acknowledges it: what the
/// other end sees of a network that is gone.
void drop_packets(int fd) {
  sock_filter nothing{BPF_RET | BPF_K, 0, 0, 0};
  const sock_fprog filter{1, &nothing};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0) {
    throw std::runtime_error("the proxy cannot drop packets");
  }
}

}  // namespace

struct TcpProxy::Link {
  int client = -1;
  int server = -1;
  Loss at_answer = Loss::none;  ///< reply, answer
  bool silent = false;
  std::optional<int> held_since;  ///< how many releases there had been
  std::string held;               ///< from the client
  int armed = 0;                  ///< armed_ when from_client was begun
  std::string from_client;        ///< the end of what came, to find texts across reads
  std::string from_server;

  ~Link() {
    if (client >= 0) close(client);
    if (server >= 0) close(server);
  }
};

TcpProxy::TcpProxy(int target_port) : target_port_(target_port) {
  std::tie(listener_, port_) = listen_on_loopback();
  thread_ = std::thread([this] { run(); });
}

TcpProxy::~TcpProxy() {
  done_ = true;
  thread_.join();
  close(listener_);
}

void TcpProxy::lose(Loss loss, const std::string& text, int nth) {
  const std::lock_guard lock(mutex_);
  loss_ = loss;
  text_ = text;
  nth_ = nth;
  lost_ = false;
  ++armed_;
}

TcpProxy::Loss TcpProxy::due(std::string& seen) {
  const std::lock_guard lock(mutex_);
  if (loss_ == Loss::none) return loss_;
  for (auto at = seen.find(text_); at != std::string::npos; at = seen.find(text_)) {
    if (--nth_ == 0) return std::exchange(loss_, Loss::none);
    seen.erase(0, at + text_.size());
  }
  return Loss::none;
}

bool TcpProxy::forward(Link& link, bool from_client) {
  char buffer[65536];
  const auto got = recv(from_client ? link.client : link.server, buffer, sizeof buffer, 0);
  if (got <= 0) return false;
  const std::string_view bytes(buffer, static_cast<std::size_t>(got));
  auto& seen = from_client ? link.from_client : link.from_server;
  if (from_client && std::exchange(link.armed, armed_) != armed_) {
    // What had gone through before the text was asked for is no occurrence of it.
    seen.clear();
  }
  seen += bytes;
  if (from_client) {
    const auto loss = due(seen);
    switch (loss) {
      case Loss::none:
        break;
      case Loss::request:
        lost_ = true;
        return false;
      case Loss::network:
        drop_packets(link.client);
        drop_packets(link.server);
        link.silent = true;
        lost_ = true;
        return true;
      case Loss::hold:
        link.held = bytes;
        link.held_since = releases_;
        lost_ = true;
        return true;
      case Loss::hold_answer:
        link.held_since = releases_;
        lost_ = true;
        return send_all(link.server, bytes);
      case Loss::reply:
      case Loss::answer:
        link.at_answer = loss;
        link.from_server.clear();
    }
  } else if (link.at_answer == Loss::answer ||
             (link.at_answer == Loss::reply &&
              seen.find(std::string_view("COMMIT\0", 7)) != std::string::npos)) {
    lost_ = true;
    return false;
  }
  constexpr std::size_t longest_text = 256;
  if (seen.size() > longest_text) seen.erase(0, seen.size() - longest_text);
  return send_all(from_client ? link.server : link.client, bytes);
}

bool TcpProxy::serve(Link& link, short client_events, short server_events) {
  if (link.silent) return true;
  if (link.held_since) {
    if (*link.held_since == releases_) return true;
    link.held_since.reset();
    return send_all(link.server, std::exchange(link.held, {}));
  }
  if (client_events != 0 && !forward(link, true)) return false;
  // The client's bytes may just have silenced it.
  return server_events == 0 || link.silent || link.held_since || forward(link, false);
}

void TcpProxy::run() {
  std::list<Link> links;
  while (!done_) {
    std::vector<pollfd> fds{{listener_, POLLIN, 0}};
    for (const auto& link : links) {
      // A negative number is not looked at.
      const bool quiet = link.silent || link.held_since;
      fds.push_back({quiet ? -1 : link.client, POLLIN, 0});
      fds.push_back({quiet ? -1 : link.server, POLLIN, 0});
    }
    if (poll(fds.data(), fds.size(), 20) < 0) continue;
    std::size_t at = 1;
    for (auto link = links.begin(); link != links.end(); at += 2) {
      const bool good = serve(*link, fds[at].revents, fds[at + 1].revents);
      link = good ? std::next(link) : links.erase(link);
    }
    if (fds[0].revents != 0) {
      links.emplace_back();
      auto& link = links.back();
      link.client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      link.server = connect_to_loopback(target_port_);
      if (link.client < 0 || link.server < 0) {
        links.pop_back();
      }
    }
  }
}

}  // namespace semel::test
