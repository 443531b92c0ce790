/* State that is exactly once (docs/decisions/0015): a pipeline with state and two outputs. Each output has a
 * ledger of its own, in a database of its own, that says how far it is and which *version* of the state its rows
 * were computed to. What one ledger promises by itself is in sink.pml; here a commit is one step, and what two of
 * them and the state come to is asserted. No code has this yet. Switches:
 *
 *   SINK        state = "sink": the state's rows are in output 0, its home; each machine has a cache of them
 *   FICKLE      functions are not deterministic: a batch that is computed again has another result
 *   CHECKPOINT  the store keeps what it was before the last apply
 *   M_...       one rule left out: the checker must find a counterexample
 */

#ifndef LAST
#define LAST 2          /* the log holds the offsets 0 .. LAST-1, at most two; a batch has none, one or both */
#endif
#ifndef TIMES
#define TIMES 2         /* batches */
#endif
#ifndef MACHINES
#define MACHINES 2      /* each with a store of its own, which one process holds at a time */
#endif
#ifndef STARTS
#define STARTS 3        /* of processes: the first ones, and after kill -9 or a loss of power, at any step */
#endif
#ifndef LOSSES
#define LOSSES 1        /* answers that never come, and commits that fail before they reach the server */
#endif
#ifndef REFUSALS
#define REFUSALS 0      /* sessions that may not be ended: their commit may arrive late */
#endif
#ifndef FAILOVERS
#define FAILOVERS 0     /* one database, or both, become what they were once; epochs then repeat */
#endif

/* A version is the batch's time and a name that is given once, each time a batch is computed; 0 is the beginning. */
#define VERSION(time, name) ((time) * 16 + (name))
#define TIME(v) ((v) / 16)
#define NAME(v) ((v) % 16)
#ifdef M_TIME_ONLY
#define SAME(a, b) (TIME(a) == TIME(b))
#else
#define SAME(a, b) ((a) == (b))
#endif

/* What is in the state: how often each offset was counted, two bits each, and the batches that were, too
 * (an empty one counts: it lets time-outs pass). */
#define COUNTS(until) ((until) == 0 -> 0 : ((until) == 1 -> 1 : 5))
#define A_BATCH 16
#define DELTA(from, until) (COUNTS(until) - COUNTS(from) + A_BATCH)

/* -- Databases ------------------------------------------------------------------------------------ */
typedef Output {
  byte epoch; byte owner;
  byte until; byte version;
  byte content;         /* of the state that the rows agree with: a ghost, but in the home of state = "sink" */
  bit result;           /* what the last batch's functions came to */
#ifdef SINK
  byte before;          /* the history: the version before, */
  byte names[TIMES + 1]; byte contents[TIMES + 1];        /* and of each time its version */
#endif
}
Output out[2];
byte timeline[2];       /* which server answers: a session does not survive a failover */
bit went_back;
#if FAILOVERS > 0
Output copy[2];
byte copied;            /* 1, 2, 3: of output 0, of 1, of both */
byte failovers_left = FAILOVERS;
Output nothing;         /* all zero */
#endif

byte uuids[MACHINES], given[MACHINES];      /* how many were given out; 0 is nobody's, and no name */
byte starts_left = STARTS, losses_left = LOSSES, refusals_left = REFUSALS;
bit is_fenced[2];               /* ghost: who has stopped because of the other */
byte warned;                    /* ghost: the version that was said to have two results */

/* -- A commit ------------------------------------------------------------------------------------- */
#ifdef M_NO_UUID
#define SAME_OWNER(i, uuid_) true
#else
#define SAME_OWNER(i, uuid_) (out[i].owner == uuid_)
#endif
#ifdef M_VERSION_NOT_COMPARED
#define SAME_PARENT(i, parent) true
#else
#define SAME_PARENT(i, parent) SAME(out[i].version, parent)
#endif
#define PASSES(i, uuid_, epoch_, from, parent) \
  (out[i].epoch == epoch_ && SAME_OWNER(i, uuid_) && out[i].until == from && SAME_PARENT(i, parent))

