/* Several ranges of one batch in one transaction: two partitions, owners that compete, transactions
 * that outlive their owner, lost replies, a database that goes back. How a range by itself is fetched,
 * hunted and entered is in protocol.pml; here is what sharing a transaction adds: the guard moves all
 * rows or none, a doubt is range_done by what the ledger says of each, and groups may be formed anew.
 * docs/model.md maps each step to the code. Switches:
 *
 *   WHOLE       commit = "batch": a group is all that is left; else any ranges may share
 *   M_...       one rule left out: the checker must find a counterexample
 */
#ifndef LAST
#define LAST 2          /* offsets 0 .. LAST-1 in each of the two partitions; a range has one */
#endif
#ifndef OWNERS
#define OWNERS 2
#endif
#ifndef BACKENDS
#define BACKENDS 2
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef LOSSES
#define LOSSES 1
#endif
#ifndef REFUSALS
#define REFUSALS 0      /* how often a session may not be ended */
#endif
#ifndef FAILOVERS
#define FAILOVERS 0
#endif

#define NONE 255
#define MASK(until) ((1 << (until)) - 1)

typedef Database {
  byte o_epoch; byte o_owner;                    /* semel_owners */
  byte until[2]; byte epoch[2]; byte owner[2];   /* semel_progress */
  byte rows[2];                                  /* the user's table: a bit for each offset */
  byte taken_over;                                  /* ghost: the epoch of the last owner that has read */
}
Database db;
#if FAILOVERS > 0
Database replica;
bit replicated;
byte failovers_left = FAILOVERS;
#endif
byte timeline;

mtype = { gone, final, accepted, refused };
typedef Backend {
  mtype state = gone;
  byte client;          /* the process that listens, + 1; 0: nobody does */
  byte owner; byte epoch;
  bit in[2]; byte from[2];
}
Backend bk[BACKENDS];

byte uuids;
byte crashes_left = CRASHES, losses_left = LOSSES, refusals_left = REFUSALS;

inline end_backend(b) {
  bk[b].state = gone; bk[b].client = 0; bk[b].owner = 0; bk[b].epoch = 0;
  bk[b].in[0] = 0; bk[b].in[1] = 0; bk[b].from[0] = 0; bk[b].from[1] = 0
}

/* The guard (batch_guard.cpp): one statement moves the rows, and raises where they are not as many as
 * there are ranges. It holds all of them to COMMIT, so it is one step. */
#define MATCHES(b, p) (bk[b].in[p] && db.until[p] == bk[b].from[p] && db.epoch[p] == bk[b].epoch && \
                       db.owner[p] == bk[b].owner)
#define RANGES(b) (bk[b].in[0] + bk[b].in[1])
#define MOVED(b) ((MATCHES(b, 0) -> 1 : 0) + (MATCHES(b, 1) -> 1 : 0))
#if defined(M_ONE_ROW_FEWER)
#define PASSES(b) (MOVED(b) == RANGES(b) || (RANGES(b) == 2 && MOVED(b) == 1))
#elif defined(M_NOT_COUNTED)
#define PASSES(b) (MOVED(b) > 0)              /* an error only where nothing moved at all */
#else
#define PASSES(b) (MOVED(b) == RANGES(b))
#endif

inline store(b, p, matches) {
  if
  :: bk[b].in[p] ->
     assert((db.rows[p] & (1 << bk[b].from[p])) == 0);       /* no record twice */
     db.rows[p] = db.rows[p] | (1 << bk[b].from[p]);
     if :: matches -> db.until[p] = bk[b].from[p] + 1 :: else fi
  :: else
  fi
}

inline run_final(b) {
  if
  :: PASSES(b) ->
     assert(db.o_epoch == bk[b].epoch && db.o_owner == bk[b].owner);   /* P3: by the owner */
     assert(bk[b].epoch >= db.taken_over);                                /* P7: nobody newer has read */
     m0 = MATCHES(b, 0); m1 = MATCHES(b, 1);
     store(b, 0, m0); store(b, 1, m1);
     m0 = 0; m1 = 0;
     assert(db.rows[0] == MASK(db.until[0]) && db.rows[1] == MASK(db.until[1]));   /* P1, P2 */
#ifdef WHOLE
     assert(db.rows[0] == db.rows[1]);                                 /* a batch is seen whole */
#endif
     bk[b].state = accepted
  :: else -> bk[b].state = refused
  fi;
  if :: bk[b].client == 0 -> end_backend(b) :: else fi
}

