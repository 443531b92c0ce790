#include "soak/events.hpp"

#include <fmt/format.h>

namespace semel::test {

std::string soak_event(std::int64_t id) {
  const auto second = id % 86'400;
  return fmt::format(
      R"j({{"id":{0},"name":"naïve-{1}","amount":{2}.25,"price":"{2}.10","at":"2026-03-04T{3:02}:{4:02}:{5:02}Z",)j"
      R"j("local":"2026-03-04 {3:02}:{4:02}:{5:02}","day":"2026-02-{6:02}","pause":"-1 {3:02}:{4:02}:{5:02}",)j"
      R"j("span":"[2026-02-03,2026-04-{6:02})","tags":["a\"{1}",null,"c,d"]}})j",
      id, id * 7919 % 1000, id % 97, second / 3600, second / 60 % 60, second % 60, id % 28 + 1);
}

std::string soak_poison(int kind) {
  switch (kind) {
    case 0:
      return R"({"id":"no number","name":"poison"})";
    case 1:
      return R"({"id":-7,"name":"poison"})";
    default:
      return R"({"id":0,"name":"poison for the trigger"})";
  }
}

std::string soak_table_sql() {
  return R"(
CREATE TABLE events (id integer CHECK (id >= 0), name text, amount double precision, price numeric(10,2), at timestamptz,
  local timestamp, day date, pause interval, span tsrange, tags text[], p integer, o bigint);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.name = 'poison for the trigger' THEN RAISE EXCEPTION 'no such thing' USING ERRCODE = '42P01'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse();
)";
}

std::string soak_differences_sql(std::int64_t produced) {
  return fmt::format(R"(
SELECT json_agg(d) FROM (SELECT id, times, p, o, wanted IS NULL AS unwanted, stored IS NULL AS lost, stored.name FROM (
  SELECT g.id, 'naïve-' || g.id * 7919 % 1000 AS name, g.id % 97 + 0.25::float8 AS amount, (g.id % 97 + 0.10)::numeric(10,2) AS price,
    timestamptz '2026-03-04 00:00:00Z' + g.id % 86400 * interval '1 second' AS at,
    timestamp '2026-03-04 00:00:00' + g.id % 86400 * interval '1 second' AS local,
    date '2026-02-01' + (g.id % 28)::int AS day,
    interval '-1 day' + g.id % 86400 * interval '1 second' AS pause,
    tsrange('2026-02-03', timestamp '2026-04-01' + g.id % 28 * interval '1 day') AS span,
    ARRAY['a"' || g.id * 7919 % 1000, NULL, 'c,d'] AS tags
  FROM generate_series(0::bigint, {} - 1) AS g(id)) wanted
FULL JOIN (SELECT id::bigint, name, amount, price, at, local, day, pause, span, tags, count(*) AS times, min(p) AS p, min(o) AS o FROM events
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10) stored USING (id)
WHERE times IS DISTINCT FROM 1 OR (wanted.name, wanted.amount, wanted.price, wanted.at, wanted.local, wanted.day, wanted.pause, wanted.span,
  wanted.tags) IS DISTINCT FROM (stored.name, stored.amount, stored.price, stored.at, stored.local, stored.day, stored.pause,
  stored.span, stored.tags) ORDER BY id LIMIT 20) d)",
                     produced);
}

}  // namespace semel::test