/* A copy that a failover makes the database again: taken before it changes, for till then it is the same. */
inline copy_output(to, o) {
  to.epoch = o.epoch; to.owner = o.owner; to.until = o.until; to.version = o.version; to.content = o.content;
  to.result = o.result;
#ifdef SINK
  to.before = o.before;
  to.names[1] = o.names[1]; to.contents[1] = o.contents[1];
#if TIMES > 1
  to.names[2] = o.names[2]; to.contents[2] = o.contents[2];
#endif
#endif
}
#if FAILOVERS > 0
inline copy_for(n) {
  if
  :: true
  :: failovers_left > 0 && copied == 0 -> failovers_left--; copied = n + 1; copy_output(copy[n], out[n])
  :: failovers_left > 0 && copied == 0 -> failovers_left--; copied = 3;
     copy_output(copy[0], out[0]); copy_output(copy[1], out[1])
  fi
}
#define changes(n) copy_for(n)
#else
#define changes(n) skip
#endif

/* Rows, position and version: one transaction. `base` is what was in the state that it was computed on. */
inline move(n, v, base_, to_, with_) {
  changes(n);
  assert(out[n].content == base_);                 /* computed on the state that these rows agree with */
  assert(TIME(out[1 - n].version) < TIME(v) || out[1 - n].version == v);      /* the outputs do not fork */
  out[n].content = base_ + DELTA(out[n].until, to_);
#ifdef SINK
  out[n].before = out[n].version; out[n].names[TIME(v)] = NAME(v); out[n].contents[TIME(v)] = out[n].content;
#endif
  out[n].until = to_; out[n].version = v; out[n].result = with_;
  assert(out[n].content % A_BATCH == COUNTS(to_));                            /* each record once */
  assert(out[1 - n].version != v || out[1 - n].result == with_ || warned == v) /* one batch, one result */
}

#if REFUSALS > 0
/* The transaction of a session that could not be ended: it arrives at any time, or never. */
bit late, late_with;
byte late_i, late_uuid, late_epoch, late_from, late_parent, late_version, late_base, late_to;
inline no_late() {
  late = 0; late_i = 0; late_uuid = 0; late_epoch = 0; late_from = 0; late_parent = 0; late_version = 0;
  late_base = 0; late_to = 0; late_with = 0
}
#endif

#if REFUSALS > 0 || FAILOVERS > 0
active proctype servers() {
end:
  do
#if REFUSALS > 0
  :: atomic { late && PASSES(late_i, late_uuid, late_epoch, late_from, late_parent) ->
     move(late_i, late_version, late_base, late_to, late_with); no_late() }
  :: atomic { late -> no_late() }
#endif
#if FAILOVERS > 0
  :: atomic { copied != 0 ->
     went_back = 1;
     if :: copied != 2 -> copy_output(out[0], copy[0]); timeline[0]++; copy_output(copy[0], nothing) :: else fi;
     if :: copied != 1 -> copy_output(out[1], copy[1]); timeline[1]++; copy_output(copy[1], nothing) :: else fi;
#if REFUSALS > 0
     if :: late && (copied == 3 || copied == late_i + 1) -> no_late() :: else fi;
#endif
     copied = 0 }
#endif
  od
}
#endif

/* -- A process ------------------------------------------------------------------------------------ */
mtype = { off, fence, open, ask, compute, commit, fenced, refused, done };

#define OURS(i) (out[i].epoch == epoch[i] && SAME_OWNER(i, uuid))
#define LIVES(i) (session[i] == timeline[i])
#ifdef M_NOT_ALL_OURS
#define SEEN_OURS(i) (OURS(i) || took_over)
#else
#define SEEN_OURS(i) OURS(i)
#endif
#ifdef M_STOPS_WHEREVER_FENCED
#define HAS_FIRST false
#else
#define HAS_FIRST has_first
#endif
#define STOPPED (pc == off || pc == fenced || pc == refused || pc == done)

