#include <array>
#include <ostream>

#include <semel/testing.hpp>

namespace semel::testing {

namespace {

struct Named {
  Place place;
  std::string_view name;
};

constexpr std::array<Named, 12> names{{{Place::took_over, "took_over"},
                                       {Place::entered_partitions, "entered_partitions"},
                                       {Place::planned, "planned"},
                                       {Place::persisted_plan, "persisted_plan"},
                                       {Place::began, "began"},
                                       {Place::wrote_rows, "wrote_rows"},
                                       {Place::prepared_state, "prepared_state"},
                                       {Place::committed_output, "committed_output"},
                                       {Place::committed_outputs, "committed_outputs"},
                                       {Place::applied_state, "applied_state"},
                                       {Place::settled, "settled"},
                                       {Place::forgot_plan, "forgot_plan"}}};

constexpr auto places = [] {
  std::array<Place, names.size()> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = names[i].place;
  return all;
}();

}  // namespace

std::span<const Place> all_places() {
  return places;
}

std::string_view to_string(Place place) {
  return names[static_cast<std::size_t>(place)].name;
}

std::ostream& operator<<(std::ostream& out, Place place) {
  return out << to_string(place);
}

std::string_view to_string(Trouble trouble) {
  switch (trouble) {
    case Trouble::unavailable:
      return "unavailable";
    case Trouble::lost_request:
      return "lost_request";
    case Trouble::lost_reply:
      break;
  }
  return "lost_reply";
}

std::ostream& operator<<(std::ostream& out, Ran ran) {
  switch (ran) {
    case Ran::nothing:
      return out << "nothing";
    case Ran::batch:
      return out << "batch";
    case Ran::died:
      break;
  }
  return out << "died";
}

}  // namespace semel::testing
