// What a program has made of a stream's pipeline: what run() runs, and a trial of it.
#pragma once

#include <memory>

#include <semel/pipeline.hpp>
#include <semel/stream.hpp>
#include <semel/stream/graph.hpp>

#include "stream/sources.hpp"

namespace semel::stream {

struct Pipeline::Content {
  std::shared_ptr<detail::Graph> graph = std::make_shared<detail::Graph>();
  std::shared_ptr<Sources> sources = std::make_shared<Sources>();
};

/// Rows that have no record's offset need a place of their own in the ledger, and so do several
/// outputs in which a batch is one fact.
OwnOutput::Batches batches_of(const detail::Graph& graph);

/// Fatal (Cause::configuration) where no stream leads to an output.
Result<void> leads_somewhere(const detail::Graph& graph);

}  // namespace semel::stream