inline forget() {
  at[0] = 0; at[1] = 0; version[0] = 0; version[1] = 0; new = 0; to = 0; base = 0; with[0] = 0;
  with[1] = 0; is_in[0] = 0; is_in[1] = 0; i = 0;
#ifdef SINK
  before[0] = 0; before[1] = 0;
#endif
  took_over = 0
}
inline stop(why) {
  forget(); has_first = 0; uuid = 0; epoch[0] = 0; epoch[1] = 0; session[0] = 0; session[1] = 0;
  pc = why
}
/* It ends at any step; and it is started where it had stopped. */
inline restart() {
  starts_left--;
  if
  :: true                                                    /* kill -9: the store is as it was written */
  :: copy_store(store[me], disk[me])                         /* loss of power: as it was synced */
  fi;
  is_fenced[me] = 0; stop(fence)
}
inline look_again(where) { forget(); pc = where }

#ifdef M_NAMED_BY_OWNER
inline name_it() { new = VERSION(TIME(version[0]) + 1, uuid) }
#else
inline name_it() {
  given[me]++; assert(given[me] < 8);
  new = VERSION(TIME(version[0]) + 1, me * 8 + given[me])
}
#endif

/* What the functions come to. */
#ifdef FICKLE
inline call(result_) { if :: result_ = 0 :: result_ = 1 fi }
#define warn_of(v) warned = v
#else
inline call(result_) { result_ = 0 }
#define warn_of(v) skip
#endif

/* In state = "sink" home comes last. */
#if !defined(SINK)
#define MAY_COMMIT_0 true
#define MAY_COMMIT_1 true
#elif defined(M_HOME_FIRST)
#define MAY_COMMIT_0 true
#define MAY_COMMIT_1 is_in[0]
#else
#define MAY_COMMIT_0 is_in[1]
#define MAY_COMMIT_1 true
#endif

#include "state_store.pml"