active proctype server() {
  bit m0 = 0, m1 = 0;
end:
  do
  :: atomic { bk[0].state == final -> run_final(0) }
  :: atomic { bk[1].state == final -> run_final(1) }
#if BACKENDS > 2
  :: atomic { bk[2].state == final -> run_final(2) }
#endif
#if FAILOVERS > 0
  :: atomic { failovers_left > 0 && !replicated -> replicated = 1;
     replica.o_epoch = db.o_epoch; replica.o_owner = db.o_owner; replica.taken_over = db.taken_over;
     replica.until[0] = db.until[0]; replica.epoch[0] = db.epoch[0]; replica.owner[0] = db.owner[0];
     replica.until[1] = db.until[1]; replica.epoch[1] = db.epoch[1]; replica.owner[1] = db.owner[1];
     replica.rows[0] = db.rows[0]; replica.rows[1] = db.rows[1] }
  :: atomic { replicated -> replicated = 0; failovers_left--; timeline++;
     db.o_epoch = replica.o_epoch; db.o_owner = replica.o_owner; db.taken_over = replica.taken_over;
     db.until[0] = replica.until[0]; db.epoch[0] = replica.epoch[0]; db.owner[0] = replica.owner[0];
     db.until[1] = replica.until[1]; db.epoch[1] = replica.epoch[1]; db.owner[1] = replica.owner[1];
     db.rows[0] = replica.rows[0]; db.rows[1] = replica.rows[1];
     end_backend(0); end_backend(1)
#if BACKENDS > 2
     ; end_backend(2)
#endif
     }
#endif
  od
}

mtype = { start, fence, end_others, read, running, reply, doubt, ask, fenced };

#define LIVES(b) (bk[b].state != gone)
#define MINE (LIVES(b) && bk[b].client == me + 1)
#define OURS (db.o_epoch == epoch && db.o_owner == uuid)
#define COMMITTED(p) (in[p] && db.until[p] == position[p] + 1)
#define UNCHANGED(p) (in[p] && db.until[p] == position[p])
#define BEYOND(p) (in[p] && db.until[p] > position[p] + 1)
#define BACK(p) (db.until[p] < position[p])
#define LEFT(p) (position[p] < LAST)

inline no_group() { in[0] = 0; in[1] = 0; b = NONE; old = NONE; asked_in_doubt = 0 }
inline settle_if(p, is) {
  if :: is -> position[p] = position[p] + 1; given_up[p] = 0 :: else fi
}
/* Committed while the other is not: only an earlier transaction, given up for lost, can have done it. */
#define EXPLAINED(p) (!COMMITTED(p) || given_up[p] || timeline > 0)

