/* The sink as the protocol sees it: the ledger, the stored rows, and backends whose transactions may
 * outlive the process that opened them. Included by protocol.pml; docs/model.md says which code each
 * step stands for.
 *
 * One step here is one message that PostgreSQL runs under the row lock of what it changes, so that
 * nothing that matters can be seen in the middle of it. Everything else is a step of its own. */

/* -- Size of the model ---------------------------------------------------------------------------- */
#ifndef LAST
#define LAST 2          /* the log holds the offsets 0 .. LAST-1; one partition: chains are per partition */
#endif
#ifndef LENGTH
#define LENGTH 2        /* a range has 1 .. LENGTH offsets */
#endif
#ifndef OWNERS
#define OWNERS 2        /* processes that think they run the pipeline */
#endif
#ifndef BACKENDS
#define BACKENDS 3      /* sessions at one time; a process that finds none free waits */
#endif
#ifndef CRASHES
#define CRASHES 1       /* kill -9 and restart, at any step; or the restart of one that was fenced */
#endif
#ifndef LOSSES
#define LOSSES 1        /* connections lost: before the server saw the message, or after */
#endif
#ifndef FAILOVERS
#define FAILOVERS 0     /* the database becomes what an asynchronous replica had */
#endif
#ifndef FREEZES
#define FREEZES 0       /* an owner that was fenced stops for ever, in the middle of anything */
#endif
#ifndef REFUSALS
#define REFUSALS 0      /* how often ending a backend is not permitted, or takes too long */
#endif

#define NONE 255
#define MASK(from, until) ((1 << (until)) - (1 << (from)))

/* -- What is durable, and goes back together ------------------------------------------------------ */
typedef Database {
  byte o_epoch; byte o_owner;                        /* semel_owners */
  bit entered; byte until; byte epoch; byte owner;   /* semel_progress, one partition */
  byte rows;                                         /* the user's table: a bit for each offset */
  byte taken_over;                                      /* ghost: the epoch of the last owner that has read */
}
Database db;
#if FAILOVERS > 0
Database replica;
bit replicated;
byte failovers_left = FAILOVERS;
#endif
byte timeline;          /* which server answers: a connection does not survive a failover */

/* -- Backends ------------------------------------------------------------------------------------- */
mtype = { gone, opened, final, accepted, refused };
typedef Backend {
  mtype state = gone;
  byte client;          /* the process that listens, + 1; 0: its connection is lost, the backend lives */
  byte owner;           /* application_name ends in the owner's UUID */
  byte epoch; byte from; byte until;
  byte rows;            /* written in this transaction, not committed */
  byte dead;            /* dead letters, as well */
  bit savepoint;        /* the transaction is the one in which the rows were written */
  bit told;             /* pg_terminate_backend was sent */
}
Backend bk[BACKENDS];

byte uuids;             /* the last UUID that was given out; 0 is nobody */
byte crashes_left = CRASHES, losses_left = LOSSES, freezes_left = FREEZES, refusals_left = REFUSALS;

/* Rolled back, and not listed in pg_stat_activity any more. */
inline end_backend(b) {
  bk[b].state = gone; bk[b].client = 0; bk[b].owner = 0; bk[b].epoch = 0; bk[b].from = 0;
  bk[b].until = 0; bk[b].rows = 0; bk[b].dead = 0; bk[b].savepoint = 0; bk[b].told = 0
}

/* The final message (guard.cpp, final_message): RELEASE; UPDATE and INSERT; COMMIT. One step: the
 * UPDATE holds the ledger's row until the end, so other writers come before or after it, and who reads
 * in between reads what was before it. An error anywhere rolls everything back. */
#ifdef M_NO_RELEASE
#define RELEASED(b) true
#else
#define RELEASED(b) (bk[b].savepoint == 1)
#endif
#ifdef M_NO_UUID
#define SAME_OWNER(b) true
#else
#define SAME_OWNER(b) (db.owner == bk[b].owner)
#endif
#define MATCHES(b) (db.entered && db.until == bk[b].from && db.epoch == bk[b].epoch && SAME_OWNER(b))
#ifdef M_NO_COMPARE_AND_SET
#define PASSES(b) RELEASED(b)                /* UPDATE 0, COMMIT: the rows are in, the ledger is not */
#else
#define PASSES(b) (RELEASED(b) && MATCHES(b))
#endif

