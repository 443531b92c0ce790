#include "bench/semel/page.hpp"

#include <fmt/format.h>

#include "bench/semel/charts.hpp"

namespace semel::bench {

namespace {

constexpr auto style = R"(
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5d6675; --paper: #ffffff; --line: #dfe3e8;
  --curve: #2563eb; --good: #15803d; --bad: #c2410c; --plain: #64748b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #9aa4b2; --paper: #12161d;
  --line: #2b323d; --curve: #7aa2ff; --good: #4ade80; --bad: #fb923c; --plain: #94a3b8; } }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1rem 4rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .2rem; } p { margin: .3rem 0; }
.soft, footer { color: var(--soft); } .verdict { font-weight: 600; }
.verdict.good { color: var(--good); } .verdict.bad { color: var(--bad); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; } th { font-weight: 600; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
td.good { color: var(--good); } td.bad { color: var(--bad); font-weight: 600; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font-size: 12px; }
.grid { stroke: var(--line); }
.c0 { --way: var(--curve); } .c1 { --way: #a855f7; } .c2 { --way: #d97706; } .c3 { --way: #0d9488; }
.way polyline { fill: none; stroke: var(--way); stroke-width: 1.6; } .c0 polyline { stroke-width: 2.6; }
.way circle { fill: var(--way); stroke: var(--paper); stroke-width: 1.2; }
ul { margin: .4rem 0; padding-left: 1.3rem; } .legend { list-style: none; padding: 0; }
.key { display: inline-block; width: 1.4rem; height: .3rem; margin: 0 .5rem .2rem 0;
  background: var(--way); }
rect.good { fill: var(--good); } rect.bad { fill: var(--bad); } rect.plain { fill: var(--plain); }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: .8rem; font-size: .85rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .5rem 0; }
dd { margin: 0; overflow-wrap: anywhere; } code { overflow-wrap: anywhere; }
)";

}  // namespace

std::string cell(const std::string& text, const char* style) {
  return *style != '\0' ? fmt::format("<td class=\"{}\">{}</td>", style, escaped(text))
                        : fmt::format("<td>{}</td>", escaped(text));
}

std::string verdict_line(bool passed, const std::string& text) {
  return fmt::format("<p class=\"verdict {}\">{}</p>\n", passed ? "good" : "bad", escaped(text));
}

std::string page(const std::string& title, const std::string& body, const std::string& notes,
                 const std::vector<std::pair<std::string, std::string>>& facts,
                 const Origin& origin) {
  auto html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\"><title>semel: {0}</title>"
      "<style>{1}</style></head><body>\n<h1>{0}</h1>\n{2}<footer>\n<p>{3}</p>\n<dl>\n",
      escaped(title), style, body, escaped(notes));
  const auto fact = [&](const std::string& name, const std::string& value) {
    html += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escaped(name), escaped(value));
  };
  fact("date", origin.date);
  fact("command", origin.command);
  for (const auto& [name, value] : facts) fact(name, value);
  for (const auto& [name, value] : origin.machine) fact(name, value);
  return html + "</dl>\n</footer>\n</body></html>\n";
}

}  // namespace semel::bench
