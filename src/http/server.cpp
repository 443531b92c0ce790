#include "http/server.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "http/connection.hpp"
#include "http/listen.hpp"

namespace semel::http {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t waiting_max = 64;
// Of a request, all but its body.
constexpr std::size_t head_bytes_max = 28 << 10;

/// The library's part: what a request says, and how an answer is written. Its listening, its
/// threads and its time-outs are not used.
class Protocol : public httplib::Server {
 public:
  Protocol(const http::Options& options, std::map<std::string, Maker> pages,
           std::map<std::string, Taker> takers)
      : names_(options.names), takes_(!takers.empty()) {
    set_payload_max_length(options.body_bytes_max);
    set_default_headers({{"Cache-Control", "no-store"},
                         {"Content-Security-Policy", "default-src 'none'"},
                         {"X-Content-Type-Options", "nosniff"}});
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      return admitted(request, response) ? HandlerResponse::Unhandled : HandlerResponse::Handled;
    });
    std::string known;
    for (auto& [path, make] : pages) {
      known += path + "\n";
      Get(path, [make = std::move(make)](const httplib::Request&, httplib::Response& response) {
        const auto page = make();
        response.status = page.status;
        response.set_content(page.text, page.type.c_str());
      });
    }
    for (auto& [path, take] : takers) {
      known += path + "\n";
      // The library reads forms, and what is posted as curl does it, in ways and within limits of
      // its own.
      Post(path,
           [take = std::move(take)](const httplib::Request& request, httplib::Response& response,
                                    const httplib::ContentReader& read) {
             std::string body;
             const bool whole = read([&body](const char* bytes, std::size_t size) {
               body.append(bytes, size);
               return true;
             });
             if (!whole) {
               if (response.status < 400) response.status = 400;
               return;
             }
             const auto page = take({.body = body, .header = [&request](const char* name) {
                                       return request.get_header_value(name);
                                     }});
             response.status = page.status;
             response.set_content(page.text, page.type.c_str());
           });
    }
    set_error_handler([known](const httplib::Request&, httplib::Response& response) {
      if (!response.body.empty()) return;
      response.set_content(response.status == 404 ? "There is no such page. There are:\n" + known
                                                  : fmt::format("Error {}\n", response.status),
                           "text/plain; charset=utf-8");
    });
    set_exception_handler([](const httplib::Request&, httplib::Response& response, const auto&) {
      response.status = 500;
    });
  }

  void answer(Connection& connection) { answer(*this, connection); }

 private:
  static bool admitted(const Protocol& self, const httplib::Request& request,
                       httplib::Response& response) {
    const auto refuse = [&](int status, const std::string& why) {
      response.status = status;
      response.set_content(why + "\n", "text/plain; charset=utf-8");
      return false;
    };
    const auto host = request.get_header_value("Host");
    if (host.empty() ? request.version != "HTTP/1.0" : !answers_to(host, self.names_)) {
      return refuse(403,
                    "This Host is not answered: ask by address, or add its name to http.names");
    }
    const bool takes = self.takes_;
    if (takes && request.method == "POST") {
      // Without a length, a body that is torn looks like one that is whole.
      if (request.has_header("Transfer-Encoding") || !request.has_header("Content-Length")) {
        return refuse(411, "What is posted needs a Content-Length, and no Transfer-Encoding");
      }
      if (request.has_header("Content-Encoding") ||
          request.get_header_value("Content-Type").starts_with("multipart/")) {
        return refuse(415, "What is posted is text: no form with files, and not compressed");
      }
    }
    if (takes ? request.method == "POST" : request.method == "GET" || request.method == "HEAD") {
      return true;
    }
    response.set_header("Allow", takes ? "POST" : "GET, HEAD");
    return refuse(405, takes ? "Only POST is answered" : "Only GET and HEAD are answered");
  }
  bool admitted(const httplib::Request& request, httplib::Response& response) const {
    return admitted(*this, request, response);
  }

  // Later releases of the library want the addresses here and not from the stream.
  template <class Self>
  static void answer(Self& self, Connection& connection) {
    bool closed = false;
    if constexpr (requires { self.process_request(connection, true, closed, nullptr); }) {
      self.process_request(connection, true, closed, nullptr);
    } else {
      self.process_request(connection, "", 0, "", 0, true, closed, nullptr);
    }
  }

  std::vector<std::string> names_;
  bool takes_;
};

}  // namespace