inline run_final(b) {
  if
  :: PASSES(b) ->
     assert(db.until == bk[b].from);                                   /* P1, P3: from where it stands */
     assert(db.o_epoch == bk[b].epoch && db.o_owner == bk[b].owner);   /* P3: by the owner */
     assert(bk[b].epoch >= db.taken_over);                                /* P7: nobody newer has read */
     assert((db.rows & MASK(0, bk[b].from)) == MASK(0, bk[b].from));   /* P6: after what is before it */
     assert((db.rows & bk[b].rows) == 0);                              /* no record twice */
     assert(bk[b].dead == 0);                                          /* P9: here every record is good */
     if :: MATCHES(b) -> db.until = bk[b].until :: else fi;
     db.rows = db.rows | bk[b].rows;
     assert(db.rows == MASK(0, db.until));                             /* P1, P2: rows and ledger agree */
     bk[b].state = accepted
  :: else -> bk[b].state = refused
  fi;
  if
  :: bk[b].client == 0 || bk[b].told -> end_backend(b)                 /* nobody hears the answer */
  :: else -> bk[b].rows = 0; bk[b].savepoint = 0; bk[b].dead = 0; bk[b].from = 0; bk[b].until = 0;
             bk[b].epoch = 0
  fi
}

#ifdef LATE_TAKE_OVER
byte late;              /* a take-over whose connection was lost before the server ran it: its UUID */
#endif

/* One transaction under the owner's row (owner.cpp, take_over_message): the lock makes it one step;
 * it waits for commits and entries that hold the rows, so it comes after them. */
#ifdef M_FENCE_OWNERS_ROW_ONLY
#define FENCES_PROGRESS false
#else
#define FENCES_PROGRESS db.entered
#endif
inline raise_epoch(id) {
  db.o_epoch++; db.o_owner = id;
  if
  :: FENCES_PROGRESS -> db.epoch = db.o_epoch; db.owner = id
  :: else
  fi
}

/* Is it true of any backend? */
#if BACKENDS == 2
#define ANY(p) (p(0) || p(1))
#elif BACKENDS == 3
#define ANY(p) (p(0) || p(1) || p(2))
#else
#define ANY(p) (p(0) || p(1) || p(2) || p(3))
#endif
#define LIVES(b) (bk[b].state != gone)
#define FREE(b) (!LIVES(b))

/* What the server does by itself, in any order and at any time. */
active proctype server() {
  byte i = 0;
end:
  do
  :: atomic { bk[0].state == final -> run_final(0) }
  :: atomic { bk[1].state == final -> run_final(1) }
#if BACKENDS > 2
  :: atomic { bk[2].state == final -> run_final(2) }
#endif
#if BACKENDS > 3
  :: atomic { bk[3].state == final -> run_final(3) }
#endif
  /* A backend that was told to end ends: before or after what it was doing. */
  :: atomic { bk[0].told -> end_backend(0) }
  :: atomic { bk[1].told -> end_backend(1) }
#if BACKENDS > 2
  :: atomic { bk[2].told -> end_backend(2) }
#endif
#if BACKENDS > 3
  :: atomic { bk[3].told -> end_backend(3) }
#endif
#ifdef LATE_TAKE_OVER
  :: atomic { late != 0 -> raise_epoch(late); late = 0 }
#endif
#if FAILOVERS > 0
  :: atomic { failovers_left > 0 && !replicated ->
     replicated = 1;
     replica.o_epoch = db.o_epoch; replica.o_owner = db.o_owner; replica.entered = db.entered;
     replica.until = db.until; replica.epoch = db.epoch; replica.owner = db.owner;
     replica.rows = db.rows; replica.taken_over = db.taken_over }
  :: atomic { replicated ->
     replicated = 0; failovers_left--; timeline++;
     db.o_epoch = replica.o_epoch; db.o_owner = replica.o_owner; db.entered = replica.entered;
     db.until = replica.until; db.epoch = replica.epoch; db.owner = replica.owner;
     db.rows = replica.rows; db.taken_over = replica.taken_over;
     replica.o_epoch = 0; replica.o_owner = 0; replica.entered = 0; replica.until = 0;
     replica.epoch = 0; replica.owner = 0; replica.rows = 0; replica.taken_over = 0;
     for (i : 0 .. BACKENDS - 1) { end_backend(i) }
     i = 0 }
#endif
  od
}
