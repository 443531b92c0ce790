#include "semel/listener.hpp"

namespace semel {

PipelineListener::~PipelineListener() = default;
void PipelineListener::on_taken_over(std::string_view, const TakenOver&) {}
void PipelineListener::on_entered(std::string_view, std::span<const Progress>) {}
void PipelineListener::on_committed(std::string_view, BatchTime, std::span<const CommittedRange>) {}
void PipelineListener::on_data_lost(std::string_view, const OffsetRange&, std::string_view) {}
void PipelineListener::on_ended(std::string_view, const Error*) {}

}  // namespace semel
