/* The commit protocol: owners (driver, executor and ledger keeper of one process) that compete for one
 * output, with crashes at every step, lost replies, zombies (a process that is not scheduled) and a
 * database that goes back. What holds is asserted in sink.pml, in the step that commits; here is
 * asserted what an owner may conclude. docs/model.md maps each step to the code. Switches:
 *
 *   UNIQUE      the table has a unique key: writing waits for open transactions, and duplicates are
 *               bad rows; adds the hunt for bad rows (isolating)
 *   RESEND      a library that reconnects and sends the final message again by itself
 *   M_...       one rule left out: the checker must find a counterexample
 */
#include "sink.pml"

mtype = { start, fence, end_others, wait_others, read, running, enter, open, write, send, reply, doubt,
          ask, fenced, frozen };

/* The plan log of each process: survives a crash, or is lost with the machine. */
typedef Plan { byte from = NONE; byte until; }
Plan plan[OWNERS];

/* Ends the attempt on our side: the connection is closed, and an open transaction rolled back. */
inline roll_back() { end_backend(b); b = NONE }
/* The connection is lost: the backend lives on without us. */
inline lose() { bk[b].client = 0; old = b; b = NONE }
#define MINE (bk[b].state != gone && bk[b].client == me + 1)
#define OLD_LIVES (old != NONE && LIVES(old) && bk[old].owner == uuid)
#define OTHER(x) (LIVES(x) && bk[x].owner != uuid)

inline forget_plan() { plan[me].from = NONE; plan[me].until = 0 }
/* Nothing of a range is left: one state less for the checker to tell apart. */
inline no_range() { from = 0; until = 0; isolate = 0; again = 0; old = NONE }
/* Stepper::range_done: the next range begins where this one ends. */
inline range_done() { position = until; forget_plan(); no_range(); pc = running }

inline tell_if_other(x) { if :: OTHER(x) -> bk[x].told = 1 :: else fi }

#define UNTOLD(x) (OTHER(x) && !bk[x].told)
inline spare_if_other(x) { if :: OTHER(x) -> bk[x].told = 0 :: else fi }
#ifdef M_BACKENDS_NOT_ENDED
#define ENDS_OTHERS false
#define NOTHING_TO_WAIT_FOR true
#else
#define ENDS_OTHERS true
#define NOTHING_TO_WAIT_FOR (db.o_owner != uuid || !ANY(OTHER))
#endif

/* reconcile (protocol.cpp): a plan that disagrees with the ledger is forgotten (P8). */
#ifdef M_PLAN_LOG_TRUSTED
inline reconcile() { if :: plan[me].from != NONE -> position = plan[me].from :: else fi }
#else
inline reconcile() {
  if :: plan[me].from != NONE && (!known || plan[me].from != position) -> forget_plan() :: else fi
}
#endif
inline take_up() { reconcile(); server_of = 0; no_range(); pc = running }
#ifdef M_READ_BEFORE_FENCE
inline after_waiting() { take_up() }
#else
inline after_waiting() { pc = read }
#endif

#ifdef LATE_TAKE_OVER
/* Its backend bears the name of its owner: it runs before this, or it is ended. */
inline end_late_of_others() { if :: late != uuid -> late = 0 :: else fi }
#else
inline end_late_of_others() { skip }
#endif
#if defined(LATE_TAKE_OVER) && !defined(M_OWN_TAKE_OVER_NOT_ENDED)
#define MAY_FENCE (late != uuid)
#else
#define MAY_FENCE true
#endif

