#include <fmt/format.h>
#include <algorithm>

#include "config/complaint.hpp"
#include "config/setting.hpp"
#include "config/units.hpp"

namespace semel::config {

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + config::quoted(word);
  return out;
}

Wrong out_of_range(const Value& value, std::int64_t number, const Range& range,
                   const std::function<std::string(std::int64_t)>& show) {
  if (number < range.min) return wrong(value, "must be at least " + show(range.min));
  if (number > range.max) return wrong(value, "must be at most " + show(range.max));
  return std::nullopt;
}

std::string show_text(const std::string& text) {
  return text.empty() ? "" : quoted_setting(text);
}

}  // namespace

Binding text(const Field<std::string>& field, const TextCheck& check) {
  return {.type = "string",
          .assign = [field, check](Part& part, const Value& value) -> Wrong {
            const auto* given = text_of(value);
            if (given == nullptr) return wrong_type(value, "a string");
            if (check) {
              if (auto complaint = check(*given)) return wrong(value, *std::move(complaint));
            }
            field(part) = *given;
            return std::nullopt;
          },
          .show = [field](Part& part) { return show_text(field(part)); }};
}

Binding secret_text(const Field<std::string>& field,
                    const std::function<std::string(const std::string&)>& mask) {
  auto binding = text(field);
  binding.show = [field, mask](Part& part) { return show_text(mask(field(part))); };
  return binding;
}

Binding boolean(const Field<bool>& field) {
  return {.type = "boolean",
          .assign = [field](Part& part, const Value& value) -> Wrong {
            const auto read = reread(value);
            const auto* given = read.as<bool>();
            if (given == nullptr) return wrong_type(value, "a boolean (true or false)");
            field(part) = *given;
            return std::nullopt;
          },
          .show = [field](Part& part) -> std::string { return field(part) ? "true" : "false"; }};
}

Binding number(const Field<double>& field, double min, double max) {
  return {.type = "number",
          .assign = [=](Part& part, const Value& value) -> Wrong {
            const auto read = reread(value);
            double given = 0;
            if (const auto* floating = read.as<double>()) {
              given = *floating;
            } else if (const auto* integer = read.as<std::int64_t>()) {
              given = static_cast<double>(*integer);
            } else {
              return wrong_type(value, "a number");
            }
            // Written so that "nan" is refused as well.
            if (!(given >= min)) return wrong(value, fmt::format("must be at least {}", min));
            if (!(given <= max)) return wrong(value, fmt::format("must be at most {}", max));
            field(part) = given;
            return std::nullopt;
          },
          .show =
              [field](Part& part) {
                auto shown = fmt::format("{}", field(part));
                return shown.find_first_of(".e") == std::string::npos ? shown + ".0" : shown;
              }};
}

Binding integer64(const std::function<std::int64_t(Part&)>& get,
                  const std::function<void(Part&, std::int64_t)>& set, Range range) {
  return {.type = "integer",
          .assign = [set, range](Part& part, const Value& value) -> Wrong {
            const auto read = reread(value);
            const auto* given = read.as<std::int64_t>();
            if (given == nullptr) return wrong_type(value, "an integer");
            const auto show = [](std::int64_t n) { return std::to_string(n); };
            if (auto problem = out_of_range(value, *given, range, show)) return problem;
            set(part, *given);
            return std::nullopt;
          },
          .show = [get](Part& part) { return std::to_string(get(part)); }};
}

Binding duration(const Field<std::int64_t>& field, Range range, std::int64_t unit_ms) {
  return {
      .type = "duration",
      .assign = [=](Part& part, const Value& value) -> Wrong {
        const auto* given = text_of(value);
        if (given == nullptr) {
          return wrong_type(value, R"(a duration such as "250ms", "5s", "10m", "2h" or "7d")");
        }
        const auto ms = parse_duration(*given);
        if (!ms) {
          return wrong(value,
                       fmt::format(R"(must be a duration such as "250ms", "5s", "10m", "2h" or )"
                                   R"("7d", not {})",
                                   config::quoted(*given)));
        }
        if (auto problem = out_of_range(value, *ms, range, format_duration)) return problem;
        if (*ms % unit_ms != 0) {
          return wrong(value, "must be a multiple of " + format_duration(unit_ms));
        }
        field(part) = *ms / unit_ms;
        return std::nullopt;
      },
      .show = [field, unit_ms](
                  Part& part) { return config::quoted(format_duration(field(part) * unit_ms)); }};
}

Binding size(const Field<std::int64_t>& field, Range range) {
  return {.type = "size",
          .assign = [=](Part& part, const Value& value) -> Wrong {
            std::optional<std::int64_t> bytes;
            if (const auto* integer = value.as<std::int64_t>()) {
              bytes = *integer;
            } else if (const auto* given = text_of(value)) {
              bytes = parse_size(*given);
              if (!bytes) {
                return wrong(value, fmt::format(R"(must be a size such as "64MiB" or a number of )"
                                                R"(bytes, not {})",
                                                config::quoted(*given)));
              }
            } else {
              return wrong_type(value, R"(a size such as "64MiB" or a number of bytes)");
            }
            if (auto problem = out_of_range(value, *bytes, range, format_size)) return problem;
            field(part) = *bytes;
            return std::nullopt;
          },
          .show =
              [field](Part& part) {
                const auto bytes = field(part);
                return bytes == 0 ? std::string("0") : config::quoted(format_size(bytes));
              }};
}

Binding text_list(const Field<std::vector<std::string>>& field, const TextCheck& check_item) {
  return {.type = "list of strings",
          .assign = [=](Part& part, const Value& value) -> Wrong {
            const auto read = reread(value);
            std::vector<std::string> items;
            if (const auto* list = read.as<Value::List>()) {
              for (const auto& item : *list) {
                const auto* given = text_of(item);
                if (given == nullptr) {
                  return wrong(item, fmt::format("must be a list of strings; one of them is {}",
                                                 kind_of(item)));
                }
                items.push_back(*given);
              }
            } else if (value.loose) {
              // From the environment or the command line: words with commas between them.
              for (std::size_t from = 0; from <= value.text.size();) {
                const auto comma = std::min(value.text.find(',', from), value.text.size());
                items.push_back(value.text.substr(from, comma - from));
                from = comma + 1;
              }
            } else {
              return wrong_type(value, "a list of strings");
            }
            for (const auto& item : items) {
              if (!check_item) break;
              if (auto complaint = check_item(item)) return wrong(value, *std::move(complaint));
            }
            field(part) = std::move(items);
            return std::nullopt;
          },
          .show =
              [field](Part& part) {
                const auto& items = field(part);
                return items.empty() ? "" : fmt::format("[{}]", joined(items));
              }};
}

Binding choice_of(const std::vector<std::string>& names,
                  const std::function<std::size_t(Part&)>& get,
                  const std::function<void(Part&, std::size_t)>& set) {
  return {.type = "choice",
          .choices = names,
          .assign = [names, set](Part& part, const Value& value) -> Wrong {
            const auto* given = text_of(value);
            if (given == nullptr) return wrong_type(value, "one of " + joined(names));
            const auto found = std::find(names.begin(), names.end(), *given);
            if (found == names.end()) {
              return wrong(value, fmt::format("must be one of {}, not {}", joined(names),
                                              config::quoted(*given)));
            }
            set(part, static_cast<std::size_t>(found - names.begin()));
            return std::nullopt;
          },
          .show = [names, get](Part& part) { return config::quoted(names[get(part)]); }};
}

}  // namespace semel::config