proctype process(byte me) {
  mtype pc = off;
  byte uuid = 0, i = 0;
  byte epoch[2], session[2];        /* as we took over; the server that a session is with */
  byte at[2], version[2];           /* as the ledgers say */
#ifdef SINK
  byte before[2];
#endif
  byte new = 0, to = 0, base = 0;   /* the batch: its version, its end, what it was computed on */
  bit with[2], is_in[2];            /* its result as each output has it, and where it is committed */
  bit took_over;                    /* what is asked now is what this take-over found */
  bit has_first;                    /* the session in which output 0 was taken over is still there */

begin:
  do
  /* Take-over: fence all outputs in order, then ask each. */
  :: atomic { pc == fence ->
     if :: uuid == 0 -> uuids[me]++; uuid = me * 8 + uuids[me] :: else fi;
     changes(i); out[i].epoch++; out[i].owner = uuid; epoch[i] = out[i].epoch; session[i] = timeline[i];
     if :: i == 0 -> has_first = 1 :: else fi;
     if :: i == 1 -> i = 0; took_over = 1; pc = ask :: else -> i = 1 fi }

  /* Who owns them, and how far they are; after a failure and in doubt, too. First there is a session with each:
   * a failover may have made somebody the owner again who was it before, in one output alone. Who is asked after
   * the session is there tells of that, and the session does not survive the next failover. */
  :: atomic { pc == open || pc == ask ->
     if
     :: pc == open ->
        if :: !LIVES(0) -> has_first = 0 :: else fi;
        session[0] = timeline[0]; session[1] = timeline[1]; pc = ask
     :: else
     fi;
#ifdef M_ASKED_BEFORE_OPENED
     if :: !took_over -> session[i] = timeline[i] :: else fi;
#endif
     if
     :: !LIVES(i) -> look_again(open)
     :: LIVES(i) && SEEN_OURS(i) -> version[i] = out[i].version; at[i] = out[i].until;
#ifdef SINK
        before[i] = out[i].before;
#endif
        if :: i == 1 -> i = 0; took_over = 0; recover() :: else -> i = 1 fi
     :: LIVES(i) && !SEEN_OURS(i) && out[i].epoch < epoch[i] -> look_again(fence)       /* went back */
     :: LIVES(i) && !SEEN_OURS(i) && out[i].epoch >= epoch[i] ->
        /* The first output decides: who took over the second one after us has lost the first one to us, and
         * stops. A session that was opened anew says nothing of that: a failover may have been. */
        if
        :: i == 1 && HAS_FIRST -> look_again(fence); i = 1
        :: else ->
           assert(went_back || !is_fenced[1 - me]);                       /* somebody is left */
           is_fenced[me] = 1; stop(fenced)
        fi
     fi }

  :: atomic { pc == compute && TIME(version[0]) < TIMES ->
     name_it(); to = at[0];
     if
     :: true
     :: to + 1 <= LAST -> to = to + 1
     :: to + 2 <= LAST -> to = to + 2
     fi;
     call(with[0]); with[1] = with[0]; base = store[me].content;
     prepare(); pc = commit }

  /* All outputs have it. */
  :: atomic { pc == commit && is_in[0] && is_in[1] ->
     apply();
     at[0] = to; at[1] = to; version[0] = new; version[1] = new; is_in[0] = 0; is_in[1] = 0; new = 0; to = 0;
     base = 0; with[0] = 0; with[1] = 0; pc = compute }

  :: atomic { pc == commit && !(is_in[0] && is_in[1]) ->
     if
     :: !is_in[0] && MAY_COMMIT_0 -> i = 0
     :: !is_in[1] && MAY_COMMIT_1 -> i = 1
     fi;
#ifdef M_OPENED_WITHOUT_ASKING
     session[i] = timeline[i];
#endif
     if
     :: !LIVES(i) || !PASSES(i, uuid, epoch[i], at[i], version[i]) -> look_again(open)
     :: LIVES(i) && PASSES(i, uuid, epoch[i], at[i], version[i]) ->
        if
        :: move(i, new, base, to, with[i]);
           if
           :: is_in[i] = 1; i = 0
           :: losses_left > 0 -> losses_left--; look_again(open)
           fi
        :: losses_left > 0 -> losses_left--;
#ifdef M_COMPUTED_AGAIN_FOR_ONE
           /* Its rows are made again, and the delta with them; the other's are on their way. */
           if
           :: !is_in[1 - i] -> call(with[i]); store[me].p_result = with[i]; sync(); i = 0
           :: else -> look_again(open)
           fi
#else
           look_again(open)
#endif
#if REFUSALS > 0
        :: refusals_left > 0 -> refusals_left--;
           late = 1; late_i = i; late_uuid = uuid; late_epoch = epoch[i]; late_from = at[i];
           late_parent = version[i]; late_version = new; late_base = base; late_to = to; late_with = with[i];
#ifdef M_LATE_NOT_FENCED
           look_again(open)
#else
           look_again(fence)
#endif
#endif
        fi
     fi }
  :: atomic { pc == compute && TIME(version[0]) == TIMES ->
     assert(store[me].content % A_BATCH == COUNTS(at[0]));
#ifdef REACHES_THE_END
     assert(at[0] == 0);
#endif
     pc = done }
  :: atomic { STOPPED -> goto end_stopped }
  :: atomic { !STOPPED && starts_left > 0 -> restart() }
  od;

end_stopped:
  if
  :: atomic { starts_left > 0 && (me == 0 || starts_left < STARTS) -> restart(); goto begin }     /* one is the first */
  /* An owner that has nothing to do looks, too. */
  :: atomic { pc == done && !(OURS(0) && OURS(1) && out[0].version == version[0] && out[1].version == version[1]) ->
     look_again(open); goto begin }
  fi
}

init { atomic { run process(0);
#if MACHINES > 1
  run process(1);
#endif
} }