/* What the guard would say (guard.cpp, allows): still from here, and still ours. */
#define OURS (db.o_epoch == epoch && db.o_owner == uuid)
#define ALLOWED (db.entered && OURS && db.until == from)
#if defined(UNIQUE) && !defined(M_HUNT_WITHOUT_READING)
#define MAY_HUNT (!isolate || ALLOWED)
#else
#define MAY_HUNT true
#endif
#ifndef M_BEGIN_DOES_NOT_ASK
#define BEGIN_FINDS_US_OWNER OURS
#else
#define BEGIN_FINDS_US_OWNER true
#endif
#ifdef M_ENTER_WITHOUT_LOCK
#define MAY_ENTER true
#else
#define MAY_ENTER OURS
#endif
/* COPY into a unique key waits for open transactions that hold the same keys. */
#define HOLDS(y) ((y) != b && LIVES(y) && (bk[y].rows & MASK(from, until)) != 0)
#define TWICE (db.rows & MASK(from, until))
#ifdef M_NO_UUID
#define ANOTHER_OWNER (db.o_epoch > epoch)
#else
#define ANOTHER_OWNER (db.o_epoch > epoch || (db.o_epoch == epoch && db.o_owner != uuid))
#endif

proctype process(byte me) {
  mtype pc = start;
  byte uuid = 0, epoch = 0, position = 0, from = 0, until = 0, b = NONE, old = NONE, server_of = 0;
  bit known = 0, isolate = 0, again = 0;
  byte x = 0;
end:
  do
  :: atomic { pc == start -> uuids++; uuid = uuids; pc = fence }

  /* Take-over (owner.cpp, take_over): fence, end the others' backends, read; all on one connection. */
#ifdef M_READ_BEFORE_FENCE
  :: atomic { pc == fence -> server_of = timeline; position = db.until; known = db.entered;
     db.taken_over = db.o_epoch + 1; pc = read }
  :: atomic { pc == read -> raise_epoch(uuid); epoch = db.o_epoch; pc = end_others }
#else
  :: atomic { pc == fence && MAY_FENCE -> raise_epoch(uuid); epoch = db.o_epoch; server_of = timeline;
     pc = end_others }
  :: atomic { pc == fence && losses_left > 0 -> losses_left--; raise_epoch(uuid) }   /* the reply is lost */
#ifdef LATE_TAKE_OVER
  :: atomic { pc == fence && losses_left > 0 && late == 0 -> losses_left--; late = uuid }
#endif
#if defined(LATE_TAKE_OVER) && !defined(M_OWN_TAKE_OVER_NOT_ENDED)
  :: atomic { pc == fence && late == uuid -> late = 0 }
#endif
#endif
  :: atomic { pc == end_others && server_of != timeline -> pc = fence }
  :: atomic { pc == end_others && server_of == timeline ->
     /* Only as long as nobody has taken over from us in the meantime. */
     if
     :: db.o_owner == uuid && ENDS_OTHERS ->
        for (x : 0 .. BACKENDS - 1) { tell_if_other(x) } x = 0;
        end_late_of_others()
     :: else
     fi;
     pc = wait_others }
  :: atomic { pc == wait_others && server_of != timeline -> pc = fence }
  :: atomic { pc == wait_others && server_of == timeline && NOTHING_TO_WAIT_FOR -> after_waiting() }
  /* One that connected since is told as well: the list is asked for again until it is empty. */
  :: atomic { pc == wait_others && server_of == timeline && !(NOTHING_TO_WAIT_FOR) && ANY(UNTOLD) ->
     pc = end_others }
  /* Not permitted, or it takes too long: said, and gone on. */
  :: atomic { pc == wait_others && server_of == timeline && refusals_left > 0 && ANY(OTHER) ->
     refusals_left--; for (x : 0 .. BACKENDS - 1) { spare_if_other(x) } x = 0; after_waiting() }
#ifndef M_READ_BEFORE_FENCE
  :: atomic { pc == read && server_of != timeline -> pc = fence }
  :: atomic { pc == read && server_of == timeline ->
     position = db.until; known = db.entered;
     if :: db.o_owner == uuid -> db.taken_over = epoch :: else fi;
     take_up() }
#endif

  /* A new partition: INSERT ... SELECT FROM owners WHERE epoch and owner are ours FOR SHARE, one
   * statement; the lock on the owner's row makes it come before a take-over or after it. */
  :: atomic { pc == running && !known -> pc = enter }
  :: atomic { pc == enter && MAY_ENTER ->
     if
     :: db.entered
     :: else -> db.entered = 1; db.until = 0; db.epoch = epoch; db.owner = uuid
     fi;
     if
     :: true ->
#ifndef M_ENTER_WITHOUT_LOCK
        assert(db.until == 0);          /* Entered: the driver begins where it asked to begin */
#endif
        known = 1; position = 0; pc = running
     :: losses_left > 0 -> losses_left--                     /* entered, but the reply is lost */
     fi }
  :: atomic { pc == enter && !(MAY_ENTER) -> pc = ask }

  /* Planning: durable before anything of it is processed (P4). */
  :: atomic { pc == running && known && plan[me].from == NONE && position < LAST ->
     plan[me].from = position; plan[me].until = position + 1;
     if
     :: true
#if LENGTH > 1
     :: position + 2 <= LAST -> plan[me].until = position + 2
#endif
     fi }
  :: atomic { pc == running && known && plan[me].from != NONE ->
     from = plan[me].from; until = plan[me].until; pc = open }
  /* Keep-alive: an owner with nothing to do notices as well. */
  :: atomic { pc == running && known && !(OURS) -> pc = ask }
#ifndef M_LOWER_IS_BROKEN
  :: atomic { pc == running && known && OURS &&
     (!db.entered || db.until < position) ->
     assert(timeline > 0);          /* only a database that went back may cause it */
     forget_plan(); pc = fence }
#endif

  /* The transaction: BEGIN, SAVEPOINT, and the rows. Before hunting bad rows, the ledger is read. */
  :: atomic { pc == open && !(MAY_HUNT && BEGIN_FINDS_US_OWNER) -> pc = ask }
  :: atomic { pc == open && MAY_HUNT && BEGIN_FINDS_US_OWNER && ANY(FREE) ->
     b = 0;
     do :: LIVES(b) -> b++ :: else -> break od;
     bk[b].state = opened; bk[b].client = me + 1; bk[b].owner = uuid; bk[b].epoch = epoch;
     bk[b].from = from; bk[b].until = until; bk[b].savepoint = 1; old = NONE;
#ifdef UNIQUE
     pc = write
#else
     bk[b].rows = MASK(from, until); pc = send
#endif
     }
#ifdef UNIQUE
  /* Ended before its last message: a failure, tried again. The keeper's heartbeat runs meanwhile; it
   * comes after two attempts at the latest. */
  :: atomic { pc == write && !MINE -> b = NONE;
     if :: !again -> again = 1; pc = open :: else -> again = 0; pc = ask fi }
  :: atomic { pc == write && MINE && !ANY(HOLDS) ->
     if
     :: TWICE == 0 -> bk[b].rows = MASK(from, until); pc = send
     :: TWICE != 0 && !isolate -> roll_back(); isolate = 1; pc = open
     :: TWICE == MASK(from, until) && isolate ->
        /* Bad from end to end (too_many_bad): the ledger is asked once more before it is believed. */
        roll_back();
#ifdef M_HUNT_WITHOUT_READING
        assert(false);                                     /* stopped for bad rows where none is bad */
#endif
        assert(!(ALLOWED));
        pc = ask
     :: TWICE != 0 && TWICE != MASK(from, until) && isolate ->
        bk[b].dead = TWICE; bk[b].rows = MASK(from, until) - TWICE; pc = send
     fi }
#endif

  /* The final message. From here on a lost connection is doubt. */
  :: atomic { pc == send && MINE -> bk[b].state = final; pc = reply }
  :: atomic { pc == send && MINE && losses_left > 0 -> losses_left--;
#ifdef RESEND
     bk[b].client = 0; x = b; b = 0;
     do :: b < BACKENDS && LIVES(b) -> b++ :: else -> break od;
     if
     :: b == BACKENDS -> b = NONE; old = x; pc = doubt
     :: else -> bk[b].state = final; bk[b].client = me + 1; bk[b].owner = uuid; bk[b].epoch = epoch;
        bk[b].from = from; bk[b].until = until; pc = reply
     fi;
     x = 0
#else
     lose(); pc = doubt
#endif
     }
  :: atomic { (pc == send || pc == reply) && !MINE -> b = NONE; old = NONE; pc = doubt }
  :: atomic { pc == reply && MINE && bk[b].state == accepted -> roll_back(); range_done() }
  :: atomic { pc == reply && MINE && bk[b].state == refused -> roll_back(); pc = ask }
  :: atomic { pc == reply && MINE && losses_left > 0 -> losses_left--; lose(); pc = doubt }

  /* Doubt (sink.cpp, resolve): end our old backend, then read on a new connection. */
#if defined(M_DOUBT_RETRIED)
  :: atomic { pc == doubt -> old = NONE; pc = open }
#elif defined(M_DOUBT_IS_SUCCESS)
  :: atomic { pc == doubt -> range_done() }
#elif defined(M_DOUBT_RESOLVED_EARLY)
  :: atomic { pc == doubt -> old = NONE; pc = ask }
#else
  :: atomic { pc == doubt && OLD_LIVES && !bk[old].told -> bk[old].told = 1 }
  :: atomic { pc == doubt && OLD_LIVES && refusals_left > 0 -> refusals_left--; bk[old].told = 0;
     old = NONE; pc = ask }
  :: atomic { pc == doubt && !OLD_LIVES -> old = NONE; pc = ask }
#endif

  /* core::judge: one statement reads the owner's row and the progress row. */
  :: atomic { pc == ask ->
     if
     :: db.o_epoch < epoch -> forget_plan(); no_range(); pc = fence        /* went back: take over again */
#ifdef M_OWN_HIGHER_EPOCH
     :: ANOTHER_OWNER && db.o_owner == uuid -> forget_plan(); no_range(); pc = fence
     :: ANOTHER_OWNER && db.o_owner != uuid ->
#else
     :: ANOTHER_OWNER ->
#endif
        assert(db.o_owner != uuid);                                     /* by another, never by itself */
           no_range(); epoch = 0; position = 0; known = 0; uuid = 0; pc = fenced
     :: db.o_epoch == epoch && !(ANOTHER_OWNER) ->
        if
           :: !db.entered -> forget_plan(); no_range(); pc = fence
           :: until == 0 && db.entered -> pc = running                      /* it asked as an owner only */
           :: until != 0 && db.entered && db.until == until -> range_done()
           :: until != 0 && db.entered && db.until == from -> pc = open     /* not committed: again */
           :: until != 0 && db.entered && db.until != until && db.until != from ->
#ifndef M_LOWER_IS_BROKEN
              if
              :: db.until < from -> assert(timeline > 0); forget_plan(); no_range(); pc = fence
              :: else -> assert(false)
              fi
#else
              /* broken: stops loudly; only a database that went back under the same epoch may cause it.
               * The service manager starts it again. */
              assert(timeline > 0);
              no_range(); epoch = 0; position = 0; known = 0; pc = start
#endif
           fi
     fi }

  /* A crash at any step; what it had sent lives on in the server. The plan log may be lost (P8). */
  :: atomic { pc != start && pc != frozen && crashes_left > 0 -> crashes_left--;
     if :: b != NONE && MINE -> bk[b].client = 0 :: else fi;
     if :: true :: plan[me].from != NONE -> forget_plan() fi;
     no_range(); b = NONE; epoch = 0; position = 0; known = 0; server_of = 0; uuid = 0; pc = start }
#if FREEZES > 0
  /* A zombie that wakes up, goes on for a while, and stops again for ever. */
  :: atomic { pc != start && pc != frozen && pc != fenced && freezes_left > 0 && db.o_owner != uuid ->
     freezes_left--; pc = frozen }
#endif
  od
}

init { atomic { run process(0);
#if OWNERS > 1
  run process(1);
#endif
#if OWNERS > 2
  run process(2);
#endif
} }

#ifdef LIVENESS
/* Time goes on: a pipeline in which nothing moves any more is a run as well. */
active proctype clock() { do :: true -> skip od }

/* Once no fault comes any more, the last record is committed, and stays so. */
#define ALL_STORED (db.rows == MASK(0, LAST))
ltl committed { <>[] ALL_STORED }
#endif
