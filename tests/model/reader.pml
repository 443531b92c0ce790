/* How a range ends: one partition's log with aborted records and transaction markers at its tail,
 * librdkafka's queue, and the reader of src/kafka/range_session.cpp. Ranges are contiguous and share
 * one fetch session. The end of the partition is raised once per offset, possibly before the range
 * that ends there is planned. docs/model.md has the table.
 *
 *   M_EOF_FORGOTTEN     an end that was seen while an earlier range was read is not remembered
 *   M_PAST_DROPPED      a record past the range is dropped instead of held for the next range
 *   M_RECORD_PAST_ONLY  a range ends when a record at or past its last offset is seen, and by nothing else
 *   M_ANY_END           any end of the partition ends the range, also one that was raised before it
 */
#ifndef LAST
#define LAST 4          /* offsets that the log will hold */
#endif
#define NONE 255

/* visible[o]: a record that a read_committed consumer is given; otherwise aborted, or a marker. Chosen
 * at the beginning: every log of this length. */
bit visible[LAST];
byte high = 0;          /* the last stable offset: what the planner sees */

/* The fetch session's queue: offsets in order; END + o is the end of the partition, raised at o. */
#define END 100
chan queue = [LAST + LAST + 1] of { byte };
byte fetched = 0;       /* librdkafka's next offset */
byte raised = NONE;     /* the offset at which it last raised the end */

/* What the session was given: ghost. A bit for each offset, in the range that asked for it. */
byte delivered = 0;
byte done = 0;          /* ranges are finished up to here */
bit chosen = 0;

/* Appends are seen when a transaction has ended: the last stable offset moves over one or more. */
active proctype log() {
  byte o = 0;
  atomic {
    do
    :: o < LAST -> if :: visible[o] = 1 :: visible[o] = 0 fi; o++
    :: else -> break
    od;
    o = 0; chosen = 1
  }
  do
  :: atomic { high < LAST -> high++ }
  :: atomic { high + 2 <= LAST -> high = high + 2 }
  :: atomic { high == LAST -> break }
  od
}

/* librdkafka's fetcher. */
active proctype fetcher() {
end:
  do
  :: atomic { chosen && fetched < high && nfull(queue) ->
     if :: visible[fetched] -> queue!fetched :: else fi;
     fetched++ }
  :: atomic { chosen && fetched == high && raised != high && nfull(queue) -> raised = high; queue!(END + high) }
  od
}

#ifdef M_RECORD_PAST_ONLY
#define BY_END false
#elif defined(M_ANY_END)
#define BY_END (end_seen != NONE)
#else
#define BY_END (end_seen != NONE && end_seen >= until && held == NONE)
#endif
#define AT_END (next >= until || BY_END)

/* The driver plans up to the last stable offset; the session reads that range. */
active proctype reader() {
  byte from = 0, until = 0, next = 0, end_seen = NONE, held = NONE, m = 0;
  bit busy = 0;
end:
  do
  :: atomic { chosen && !busy && done < high ->
     from = done; next = from; busy = 1;
#ifdef M_EOF_FORGOTTEN
     end_seen = NONE;
#endif
     /* The last stable offset, or less (max_records). */
     if
     :: until = high
     :: done + 1 < high -> until = done + 1
     fi }
  /* take: what was held comes first, then the queue. Behind the range's last record it goes on to the
   * end of what one call pulled, which may be anything; a held record stops it. */
  :: atomic { busy && (!(AT_END) || held == NONE) && (held != NONE || nempty(queue)) ->
     if :: held != NONE -> m = held; held = NONE :: else -> queue?m fi;
     if
     :: m >= END -> if :: end_seen == NONE || end_seen < m - END -> end_seen = m - END :: else fi
     :: m < END && m >= until ->
#ifndef M_PAST_DROPPED
        held = m;
#endif
        next = until
     :: m < END && m < until ->
        assert(m >= from);                          /* no record of the range before */
        assert((delivered & (1 << m)) == 0);        /* none twice */
        assert((delivered >> m) == 0);              /* in the order of the log */
        delivered = delivered | (1 << m);
        next = m + 1
     fi;
     m = 0 }
  /* at_end: by position, or by the remembered end. */
  :: atomic { busy && AT_END ->
     /* Whole: each visible record of the range was given out. */
     for (m : from .. until - 1) { assert(!visible[m] || (delivered & (1 << m)) != 0) }
     m = 0; done = until; from = 0; until = 0; next = 0; busy = 0 }
  od
}

#ifdef LIVENESS
ltl ends { <> (done == LAST) }
#endif
