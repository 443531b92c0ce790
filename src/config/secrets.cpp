#include "config/secrets.hpp"

#include <array>
#include <string_view>

namespace semel::config {

namespace {

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// libpq decodes parameter names too, so "pass%77ord" is a password.
std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      out += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

bool names_password(std::string_view name) {
  return name.find("password") != std::string_view::npos;
}

std::string mask_uri(const std::string& uri, std::size_t after_scheme) {
  std::string out = uri.substr(0, after_scheme);
  std::string rest = uri.substr(after_scheme);
  // Up to the last @, since a password may hold one that nobody encoded.
  if (const auto at = rest.rfind('@'); at != std::string::npos) {
    const auto colon = rest.substr(0, at).find(':');
    if (colon != std::string::npos) {
      out += rest.substr(0, colon + 1) + mask;
    } else {
      out += rest.substr(0, at);
    }
    rest = rest.substr(at);
  }
  const auto query = rest.find('?');
  out += rest.substr(0, query);
  for (auto from = query; from != std::string::npos;) {
    const auto next = rest.find('&', from + 1);
    const auto parameter =
        rest.substr(from, next == std::string::npos ? next : next - from);  // with its ? or &
    const auto equals = parameter.find('=');
    if (equals != std::string::npos &&
        names_password(percent_decoded(parameter.substr(1, equals - 1)))) {
      out += parameter.substr(0, equals + 1) + mask;
    } else {
      out += parameter;
    }
    from = next;
  }
  return out;
}

/// "host=x password='a b'": the value after each name that holds "password".
std::string mask_key_values(const std::string& text) {
  const auto space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  std::string out;
  std::size_t i = 0;
  const auto copy_spaces = [&] {
    while (i < text.size() && space(text[i])) out += text[i++];
  };
  while (i < text.size()) {
    copy_spaces();
    std::string name;
    while (i < text.size() && text[i] != '=' && !space(text[i])) name += text[i++];
    out += name;
    copy_spaces();
    if (i == text.size() && name.empty()) break;
    // Not of the form: hide all of it. The name may be the rest of a password with a space in it.
    if (i == text.size() || text[i] != '=') return mask;
    out += text[i++];
    copy_spaces();
    std::string value;
    const bool in_quotes = i < text.size() && text[i] == '\'';
    if (in_quotes) value += text[i++];
    bool closed = !in_quotes;
    while (i < text.size() && (in_quotes || !space(text[i]))) {
      const bool escaped = text[i] == '\\' && i + 1 < text.size();
      if (escaped) value += text[i++];
      value += text[i++];
      if (in_quotes && !escaped && value.back() == '\'') {
        closed = true;
        break;
      }
    }
    // What follows a quote at once may be the rest of a password that holds one: 'it''s'.
    const bool ended = i == text.size() || space(text[i]);
    if (!closed || !ended) return mask;
    out += names_password(name) ? std::string(mask) : value;
  }
  return out;
}

}  // namespace

std::string mask_connection_string(const std::string& dsn) {
  for (const std::string_view scheme : {"postgresql://", "postgres://"}) {
    if (dsn.starts_with(scheme)) return mask_uri(dsn, scheme.size());
  }
  // Another scheme, or something that is not of either form.
  if (dsn.find("://") != std::string::npos) return mask;
  if (dsn.find('=') == std::string::npos) return dsn.empty() ? "" : mask;
  return mask_key_values(dsn);
}

bool is_secret_property(const std::string& name) {
  static constexpr std::array parts{"password",           "secret", "key.pem", "token",
                                    "oauthbearer.config", "jaas"};
  for (const std::string_view part : parts) {
    if (name.find(part) != std::string::npos) return true;
  }
  return false;
}

}  // namespace semel::config
