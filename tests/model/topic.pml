/* The Kafka sink: a ledger in a topic, and who may write it (docs/decisions/0013). Nothing is compared in
 * the broker: who commits is the owner because of the order in which transactional ids are begun with and
 * the ledger is read. One partition, as in sink.pml; docs/model.md says which code each step stands for.
 *
 * The ledger's topic is seen up to its first undecided record, and a commit is answered before its marker
 * is written. To begin with an id (init_transactions) is one step: it ends what was begun with it before,
 * to the last marker. */

#ifndef LAST
#define LAST 2          /* the log holds the offsets 0 .. LAST-1; each is a range */
#endif
#ifndef PROCESSES
#define PROCESSES 2
#endif
#ifndef CRASHES
#define CRASHES 1       /* kill -9 and a new start, with another number of slots */
#endif
#ifndef STRANGERS
#define STRANGERS 1     /* transactions of somebody else's on the ledger's topic, open for any time */
#endif
#ifndef LOSSES
#define LOSSES 1        /* answers to a commit that never come, while the commit may still be under way */
#endif

#define SLOTS 2         /* that a process has at most: one, or both */
#define OWNER 2         /* the id of what is the owner's own */
#define STRANGER 3      /* somebody else's, on the ledger's topic */
#define IDS 4
#define ROOM 5          /* undecided records, and what stands behind them */

mtype = { none, open, asked, prepared };      /* a transaction */
mtype = { undecided, committed, aborted };    /* a record */
mtype = { start, begin_owner, look, begin_hidden, write_row, ask_row, row_asked, wait_seen, begin_seen, begin_slots, read_last,
          running, ready_look, ready_begin, ready_look_again, send, ask, wait, doubt_look, doubt_begin,
          doubt_read, done };

/* -- The broker ----------------------------------------------------------------------------------- */
typedef Id {
  byte holder;          /* the process that has begun with it last; 0: nobody */
  mtype state = none;
  byte at;              /* its record in `log` */
  byte from;            /* of a range; of the owner's row it says nothing */
}
Id id[IDS];
typedef Entry { mtype state; bit is_row; byte who; byte slots; byte until }
Entry log[ROOM];
byte length;
/* What can be read: all that stands before `log`. */
byte seen_owner, seen_slots, seen_until;
byte rows_seen;         /* a bit for each process whose row can be, or could be, read */

byte until;             /* ghost: how far the target's records are committed */
byte uuids;             /* the last process that began; 0 is nobody */
byte crashes_left = CRASHES, losses_left = LOSSES, strangers_left = STRANGERS;
byte unread[PROCESSES]; /* of the records that were there when a process asked for the end of all */

inline settle() {
  do
  :: length > 0 && log[0].state != undecided ->
     if
     :: log[0].state == committed && log[0].is_row ->
        seen_owner = log[0].who; seen_slots = log[0].slots; rows_seen = rows_seen | (1 << log[0].who)
     :: log[0].state == committed && !log[0].is_row -> seen_until = log[0].until
     :: else -> skip
     fi;
     for (k : 0 .. ROOM - 2) {
       log[k].state = log[k + 1].state; log[k].is_row = log[k + 1].is_row; log[k].who = log[k + 1].who;
       log[k].slots = log[k + 1].slots; log[k].until = log[k + 1].until
     }
     k = 0;
     length--;
     log[length].state = undecided; log[length].is_row = 0; log[length].who = 0; log[length].slots = 0;
     log[length].until = 0;
     for (k : 0 .. IDS - 1) {
       if :: id[k].state != none && id[k].at > 0 -> id[k].at-- :: else -> skip fi
     }
     for (k : 0 .. PROCESSES - 1) {
       if :: unread[k] > 0 -> unread[k]-- :: else -> skip fi
     }
     k = 0
  :: else -> break
  od
}
inline end_transaction(i, how) {
  log[id[i].at].state = how; id[i].state = none; id[i].at = 0; id[i].from = 0;
  settle()
}
/* init_transactions */
inline begin_with(i, who) {
  if
  :: id[i].state == prepared -> end_transaction(i, committed)
  :: id[i].state == open || id[i].state == asked -> end_transaction(i, aborted)
  :: else -> skip
  fi;
  id[i].holder = who
}
inline append(i, row, who_, slots_, from_) {
  log[length].state = undecided; log[length].is_row = row; log[length].who = who_;
  log[length].slots = slots_; log[length].until = from_ + 1;
  id[i].state = open; id[i].at = length; id[i].from = from_;
  length++
}
inline decide(i) {
  if
  :: i < OWNER ->
     assert(until == id[i].from);                       /* P1, P3: from where the target ends, once */
     until = id[i].from + 1
#ifdef REACHES_THE_END
     ; assert(until < LAST)
#endif
  :: else -> skip
  fi;
  id[i].state = prepared
}

