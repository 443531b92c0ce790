/* The store of each machine: in state = "local" the base and at most one prepared delta, in state = "sink" a cache of
 * the rows at home. What a process does with it, and what it means once the ledgers were read: recover(). Included
 * by state.pml, whose process these steps are of. */

typedef Store {
  byte version; byte content;                               /* the base */
#ifndef SINK
  bit prepared; byte p_version; byte p_until; byte p_delta; bit p_result;
#ifdef CHECKPOINT
  bit kept; byte k_version; byte k_content; byte k_until; byte k_delta; bit k_result;
#endif
#endif
}
Store store[MACHINES];          /* as a process reads it */
Store disk[MACHINES];           /* as it is after a loss of power */

inline copy_store(to, s) {
  to.version = s.version; to.content = s.content;
#ifndef SINK
  to.prepared = s.prepared; to.p_version = s.p_version; to.p_until = s.p_until; to.p_delta = s.p_delta;
  to.p_result = s.p_result;
#ifdef CHECKPOINT
  to.kept = s.kept; to.k_version = s.k_version; to.k_content = s.k_content; to.k_until = s.k_until;
  to.k_delta = s.k_delta; to.k_result = s.k_result;
#endif
#endif
}
#define sync() copy_store(disk[me], store[me])

/* -- state = "local" ------------------------------------------------------------------------------ */
#ifndef SINK
#define AT_BASE(i) SAME(version[i], store[me].version)
#define AT_PREPARED(i) (store[me].prepared && SAME(version[i], store[me].p_version))
inline forget_prepared() {
  store[me].prepared = 0; store[me].p_version = 0; store[me].p_until = 0; store[me].p_delta = 0;
  store[me].p_result = 0
}
#ifdef CHECKPOINT
#define AT_KEPT(i) (store[me].kept && SAME(version[i], store[me].k_version))
inline keep() {
  store[me].kept = 1; store[me].k_version = store[me].version; store[me].k_content = store[me].content;
  store[me].k_until = store[me].p_until; store[me].k_delta = store[me].p_delta; store[me].k_result = store[me].p_result
}
/* As it was before the last apply: its delta is the prepared one again. */
inline go_back() {
#ifdef REACHES_THE_CHECKPOINT
  assert(false);
#endif
  store[me].prepared = 1; store[me].p_version = store[me].version; store[me].p_until = store[me].k_until;
  store[me].p_delta = store[me].k_delta; store[me].p_result = store[me].k_result;
  store[me].version = store[me].k_version; store[me].content = store[me].k_content;
  store[me].kept = 0; store[me].k_version = 0; store[me].k_content = 0; store[me].k_until = 0; store[me].k_delta = 0;
  store[me].k_result = 0
}
#endif
/* One WriteBatch; it need not be synced: who finds it missing applies it again. */
inline apply_prepared() {
  assert(out[0].version != store[me].p_version || out[0].result == store[me].p_result || warned == out[0].version);
  assert(out[1].version != store[me].p_version || out[1].result == store[me].p_result || warned == out[1].version);
#ifdef CHECKPOINT
  keep();
#endif
  store[me].version = store[me].p_version; store[me].content = store[me].content + store[me].p_delta;
  forget_prepared()
}
/* Computed on the base, and on the disk before any output has its rows. */
inline prepare() {
#if defined(M_STATE_FIRST)
  store[me].version = new; store[me].content = base + DELTA(at[0], to);
#elif !defined(M_STATE_LATER)
  store[me].prepared = 1; store[me].p_version = new; store[me].p_until = to; store[me].p_delta = DELTA(at[0], to);
  store[me].p_result = with[0];
#endif
#ifndef M_PREPARE_NOT_SYNCED
  sync();
#endif
}
inline apply() {
#if defined(M_STATE_LATER)
  store[me].version = new; store[me].content = base + DELTA(at[0], to); sync()
#elif defined(M_STATE_FIRST)
  skip
#else
  apply_prepared()
#endif
}
#define FOREIGN(v) ((v) != 0 && NAME(v) / 8 != me)