proctype process(byte me) {
  mtype pc = start;
  byte uuid = 0, epoch = 0, b = NONE, old = NONE, server_of = 0, x = 0;
  byte position[2]; bit in[2]; bit given_up[2];
  bit asked_in_doubt = 0, c0 = 0, c1 = 0;
end:
  do
  :: atomic { pc == start -> uuids++; uuid = uuids; pc = fence }
  :: atomic { pc == fence -> server_of = timeline;
     db.o_epoch++; db.o_owner = uuid; epoch = db.o_epoch;
     db.epoch[0] = epoch; db.owner[0] = uuid; db.epoch[1] = epoch; db.owner[1] = uuid;
     pc = end_others }
  :: atomic { pc == end_others && server_of == timeline ->
     for (x : 0 .. BACKENDS - 1) {
       if
       :: LIVES(x) && bk[x].owner != uuid && db.o_owner == uuid -> end_backend(x)
       :: LIVES(x) && bk[x].owner != uuid && refusals_left > 0 -> refusals_left--
       :: else
       fi
     }
     x = 0; pc = read }
  :: atomic { pc == end_others && server_of != timeline -> pc = fence }
  :: atomic { pc == read && server_of != timeline -> pc = fence }
  :: atomic { pc == read && server_of == timeline ->
     position[0] = db.until[0]; position[1] = db.until[1]; given_up[0] = 0; given_up[1] = 0;
     if :: db.o_owner == uuid -> db.taken_over = epoch :: else fi;
     server_of = 0; no_group(); pc = running }

  /* Ranges are put into a group anew for each attempt (driver_groups.cpp, start_ready). */
  :: atomic { pc == running && OURS && (LEFT(0) || LEFT(1)) && (!LIVES(0) || !LIVES(1)
#if BACKENDS > 2
     || !LIVES(2)
#endif
     ) ->
     if
     :: LEFT(0) && LEFT(1) -> in[0] = 1; in[1] = 1
#ifndef WHOLE
     :: LEFT(0) -> in[0] = 1
     :: LEFT(1) -> in[1] = 1
#else
     :: LEFT(0) && !LEFT(1) -> in[0] = 1
     :: LEFT(1) && !LEFT(0) -> in[1] = 1
#endif
     fi;
     b = 0;
     do :: LIVES(b) -> b++ :: else -> break od;
     bk[b].state = final; bk[b].client = me + 1; bk[b].owner = uuid; bk[b].epoch = epoch;
     bk[b].in[0] = in[0]; bk[b].in[1] = in[1];
     bk[b].from[0] = (in[0] -> position[0] : 0); bk[b].from[1] = (in[1] -> position[1] : 0);
     pc = reply }
  /* Keep-alive. */
  :: atomic { pc == running && (!(OURS) || BACK(0) || BACK(1)) -> pc = ask }

  :: atomic { pc == reply && MINE && bk[b].state == accepted ->
     end_backend(b); c0 = in[0]; c1 = in[1];
     settle_if(0, c0); settle_if(1, c1); c0 = 0; c1 = 0; no_group(); pc = running }
  :: atomic { pc == reply && MINE && bk[b].state == refused -> end_backend(b); b = NONE; pc = ask }
  :: atomic { pc == reply && MINE && losses_left > 0 -> losses_left--;
     bk[b].client = 0; old = b; b = NONE; pc = doubt }
  :: atomic { pc == reply && !MINE -> b = NONE; old = NONE; pc = doubt }

  /* Doubt (sink.cpp, resolve): our old session is ended, where that is permitted. */
  :: atomic { pc == doubt ->
     if
     :: old != NONE && LIVES(old) && bk[old].owner == uuid && bk[old].client == 0 ->
        if
        :: end_backend(old)
        :: refusals_left > 0 -> refusals_left--
        fi
     :: else
     fi;
     old = NONE; asked_in_doubt = 1; pc = ask }

  /* core::judge of each range, of one snapshot (driver_tasks.cpp, on(DoubtSettled), disagree). */
  :: atomic { pc == ask ->
     if
     :: db.o_epoch < epoch -> no_group(); pc = fence
     :: db.o_epoch > epoch || (db.o_epoch == epoch && db.o_owner != uuid) ->
        assert(db.o_owner != uuid);
        no_group(); position[0] = 0; position[1] = 0; given_up[0] = 0; given_up[1] = 0;
        epoch = 0; uuid = 0; pc = fenced
     :: OURS && (BACK(0) || BACK(1)) -> assert(timeline > 0); no_group(); pc = fence
     :: OURS && !BACK(0) && !BACK(1) ->
        if
        :: (BEYOND(0) || BEYOND(1)) -> assert(timeline > 0); no_group(); pc = fence
        :: else ->
           c0 = COMMITTED(0); c1 = COMMITTED(1);
#ifdef M_FIRST_ANSWERS_FOR_ALL
           if :: in[0] && in[1] -> c1 = c0 :: else fi;
#endif
           if
           :: asked_in_doubt && (UNCHANGED(0) || UNCHANGED(1)) ->
              assert(EXPLAINED(0) && EXPLAINED(1))           /* else: broken */
           :: else
           fi;
           if :: asked_in_doubt && in[0] && !c0 -> given_up[0] = 1 :: else fi;
           if :: asked_in_doubt && in[1] && !c1 -> given_up[1] = 1 :: else fi;
           settle_if(0, c0); settle_if(1, c1); c0 = 0; c1 = 0; no_group(); pc = running
        fi
     fi }

  :: atomic { pc != start && pc != fenced && crashes_left > 0 -> crashes_left--;
     if :: b != NONE && MINE -> bk[b].client = 0 :: else fi;
     no_group(); position[0] = 0; position[1] = 0; given_up[0] = 0; given_up[1] = 0;
     epoch = 0; uuid = 0; server_of = 0; pc = start }
  od
}

init { atomic { run process(0);
#if OWNERS > 1
  run process(1);
#endif
} }

#ifdef LIVENESS
active proctype clock() { do :: true -> skip od }
#define ALL_STORED (db.rows[0] == MASK(LAST) && db.rows[1] == MASK(LAST))
ltl committed { <>[] ALL_STORED }
#endif
