// What monitoring may ask of a running pipeline.
#include "app/settings.hpp"
#include "http/address.hpp"

namespace semel::app {

namespace {

using config::integer;
using config::Setting;
using config::text;
using config::text_list;

const config::Field<HttpConfig> http_config(&PipelineConfig::http);

std::optional<std::string> check_listen(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const auto address = http::parse_address(text);
  return address ? std::nullopt : std::optional("is no address: " + address.error().message);
}

std::optional<std::string> check_auth(const std::string& text) {
  if (text == "none") return std::nullopt;
  return "can be \"none\" only: tokens are not there yet";
}

}  // namespace

std::vector<Setting> http_settings() {
  return {
      {.path = "http.listen",
       .binding = text(http_config.of(&HttpConfig::listen), check_listen),
       .text = "Where `/metrics`, `/healthz` and `/readyz` are served over HTTP; not set: nowhere. "
               "`\":9400\"` is 127.0.0.1. An address that other machines reach is refused unless "
               "`auth = \"none\"` is written out: there are no tokens and no TLS yet. The command "
               "line's --http wins.",
       .example = "\"127.0.0.1:9400\""},
      {.path = "http.auth",
       .binding = text(http_config.of(&HttpConfig::auth), check_auth),
       .text =
           "`\"none\"`: whoever reaches http.listen may see what it shows: names of topics, how "
           "much is moved, and messages of errors, which name servers. No record and no secret "
           "is among it.",
       .example = "\"none\""},
      {.path = "http.names",
       .binding = text_list(http_config.of(&HttpConfig::names)),
       .text =
           "By which names it may be asked, beside addresses and localhost. A request whose Host "
           "is any other name is refused: a page in somebody's browser could have its own name "
           "mean this machine.",
       .example = "[\"semel.internal\"]"},
      {.path = "http.partition_series",
       .binding =
           integer<std::int64_t>(http_config.of(&HttpConfig::partition_series), {0, 100'000}),
       .text = "So many partitions of each output have metrics of their own, in the order of topic "
               "and partition. The others are in the sums only; `semel_partitions_left_out` says "
               "how many they are."},
  };
}

void check_http(const HttpConfig& config, config::Whole& file) {
  const auto address = http::parse_address(config.listen);
  if (!address || address->loopback || config.auth == "none") return;
  file.problem(
      "http.listen",
      "can be reached from other machines, and there are no tokens and no TLS yet: listen on "
      "127.0.0.1 or [::1], behind a proxy that asks who comes, or write http.auth = \"none\" if "
      "whoever reaches the port may see it");
}

}  // namespace semel::app
