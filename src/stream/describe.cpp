#include "stream/describe.hpp"

#include <fmt/format.h>
#include <cstdio>

namespace semel::stream {

namespace {

/// A text in quotes, as DOT has them.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string as_text(const detail::Graph& graph) {
  std::string out;
  for (const auto& stage : graph.stages) {
    out += stage.name;
    if (!stage.name.starts_with(stage.kind)) out += fmt::format(" ({})", stage.kind);
    for (std::size_t i = 0; i < stage.reads.size(); ++i) {
      out += fmt::format("{}{}", i == 0 ? " <- " : ", ", graph.stages[stage.reads[i]].name);
    }
    out += '\n';
  }
  for (const auto& output : graph.outputs) {
    out += fmt::format(
        "output {} <- {}, {}\n", output.output, graph.stages[output.stage].name,
        output.by_record ? "a row of each record, at its offset" : "rows of whole batches");
  }
  return out;
}

std::string as_dot(const detail::Graph& graph) {
  std::string out = "digraph pipeline {\n  rankdir=LR;\n  node [shape=box];\n";
  for (std::size_t i = 0; i < graph.stages.size(); ++i) {
    out += fmt::format("  s{} [label={}];\n", i, quoted(graph.stages[i].name));
    for (const auto from : graph.stages[i].reads) out += fmt::format("  s{} -> s{};\n", from, i);
  }
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    out += fmt::format("  o{} [label={} shape=cylinder];\n  s{} -> o{};\n", i,
                       quoted(graph.outputs[i].output), graph.outputs[i].stage, i);
  }
  return out + "}\n";
}

}  // namespace

std::string describe(const detail::Graph& graph, Drawing drawing) {
  return drawing == Drawing::dot ? as_dot(graph) : as_text(graph);
}

namespace detail {

void PrintNode::finish(Run& run) {
  auto text = fmt::format("-- {}: batch {}, {} items\n", stage_name(), run.batch().time.ms, all_);
  for (const auto& one : first_) text += one + '\n';
  if (all_ > first_.size()) text += "...\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
  cut(0);
}

void PrintNode::cut(std::size_t size) {
  all_ = size;
  if (first_.size() > size) first_.resize(size);
}

}  // namespace detail

}  // namespace semel::stream
