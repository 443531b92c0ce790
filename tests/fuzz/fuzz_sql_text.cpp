// Arbitrary bytes as what servers and people send in text: names, literals, CONTEXT, messages.
#include <libpq-fe.h>

#include <memory>

#include "base/clean_text.hpp"
#include "fuzz.hpp"
#include "postgres/client/quoting.hpp"
#include "postgres/client/secrets.hpp"
#include "postgres/client/sqlstate.hpp"

using namespace semel;
using namespace semel::postgres;
using fuzz::hold;

namespace {

/// What PostgreSQL reads between the quotes.
std::string unquoted(std::string_view text, char quote, bool backslashes) {
  std::string out;
  hold(text.size() >= 2 && text.front() == quote && text.back() == quote, "quoted on both sides");
  text = text.substr(1, text.size() - 2);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == quote || (backslashes && text[i] == '\\')) {
      hold(i + 1 < text.size() && text[i + 1] == text[i], "a quote inside is doubled", text);
      ++i;
    }
    out += text[i];
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  hold(unquoted(quote_identifier(input), '"', false) == input, "an identifier stays itself", input);

  const std::string literal = quote_literal(input);
  const bool extended = literal.find('E') < literal.find('\'');
  hold(extended || literal.find('\\') == std::string::npos, "backslashes need E''", literal);
  hold(unquoted(std::string_view(literal).substr(literal.find('\'')), '\'', extended) == input,
       "a literal stays itself", literal);

  const auto name = split_name(input);
  hold(input.find('"') != std::string_view::npos ||
           (name.schema.empty() ? name.name : name.schema + "." + name.name) == input ||
           input.starts_with('.'),
       "a table's name stays itself", input);

  for (const std::size_t most : {std::size_t{0}, std::size_t{5}, std::size_t{100'000}}) {
    for (const bool ascii : {false, true}) {
      const std::string clean = sanitise(input, most, ascii);
      hold(clean.size() <= most, "no longer than asked for", clean);
      hold(fuzz::is_utf8(clean) && clean.find('\0') == std::string::npos, "clean text", clean);
      if (!ascii) hold(sanitise(clean, most) == clean, "clean text stays as it is", clean);
      for (const char c : clean) hold(!ascii || (c & 0x80) == 0, "ASCII only", clean);
      if (!ascii && most > 3 * size && fuzz::is_utf8(input) &&
          input.find('\0') == std::string_view::npos) {
        hold(clean == input, "text that is fine is not touched", clean);
      }
    }
  }

  const auto line_end = input.find('\n');
  const std::string_view first = input.substr(0, line_end);
  const std::string_view rest =
      line_end == std::string_view::npos ? "" : input.substr(line_end + 1);
  copy_line(input, "t");
  copy_line(rest, first);
  if (const auto line =
          copy_line("COPY t, line 7, column c: \"" + std::string(input) + "\"", "t")) {
    hold(*line == 7, "the line is the server's, not the value's", input);
  } else {
    hold(false, "the line that the server names is found", input);
  }
  meaning_of(input);
  ServerError error{.sqlstate = std::string(first.substr(0, 5)), .message = std::string(rest)};
  hold(!to_error(error, "reading").message.empty(), "an error says why");

  // The first line as a connection string: its password is in no message.
  const std::string dsn(first.substr(0, first.find('\0')));
  char* why = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(dsn.c_str(), &why), &PQconninfoFree);
  PQfreemem(why);
  const std::string message = without_secrets("connecting to " + dsn + " failed", dsn);
  if (options == nullptr) return 0;
  // A sentence that another connection string gets, too, holds nothing of this one, though a
  // password may be one of its words.
  static const std::string same_for_all = dsn_mistake("postgresql://app:a@b@c:5432/d");
  hold(!same_for_all.empty(), "that one is wrong");
  if (message == same_for_all) return 0;
  for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
    if (std::string_view(option->keyword) != "password" || option->val == nullptr) continue;
    const std::string_view secret(option->val);
    if (secret.size() >= 8 && secret.find("***") == std::string_view::npos &&
        std::string_view("connecting to  failed").find(secret) == std::string_view::npos) {
      hold(message.find(secret) == std::string::npos, "a message holds no password", message);
    }
  }
  return 0;
}