active proctype broker() {
  byte k = 0;
end:
  do
  :: atomic { id[0].state == asked -> decide(0) }
  :: atomic { id[1].state == asked -> decide(1) }
  :: atomic { id[2].state == asked -> decide(2) }
  :: atomic { id[0].state == prepared -> end_transaction(0, committed) }
  :: atomic { id[1].state == prepared -> end_transaction(1, committed) }
  :: atomic { id[2].state == prepared -> end_transaction(2, committed) }
  :: atomic { strangers_left > 0 && id[STRANGER].state == none && length < ROOM ->
     strangers_left--; append(STRANGER, 0, 0, 0, 0) }
  :: atomic { id[STRANGER].state == open -> end_transaction(STRANGER, aborted) }
  od
}

/* -- A process ------------------------------------------------------------------------------------ */
#define MINE(i) (id[i].holder == me)
#define OURS (seen_owner == me)
#define HAS(s) (has & (1 << (s)))
#ifdef M_READ_TO_THE_SEEN_END
#define ALL_READ true
#else
#define ALL_READ (unread[number] == 0)
#endif
#ifdef M_LOOK_TO_THE_SEEN_END
#define OWNER_IS_READ true
#else
#define OWNER_IS_READ ALL_READ
#endif

#ifdef M_FENCE_OWN_SLOTS_ONLY
#define TO_FENCE mine
#else
#define TO_FENCE most
#endif
/* What the row says of slots that have to be fenced, by whoever comes next. */
#ifdef M_ROW_HAS_OWN_SLOTS
#define IN_ROW mine
#else
#define IN_ROW most
#endif
#ifdef M_ROW_NOT_WAITED_FOR
#define ROW_IS_SEEN true
#else
#define ROW_IS_SEEN (rows_seen & (1 << me))
#endif

inline next_process() {
  me = 0; mine = 0; most = 0; at = 0; slot = 0; has = 0; unread[number] = 0; pc = start
}