struct Server::Impl {
  Impl(const Options& with, std::map<std::string, Maker> pages, std::map<std::string, Taker> takers,
       Descriptor listener)
      : options(with),
        protocol(with, std::move(pages), std::move(takers)),
        listening(std::move(listener)),
        wake(::eventfd(0, EFD_CLOEXEC)),
        places(with.workers) {
    for (auto& place : places) {
      workers.emplace_back([this, &place] { work(place); });
    }
    accepter = std::thread([this] { accept_all(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
      for (auto& place : places) cut_off(place);
      waiting.clear();
    }
    changed.notify_all();
    ::eventfd_write(wake.number(), 1);
    accepter.join();
    for (auto& worker : workers) worker.join();
  }

  /// A worker's client; the socket is closed by its owner, under the mutex.
  struct Place {
    int socket = -1;
    bool cut = false;
    Clock::time_point since;
  };

  static void cut_off(Place& place) {
    if (place.socket < 0) return;
    place.cut = true;
    ::shutdown(place.socket, SHUT_RDWR);
  }

  /// Whoever comes is not to wait for those that hang: as many are cut off, the oldest first, as
  /// wait and have no place.
  void make_room() {
    if (!options.makes_room) return;
    std::vector<Place*> served;
    for (auto& place : places) {
      if (place.socket >= 0 && !place.cut) served.push_back(&place);
    }
    const auto free = places.size() - served.size();
    if (waiting.size() <= free) return;
    std::ranges::sort(served, {}, &Place::since);
    const auto wanted = std::min(waiting.size() - free, served.size());
    for (std::size_t i = 0; i < wanted; ++i) cut_off(*served[i]);
  }

  void accept_all() {
    while (true) {
      std::array<pollfd, 2> waited{{{.fd = listening.number(), .events = POLLIN, .revents = 0},
                                    {.fd = wake.number(), .events = POLLIN, .revents = 0}}};
      ::poll(waited.data(), waited.size(), -1);
      if (waited[1].revents != 0) return;
      Descriptor client(::accept4(listening.number(), nullptr, nullptr, SOCK_CLOEXEC));
      if (client.number() < 0) {
        // Too many open files, perhaps: the client still waits, and would be reported at once.
        if (errno != EAGAIN) ::poll(&waited[1], 1, 10);
        continue;
      }
      {
        const std::lock_guard lock(mutex);
        if (waiting.size() >= waiting_max) waiting.pop_front();
        waiting.push_back(std::move(client));
        make_room();
      }
      changed.notify_one();
    }
  }

  void work(Place& place) {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return stopping || !waiting.empty(); });
      if (stopping) return;
      auto client = std::move(waiting.front());
      waiting.pop_front();
      place = {.socket = client.number(), .cut = false, .since = Clock::now()};
      make_room();
      lock.unlock();
      {
        Connection connection(client.number(), Clock::now() + options.patience,
                              head_bytes_max + options.body_bytes_max);
        protocol.answer(connection);
        connection.finish();
      }
      lock.lock();
      place.socket = -1;
      client = Descriptor();
    }
  }

  Options options;  ///< with the port that was free
  Protocol protocol;
  Descriptor listening;
  Descriptor wake;
  std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;
  std::deque<Descriptor> waiting;
  std::vector<Place> places;
  std::vector<std::thread> workers;
  std::thread accepter;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

const Address& Server::address() const {
  return impl_->options.listen;
}

Result<std::unique_ptr<Server>> Server::start(const Options& options,
                                              std::map<std::string, Maker> pages,
                                              std::map<std::string, Taker> takers) {
  auto wanted = options;
  auto listening = listen_on(wanted.listen);
  if (!listening) return tl::unexpected(listening.error());
  return std::unique_ptr<Server>(new Server(
      std::make_unique<Impl>(wanted, std::move(pages), std::move(takers), *std::move(listening))));
}

}  // namespace semel::http
