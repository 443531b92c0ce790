/* A batch that is given up (on_data_loss = "skip_batch"): two partitions, one of which has lost
 * records of it. What is left of the batch is recorded as lost, a transaction for each range, behind
 * a decision that is durable. Kills at every step; the machine may be lost with its plan log.
 * docs/model.md maps each step to the code. Switches:
 *
 *   STATE_LOST  the plan log may be lost
 *   M_...       one rule left out: the checker must find a counterexample
 */
#ifndef KILLS
#define KILLS 3
#endif

/* What became of the range of the batch in each partition. */
mtype = { open, stored, lost_of_batch, stored_later };
mtype range[2] = open;

/* The plan log. */
mtype = { planned, given_up, forgotten };
mtype plan = planned;

mtype = { start, fetch, decide, record, later, done };
byte kills_left = KILLS;
bit deleted;              /* records of partition 1 are gone: at any moment, once */
bit machine_lost;

#define IS_OPEN(p) (range[p] == open)
#define RECORDED(p) (range[p] == lost_of_batch)

/* Never some of the batch as its result, and the rest given up. */
inline check() {
  assert(!(range[0] == stored && RECORDED(1)) && !(range[1] == stored && RECORDED(0)));
  assert((range[0] == stored) == (range[1] == stored))
}

active proctype retention() {
end:
  atomic { !deleted -> deleted = 1 }
}

active proctype driver() {
  mtype pc = start;
end:
  do
  :: atomic { pc != done && kills_left > 0 -> kills_left--; pc = start }
#ifdef STATE_LOST
  :: atomic { pc != done && !machine_lost -> machine_lost = 1; plan = forgotten; pc = start }
#endif

  /* reconcile: a batch of which something is in the ledger is kept where it was given up. */
#ifdef M_REST_IS_PLANNED_ANEW
  :: atomic { pc == start && plan == given_up -> plan = forgotten; pc = later }
#else
  :: atomic { pc == start && plan == given_up -> pc = record }
#endif
  :: atomic { pc == start && plan == planned && IS_OPEN(0) && IS_OPEN(1) -> pc = fetch }
  :: atomic { pc == start && plan == planned && !(IS_OPEN(0) && IS_OPEN(1)) ->
     plan = forgotten; pc = later }
  :: atomic { pc == start && plan == forgotten -> pc = later }

  /* One transaction of both ranges, or the records are gone. */
  :: atomic { pc == fetch && !deleted -> range[0] = stored; range[1] = stored; check();
     pc = later }
#ifdef M_LEAVES_ITS_BATCH
  :: atomic { pc == fetch && deleted -> range[1] = lost_of_batch; range[0] = stored; check();
     pc = later }
#else
  :: atomic { pc == fetch && deleted -> pc = decide }
#endif
#ifdef M_DECISION_NOT_DURABLE
  :: atomic { pc == decide -> pc = record }
#else
  :: atomic { pc == decide -> plan = given_up; pc = record }
#endif

  /* Each a transaction of its own, in any order. */
  :: atomic { pc == record && IS_OPEN(0) -> range[0] = lost_of_batch; check() }
  :: atomic { pc == record && IS_OPEN(1) -> range[1] = lost_of_batch; check() }
  :: atomic { pc == record && !IS_OPEN(0) && !IS_OPEN(1) -> plan = forgotten; pc = later }

  /* Whatever the ledger still lacks is planned anew, and read, as far as it is there. */
  :: atomic { pc == later && IS_OPEN(0) -> range[0] = stored_later }
  :: atomic { pc == later && IS_OPEN(1) -> range[1] = stored_later }
  :: atomic { pc == later && !IS_OPEN(0) && !IS_OPEN(1) ->
     /* All of the batch was done in one way. Without its plan log, the rest is another batch's. */
     assert(machine_lost || range[0] == range[1]);
     pc = done }
  od
}