active [PROCESSES] proctype process() {
  mtype pc = start;
  byte number = _pid - 1;                               /* the broker is 0 */
  byte me = 0, mine = 0, most = 0, at = 0, slot = 0, has = 0, k = 0;
end:
  do
  :: atomic { pc == start ->
     uuids++; me = uuids;
     if :: mine = 1 :: mine = SLOTS fi;
     pc = begin_owner }
  /* take_over.cpp, control.cpp: fence() */
  :: atomic { pc == begin_owner -> begin_with(OWNER, me); unread[number] = length; pc = look }
  :: atomic { pc == look && OWNER_IS_READ ->
     most = mine;
     if :: seen_slots > mine -> most = seen_slots :: else -> skip fi;
     pc = write_row }
  /* read_to_the_end(): whoever left it open is ended, in the slots that are known */
  :: atomic { pc == look && !OWNER_IS_READ && seen_slots > 0 -> pc = begin_hidden; slot = 0 }
  :: atomic { pc == begin_hidden && slot < seen_slots -> begin_with(slot, me); slot++ }
  :: atomic { pc == begin_hidden && slot >= seen_slots -> slot = 0; unread[number] = length; pc = look }
  /* seize(): the row, in a transaction of the owner's id */
  :: atomic { pc == write_row && MINE(OWNER) && length < ROOM ->
     rows_seen = rows_seen & ~(1 << me);                /* a row of a try before has another epoch */
     append(OWNER, 1, me, IN_ROW, 0); pc = ask_row }
  :: atomic { pc == ask_row && MINE(OWNER) -> id[OWNER].state = asked; pc = row_asked }
  :: atomic { pc == row_asked && MINE(OWNER) && (id[OWNER].state == prepared || id[OWNER].state == none) ->
     pc = wait_seen }
  :: atomic { (pc == write_row || pc == ask_row || pc == row_asked) && !MINE(OWNER) -> pc = begin_owner }
  /* wait_until_seen(): what somebody left open hides it */
  :: atomic { pc == wait_seen && ROW_IS_SEEN ->
#ifdef M_READ_BEFORE_FENCE
     at = seen_until;
#endif
     pc = begin_slots; slot = 0 }
  :: atomic { pc == wait_seen && !ROW_IS_SEEN -> pc = begin_seen; slot = 0 }
  :: atomic { pc == begin_seen && slot < TO_FENCE -> begin_with(slot, me); slot++ }
  :: atomic { pc == begin_seen && slot == TO_FENCE -> slot = 0; pc = wait_seen }
  /* fence_slots(), and the last read */
  :: atomic { pc == begin_slots && slot < TO_FENCE -> begin_with(slot, me); slot++ }
  :: atomic { pc == begin_slots && slot == TO_FENCE -> slot = 0; unread[number] = length; pc = read_last }
  :: atomic { pc == read_last && ALL_READ && OURS ->
#ifndef M_READ_BEFORE_FENCE
     at = seen_until;
#endif
     has = (1 << mine) - 1; pc = running }
  :: atomic { pc == read_last && ALL_READ && !OURS -> pc = done }

  /* session.cpp: a range in a transaction of some slot */
  :: atomic { pc == running && at == LAST -> pc = done }
  :: atomic { pc == running && at < LAST ->
     if :: slot = 0 :: mine == SLOTS -> slot = 1 fi;
     if :: HAS(slot) -> pc = send :: else -> pc = ready_look fi }
  :: atomic { pc == send && MINE(slot) && length < ROOM -> append(slot, 0, me, 0, at); pc = ask }
  :: atomic { pc == ask && MINE(slot) -> id[slot].state = asked; pc = wait }
  :: atomic { pc == wait && MINE(slot) && (id[slot].state == prepared || id[slot].state == none) ->
     at++; slot = 0; pc = running }
  :: atomic { pc == wait && MINE(slot) && id[slot].state != open && losses_left > 0 ->
     losses_left--; has = has & ~(1 << slot); pc = doubt_look }
  :: atomic { (pc == send || pc == ask || pc == wait) && !MINE(slot) ->
     has = has & ~(1 << slot); pc = doubt_look }

  /* Shared::ready(): a slot whose producer was lost. The first look is for the heir's peace only. */
  :: atomic { pc == ready_look && OURS -> pc = ready_begin }
  :: atomic { pc == ready_begin -> begin_with(slot, me);
#ifdef M_NO_LOOK_BEHIND
     has = has | (1 << slot); pc = send
#else
     pc = ready_look_again
#endif
     }
  :: atomic { pc == ready_look_again && OURS -> has = has | (1 << slot); pc = send }

  /* end_doubt(): what the slot was asked is over, this way or that; then the ledger is read, until what is
   * known to be committed is in it */
  :: atomic { pc == doubt_look && OURS ->
#ifdef M_DOUBT_NOT_FENCED
     unread[number] = length; pc = doubt_read
#else
     pc = doubt_begin
#endif
     }
  :: atomic { pc == doubt_begin -> begin_with(slot, me); unread[number] = length; pc = doubt_read }
  :: atomic { pc == doubt_read && ALL_READ && OURS && seen_until >= at -> at = seen_until; slot = 0; pc = running }
  :: atomic { (pc == ready_look || pc == ready_look_again || pc == doubt_look || pc == doubt_read) && !OURS ->
     pc = done }

  :: atomic { crashes_left > 0 && pc != start && pc != done -> crashes_left--; next_process() }
  od
}