inline recover() {
#ifdef CHECKPOINT
  if
  :: (AT_KEPT(0) || AT_KEPT(1)) && (AT_KEPT(0) || AT_BASE(0)) && (AT_KEPT(1) || AT_BASE(1)) ->
     go_back()
  :: else
  fi;
#endif
  if
#if defined(M_STATE_FIRST) || defined(M_STATE_LATER)
  :: true -> pc = compute                                                   /* there is no version to look at */
#else
  :: AT_BASE(0) && AT_BASE(1) ->                                            /* nobody committed */
     forget_prepared(); pc = compute
  :: AT_PREPARED(0) && AT_PREPARED(1) -> apply_prepared(); pc = compute     /* all committed */
  :: (AT_BASE(0) && AT_PREPARED(1)) || (AT_PREPARED(0) && AT_BASE(1)) ->    /* one is ahead */
#ifdef M_NO_ROLL_FORWARD
     assert(went_back); stop(refused)
#else
     new = store[me].p_version; to = store[me].p_until; base = store[me].content;
     is_in[0] = AT_PREPARED(0); is_in[1] = AT_PREPARED(1);
     call(with[0]); with[1] = with[0];
     if :: with[0] != store[me].p_result -> warn_of(new) :: else fi;
     pc = commit
#endif
#ifdef M_NEWER_BASE
  :: TIME(version[0]) < TIME(store[me].version) && TIME(version[1]) < TIME(store[me].version) ->
     forget_prepared(); pc = compute
#endif
#ifdef M_ADOPTS_ANOTHERS
  :: store[me].prepared && TIME(version[0]) == TIME(store[me].p_version) && version[0] == version[1] &&
     version[0] != store[me].p_version ->
     store[me].p_version = version[0]; apply_prepared(); pc = compute
#endif
  :: else ->
     /* Only where a ledger went back, or somebody went on elsewhere. */
     assert(went_back || FOREIGN(version[0]) || FOREIGN(version[1]));
     stop(refused)
#endif
  fi
}
#endif

/* -- state = "sink" ------------------------------------------------------------------------------- */
#ifdef SINK
/* The cache becomes what is at home: as it is, by the rows of later batches, or all rows. Its version is read in
 * the snapshot of the rows; no version, no rows: asked again. */
#ifdef M_CACHE_BY_TIME
#define IS_THERE(v) (TIME(v) <= TIME(out[0].version))
#else
#define IS_THERE(v) (TIME(v) <= TIME(out[0].version) && out[0].names[TIME(v)] == NAME(v))
#endif
inline load() {
  if
  :: out[0].version != version[0] -> look_again(open)
  :: out[0].version == version[0] && IS_THERE(store[me].version) ->
     store[me].content = store[me].content + out[0].content - out[0].contents[TIME(store[me].version)];
     store[me].version = version[0]; if :: true :: sync() fi
  :: out[0].version == version[0] && !IS_THERE(store[me].version) ->
     store[me].content = out[0].content; store[me].version = version[0]; if :: true :: sync() fi
  fi
}
inline prepare() { skip }
inline apply() {
  store[me].version = new; store[me].content = base + DELTA(at[0], to);
  if :: true :: sync() fi                                      /* at some time it is on the disk, or not */
}

inline recover() {
  if
  :: version[0] == version[1] -> load(); if :: pc != open -> pc = compute :: else fi
  :: version[0] != version[1] && before[1] == version[0] ->            /* one is ahead: its own ledger has the range */
     new = version[1]; to = at[1]; is_in[1] = 1;
     load();
     if
     :: pc != open -> base = store[me].content; call(with[0]); warn_of(new); pc = commit
     :: else
     fi
#ifdef M_HOME_FIRST
  :: version[0] != version[1] && before[0] == version[1] ->
     new = version[0]; to = at[0]; is_in[0] = 1;
     load();
     if
     :: pc != open -> base = store[me].content; call(with[1]); warn_of(new); pc = commit
     :: else
     fi
#endif
  :: else -> assert(went_back); stop(refused)
  fi
}
#endif
