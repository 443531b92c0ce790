#include "postgres/client/secrets.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <algorithm>
#include <optional>
#include <string_view>

#include "base/one_line.hpp"

namespace semel::postgres {

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

struct Parsed {
  explicit Parsed(const std::string& dsn, std::string* why = nullptr) {
    char* said = nullptr;
    all = PQconninfoParse(dsn.c_str(), &said);
    if (why != nullptr && said != nullptr) *why = said;
    PQfreemem(said);
  }
  ~Parsed() { PQconninfoFree(all); }
  Parsed(const Parsed&) = delete;
  Parsed& operator=(const Parsed&) = delete;

  PQconninfoOption* all = nullptr;  ///< none: it cannot be parsed
};

bool is_parameter(std::string_view name) {
  const Parsed known("");
  for (const auto* option = known.all; option && option->keyword != nullptr; ++option) {
    if (option->keyword == name) return true;
  }
  return false;
}

bool names_password(std::string_view name) {
  return name.find("password") != std::string_view::npos;
}

/// Of "host:port,host:port/…": where something follows a colon that is no port. It may be a
/// password whose host was forgotten.
std::optional<std::size_t> odd_port(std::string_view rest) {
  const auto authority = rest.substr(0, rest.find_first_of("/?"));
  bool in_brackets = false;
  bool in_port = false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < authority.size(); ++i) {
    const char c = authority[i];
    if (c == '[') in_brackets = true;
    if (c == ']') in_brackets = false;
    if (in_port && c == ',') {
      in_port = false;
    } else if (in_port && (c < '0' || c > '9')) {
      return begin;
    } else if (!in_brackets && c == ':') {
      in_port = true;
      begin = i + 1;
    }
  }
  return std::nullopt;
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  if (what.empty()) return;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
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
  } else if (const auto port = odd_port(rest)) {
    return out + rest.substr(0, *port) + mask;
  }
  const auto query = rest.find('?');
  out += rest.substr(0, query);
  bool after_secret = false;
  for (auto from = query; from != std::string::npos;) {
    const auto next = rest.find('&', from + 1);
    const auto parameter =
        rest.substr(from, next == std::string::npos ? next : next - from);  // with its ? or &
    const auto equals = parameter.find('=');
    const auto name = percent_decoded(
        std::string_view(parameter).substr(1, equals == std::string::npos ? equals : equals - 1));
    // It may be the rest of a password that holds a &.
    if (after_secret && !is_parameter(name)) return out.ends_with(mask) ? out : out + mask;
    if (equals != std::string::npos && names_password(name)) {
      out += parameter.substr(0, equals + 1) + mask;
      after_secret = true;
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
  bool after_secret = false;
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
    if (after_secret && !is_parameter(name)) return mask;
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
    after_secret = after_secret || names_password(name);
  }
  return out;
}

/// Anything but the passwords differs.
bool differ(const Parsed& a, const Parsed& b) {
  for (const auto *x = a.all, *y = b.all; x->keyword != nullptr; ++x, ++y) {
    if (names_password(x->keyword)) continue;
    const auto value = [](const char* text) { return std::string_view(text ? text : ""); };
    if (value(x->val) != value(y->val)) return true;
  }
  return false;
}

/// "…/shop?user=app@server": where libpq reads it, all @ behind its user and password belong to
/// parameters.
bool other_ats_are_in_query(std::string_view dsn) {
  const auto scheme = dsn.find("://");
  if (scheme == std::string_view::npos) return true;
  auto rest = dsn.substr(scheme + 3);
  const auto user_ends = rest.find_first_of("@/");
  if (user_ends != std::string_view::npos && rest[user_ends] == '@') {
    rest.remove_prefix(user_ends + 1);
  }
  return rest.find('@') > rest.find('?') && !odd_port(rest);
}

constexpr auto encode =
    "in a URI, write % as %25, @ as %40, / as %2F, : as %3A, ? as %3F and # as %23 in user and "
    "password; or leave the password to PGPASSWORD or ~/.pgpass";

}  // namespace

std::string dsn_mistake(const std::string& dsn) {
  std::string why;
  const Parsed parsed(dsn);
  const auto masked = mask_connection_string(dsn);
  // What libpq says of this cannot quote a password: there is none in it.
  const Parsed without_password(masked, &why);
  if (parsed.all != nullptr) {
    if (without_password.all == nullptr || masked == mask || other_ats_are_in_query(dsn) ||
        !differ(parsed, without_password)) {
      return "";
    }
    return fmt::format(
        "which part of it is user, password, host or port cannot be told for certain: {}", encode);
  }
  if (without_password.all != nullptr) {
    return fmt::format("the password is not written as libpq reads it: {}", encode);
  }
  if (masked == mask) {
    return "it is neither a URI nor a list of key=value; a value with a space, a quote or a "
           "backslash in it goes in single quotes. Write it like postgresql://user@host/database";
  }
  return one_line(why) + ". Write it like postgresql://user@host/database";
}

std::string without_secrets(std::string message, const std::string& dsn) {
  if (auto mistake = dsn_mistake(dsn); !mistake.empty()) return mistake;
  const Parsed parsed(dsn);
  for (const auto* option = parsed.all; option->keyword != nullptr; ++option) {
    if (option->val != nullptr && names_password(option->keyword)) {
      replace_all(message, option->val, mask);
    }
  }
  return message;
}

std::string mask_connection_string(const std::string& dsn) {
  for (const std::string_view scheme : {"postgresql://", "postgres://"}) {
    if (dsn.starts_with(scheme)) return mask_uri(dsn, scheme.size());
  }
  // Another scheme, or something that is not of either form.
  if (dsn.find("://") != std::string::npos) return mask;
  if (dsn.find('=') == std::string::npos) return dsn.empty() ? "" : mask;
  return mask_key_values(dsn);
}

}  // namespace semel::postgres
