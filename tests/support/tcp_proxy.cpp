#include "support/tcp_proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <list>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace semel::test {

namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace

struct TcpProxy::Link {
  int client = -1;
  int server = -1;
  bool cut_at_commit = false;
  bool silent = false;
  std::string from_client;  ///< the end of what came, to find texts across reads
  std::string from_server;

  ~Link() {
    if (client >= 0) close(client);
    if (server >= 0) close(server);
  }
};

TcpProxy::TcpProxy(int target_port) : target_port_(target_port) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto address = loopback(0);
  socklen_t length = sizeof address;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener_, 50) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    throw std::runtime_error("the proxy cannot listen");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

TcpProxy::~TcpProxy() {
  done_ = true;
  thread_.join();
  close(listener_);
}

void TcpProxy::lose(Loss loss, const std::string& text) {
  const std::lock_guard lock(mutex_);
  loss_ = loss;
  text_ = text;
  lost_ = false;
}

bool TcpProxy::forward(Link& link, bool from_client) {
  char buffer[65536];
  const auto got = recv(from_client ? link.client : link.server, buffer, sizeof buffer, 0);
  if (got <= 0) return false;
  const std::string_view bytes(buffer, static_cast<std::size_t>(got));
  auto& seen = from_client ? link.from_client : link.from_server;
  seen += bytes;
  if (from_client) {
    const std::lock_guard lock(mutex_);
    if (loss_ != Loss::none && seen.find(text_) != std::string::npos) {
      const auto loss = loss_;
      loss_ = Loss::none;
      if (loss == Loss::reply) {
        link.cut_at_commit = true;
        link.from_server.clear();
      } else {
        link.silent = loss == Loss::network;
        lost_ = true;
        return link.silent;
      }
    }
  } else if (link.cut_at_commit &&
             seen.find(std::string_view("COMMIT\0", 7)) != std::string::npos) {
    lost_ = true;
    return false;
  }
  constexpr std::size_t longest_text = 256;
  if (seen.size() > longest_text) seen.erase(0, seen.size() - longest_text);
  return send_all(from_client ? link.server : link.client, bytes);
}

void TcpProxy::run() {
  std::list<Link> links;
  while (!done_) {
    std::vector<pollfd> fds{{listener_, POLLIN, 0}};
    for (const auto& link : links) {
      const short events = link.silent ? 0 : POLLIN;
      fds.push_back({link.client, events, 0});
      fds.push_back({link.server, events, 0});
    }
    if (poll(fds.data(), fds.size(), 20) <= 0) continue;
    std::size_t at = 1;
    for (auto link = links.begin(); link != links.end(); at += 2) {
      const bool good = link->silent || ((fds[at].revents == 0 || forward(*link, true)) &&
                                         (fds[at + 1].revents == 0 || forward(*link, false)));
      link = good ? std::next(link) : links.erase(link);
    }
    if (fds[0].revents != 0) {
      links.emplace_back();
      auto& link = links.back();
      link.client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      link.server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const auto address = loopback(target_port_);
      if (link.client < 0 ||
          connect(link.server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        links.pop_back();
      }
    }
  }
}

}  // namespace semel::test
