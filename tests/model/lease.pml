/*
 * lease - the protocol of the lease, for Spin: who may write, and when nobody may any more.
 *
 * N nodes, one record that is written by compare-and-swap.  Time is small integer ticks; a node's
 * timers advance with them, or skip at most one in DRIFT + 1 of them.  Calls and answers take any
 * time or are lost; a call given up may still land (one such per node at a time).  A node may crash
 * at any point and start again under the same identity, and the manager, or the whole pod, may stand
 * still.  Each -DNO_... leaves out one rule; tests/model/run says which, and wants to see it break.
 *
 * MOVE(node, from, event, to) are the transitions of include/tbl/transitions.h; tests/model/check-table
 * compares the two.  Config: SYNC, FREEZE, HANDS_OVER, HAND, COMMAND, FAILSAFE, DRIFT, CRASHES,
 * ONE_VOTER; MEMBERS (two nodes, with FAILSAFE): the list in the record changes, and calls carry it.
 */
#ifndef N
#define N 2
#endif
#ifndef V1
#define V1 2 /* the holder begins to stop */
#endif
#ifndef V3
#define V3 3 /* the fencer strikes */
#endif
#ifndef L
#define L 4 /* the candidate waits */
#endif

#define BOOT 0
#define STANDBY 1
#define CLAIM 2
#define PROMOTE 3
#define PRIMARY 4
#define HANDOVER 5
#define KILL 6

/* What a call writes. */
#define PUT_NONE 0
#define PUT_CLAIM 1
#define PUT_RENEW 2   /* and the sync set that it carries */
#define PUT_PUBLISH 3 /* timeline, and sync{leader=me, no voters} */
#define PUT_RELEASE 4

/* Where a call is. */
#define WAY 1 /* on its way */
#define YES 2 /* 200 is on its way back */
#define NO 3  /* 409 is */

/* A timeline, beside that of the record. */
#define OLDER 0
#define SAME 1
#define NEWER 2    /* promoted, and not published yet */
#define TWIN 3     /* promoted, never published, and now of the same number as the published one */

#define NOBODY 0
#define BY_HAND (N + 1) /* emptied by somebody who is not the holder */

/* The record. */
byte holder = 1, leader = 0, voters = 0;
byte lk, lp, la; /* of one step; 0 between steps */

/* The nodes.  A write whose version is not the record's any more can only be refused: it counts as
 * refused at once, since when the answer comes makes no difference.  A read is one step: an answer
 * that is under way while the record changes shows nothing that is of use, and one that comes late
 * is the same as a question put late, counting from receipt. */
byte st[N], v[N];             /* state; ticks since the last counted renewal was sent */
byte tli[N];
byte rk[N], rs[N], ra[N];     /* call: kind, where, ticks since sent */
byte rp[N];                   /* voters that it carries */
byte zk[N], zp[N];            /* a call that was given up and may still land */
bit kr[N], doubt[N];          /* version known is the record's; GET before the next PUT */
bit obs[N];                   /* the claim last seen in the record is still there */
byte o[N];                    /* ticks since it was first seen */
#if defined(FREEZE)
bit frozen[N];
#endif
#if defined(SYNC)
bit has[N], acked;
byte guc[N];
#endif
#if defined(NO_T1C)
byte ga[N]; /* ticks since a GET was sent */
bit gs[N];
#endif
#if defined(DRIFT)
byte owes[N];
#endif
#if defined(FAILSAFE)
byte asked[N], granted[N], fa[N]; /* the round of promises of a holder */
byte kept[N], oh[N];              /* ticks since a promise was given; the holder last seen */
#if defined(MEMBERS)
byte listed; /* of the record */
byte might[N]; /* of a holder: whom the record may list, now or when a call lands late */
#endif
#endif

#define ME(i) (1 << (i))
#define EVERY (ME(N) - 1)
#define runs_primary(i) (st[i] >= PROMOTE)
#if defined(FREEZE)
#define writes(i) (runs_primary(i) && !frozen[i])
#define awake(i) (!frozen[i])
#else
#define writes(i) runs_primary(i)
#define awake(i) true
#endif
#define fresh(i) (v[i] < V1)
#define MOVE(i, from, event, to) assert(st[i] == from); st[i] = to

/* ---- the list of members ---- */

#if defined(MEMBERS)
#define MEMBERS_TOO true
#define is_listed(i) (listed & ME(i))
#define carries(i) (listed | ME(i))
#define renews_with(i) carries(i)
#define must_grant(i) (might[i] & ~ME(i))
/* Written and answered: nothing older can land any more. */
#define told(i) might[i] = rp[i]
#if defined(NO_MIGHT)
#define may_be_told(i, carried) skip
#define read_back(i) might[i] = listed
#else
#define may_be_told(i, carried) might[i] = might[i] | carried
#define read_back(i) skip
#endif
#else
#define MEMBERS_TOO false
#define is_listed(i) true
#define carries(i) 0
#define renews_with(i) voters
#define must_grant(i) (EVERY & ~ME(i))
#define told(i) skip
#define may_be_told(i, carried) skip
#define read_back(i) skip
#endif
#if defined(NO_MEMBER)
#define may_claim(i) true
#else
#define may_claim(i) is_listed(i)
#endif

/* ---- the server ---- */

inline versions_gone(j) {
	kr[j] = 0;
#if !defined(NO_CAS)
	if
	:: rs[j] == WAY -> refuse(j)
	:: else -> skip
	fi;
	zk[j] = PUT_NONE;
	zp[j] = 0
#endif
}

inline refuse(j) {
	rk[j] = PUT_RENEW;
	rs[j] = NO;
	ra[j] = 0;
	rp[j] = 0
}

inline all_versions_gone() {
	versions_gone(0);
	versions_gone(1);
#if N > 2
	versions_gone(2);
#endif
}

inline record_changed(j) {
#if defined(NO_T3)
	skip
#else
	obs[j] = 0;
	o[j] = 0
#endif
}

inline published_by_another(j) {
	if
	:: tli[j] == SAME -> tli[j] = OLDER
	:: tli[j] == NEWER -> tli[j] = TWIN
	:: tli[j] == TWIN -> tli[j] = OLDER
	:: else -> skip
	fi
}

inline land(i, kind, carried) {
	/* I12: only a claim takes what is another's. */
	assert(kind == PUT_CLAIM || holder == i + 1);
	/* I8 */
	assert(kind != PUT_RELEASE || !runs_primary(i));
	if
	:: kind == PUT_RELEASE -> holder = NOBODY
	:: else -> holder = i + 1
	fi;
#if defined(MEMBERS)
	if
	:: kind != PUT_RELEASE -> listed = carried
	:: else -> skip
	fi;
#endif
	if
	:: kind == PUT_RENEW && !MEMBERS_TOO -> voters = carried
	:: kind == PUT_PUBLISH ->
		voters = 0;
		leader = i;
		published_by_another(0);
		published_by_another(1);
#if N > 2
		published_by_another(2);
#endif
		tli[i] = SAME
	:: else -> skip
	fi;
	all_versions_gone();
	record_changed(0);
	record_changed(1);
#if N > 2
	record_changed(2);
#endif
}

/* ---- pieces ---- */


inline no_call(i) {
	rk[i] = PUT_NONE;
	rs[i] = 0;
	ra[i] = 0;
	rp[i] = 0
}

/* A call on its way may land after its caller lost interest. */
inline leave_call(i) {
	if
	:: rs[i] == WAY && zk[i] == PUT_NONE ->
		zk[i] = rk[i];
		zp[i] = rp[i]
	:: else -> skip
	fi;
	no_call(i)
}

/* What is not the record's version any more is refused for certain. */
inline send(i, kind, current, carried) {
	rk[i] = kind;
	rs[i] = WAY;
	ra[i] = 0;
	rp[i] = carried;
	may_be_told(i, carried);
#if !defined(NO_CAS)
	if
	:: !(current) -> refuse(i)
	:: else -> skip
	fi
#endif
}

inline not_seen(i) {
	obs[i] = 0;
	o[i] = 0;
#if defined(NO_T1C)
	gs[i] = 0;
	ga[i] = 0;
#endif
#if defined(FAILSAFE)
	oh[i] = 0;
	kept[i] = L;
#endif
	skip
}

inline no_rounds(i) {
#if defined(FAILSAFE)
	asked[i] = 0;
	granted[i] = 0;
	fa[i] = 0
#else
	skip
#endif
}

/* Nothing of postgres is left, and nothing is remembered but what is on disk. */
inline begin_life(i) {
	leave_call(i);
	not_seen(i);
	no_rounds(i);
#if defined(MEMBERS)
	might[i] = 0;
#endif
	kr[i] = 0;
	doubt[i] = 0;
	v[i] = V3;
#if defined(FREEZE)
	frozen[i] = 0;
#endif
	st[i] = BOOT
}

/* ---- a node ---- */

#if defined(NO_T1H)
#define age(i) 0
#else
#define age(i) ra[i]
#endif

inline count(i) {
	if
	:: age(i) < v[i] -> v[i] = age(i)
	:: else -> skip
	fi
}

#if defined(NO_LATE)
#define in_time(i) true
#else
#define in_time(i) (age(i) < V1)
#endif

#if defined(NO_TLI)
#define on_timeline(i) true
#elif defined(NO_TWIN)
#define on_timeline(i) (tli[i] == SAME || tli[i] == TWIN)
#else
#define on_timeline(i) (tli[i] == SAME)
#endif

#if defined(SYNC) && !defined(NO_VOTER)
#define electable(i) ((voters & ME(i)) || leader == i)
#else
#define electable(i) true
#endif

#if defined(FAILSAFE) && !defined(NO_KEPT)
#define promised(i) (kept[i] < L)
#else
#define promised(i) false
#endif

#if defined(NO_RELEASED)
#define released(h) ((h) == NOBODY || (h) == BY_HAND)
#else
#define released(h) ((h) == NOBODY)
#endif

/* T7: the same pod, perhaps of another start. */
#if defined(NO_T7)
#define mine(i, h) ((h) != NOBODY && (h) != BY_HAND)
#else
#define mine(i, h) ((h) == i + 1)
#endif

#if defined(NO_T6)
#define may_release(i) (st[i] == HANDOVER)
#else
#define may_release(i) (st[i] == BOOT)
#endif

/* The record was waited out, released, or is this pod's own. */
#define free_to_claim(i) \
	(released(holder) || mine(i, holder) || (obs[i] && o[i] >= L && !promised(i)))

#if defined(SYNC)
#define every_voter_has(i) ((guc[i] & ~(has[0] | has[1] << 1 HAS_2)) == 0)
#if N > 2
#define HAS_2 | has[2] << 2
#else
#define HAS_2
#endif
/* The mark: whoever is to vote has whatever was written before it was waited for. */
#if defined(NO_MARK)
#define past_mark(i, j) true
#else
#define past_mark(i, j) (has[j] || !has[i])
#endif
#if defined(NO_ADD)
#define told_first(i, j) true
#else
#define told_first(i, j) (guc[i] & ME(j))
#endif
#endif

inline after_answer(i) {
#if defined(SYNC)
	/* The setting shrinks to what the lease is known to say, by a write that was answered. */
	if
	:: rs[i] == YES && rk[i] == PUT_RENEW && st[i] == PRIMARY -> guc[i] = guc[i] & rp[i]
	:: else -> skip
	fi;
#endif
	no_call(i)
}

/* It lands; or is given up, and may land later or be lost; or the answer is lost. */
#define calls(i) \
	:: d_step { rs[i] == WAY; land_call(i) } \
	:: d_step { rs[i] == WAY && zk[i] == PUT_NONE && awake(i); zk[i] = rk[i]; zp[i] = rp[i]; given_up(i) } \
	:: d_step { rs[i] >= YES && awake(i); given_up(i) } \
	:: d_step { zk[i] != PUT_NONE; land_late(i) }

inline land_call(i) {
	lk = rk[i];
	lp = rp[i];
	la = ra[i];
	no_call(i);
	land(i, lk, lp);
	rk[i] = lk;
	rs[i] = YES;
	rp[i] = lp;
	ra[i] = la;
	kr[i] = 1;
	lk = 0;
	lp = 0;
	la = 0
}

inline land_late(i) {
	lk = zk[i];
	lp = zp[i];
	zk[i] = PUT_NONE;
	zp[i] = 0;
	land(i, lk, lp);
	lk = 0;
	lp = 0
}

inline given_up(i) {
	doubt[i] = (st[i] != STANDBY && (st[i] != BOOT || fresh(i)));
#if defined(NO_T2) && defined(SYNC)
	/* Taken for done. */
	if
	:: rk[i] == PUT_RENEW && rs[i] != NO && st[i] == PRIMARY -> guc[i] = guc[i] & rp[i]
	:: else -> skip
	fi;
#endif
	if
	:: st[i] == CLAIM -> MOVE(i, CLAIM, LEASE_REFUSED, STANDBY); doubt[i] = 0
	:: else -> skip
	fi;
	no_call(i)
}

inline promote(i) {
	/* I7: one owner for each timeline, and each above the last published. */
	assert(tli[i] == SAME);
	tli[i] = NEWER;
#if defined(SYNC)
	guc[i] = 0;
#endif
	not_seen(i)
}

inline lead(i) {
#if defined(SYNC)
	/* I4 */
	assert(!acked || has[i]);
#endif
	not_seen(i)
}

inline promoted(i) {
#if defined(NO_T5)
	v[i] = 0
#else
	skip
#endif
}

#define answers(i) \
	:: d_step { rs[i] == YES && awake(i) && rk[i] == PUT_CLAIM && st[i] == CLAIM && in_time(i); \
		v[i] = age(i); MOVE(i, CLAIM, LEASE_MINE, PROMOTE); promote(i); told(i); no_call(i) } \
	:: d_step { rs[i] == YES && awake(i) && rk[i] == PUT_CLAIM && st[i] == BOOT && in_time(i); \
		v[i] = age(i); MOVE(i, BOOT, READY_PRIMARY, PRIMARY); lead(i); told(i); no_call(i) } \
	:: d_step { rs[i] == YES && awake(i) && rk[i] == PUT_PUBLISH && st[i] == PROMOTE && fresh(i); \
		count(i); promoted(i); MOVE(i, PROMOTE, PROMOTED, PRIMARY); lead(i); told(i); no_call(i) } \
	:: d_step { rs[i] == YES && awake(i) && rk[i] == PUT_PUBLISH && st[i] == PRIMARY && fresh(i); \
		count(i); told(i); no_call(i) } \
	:: d_step { rs[i] == YES && awake(i) && rk[i] == PUT_RENEW && fresh(i) && st[i] != STANDBY; \
		count(i); told(i); after_answer(i) }

/* In doubt the record is read, and another holder there begins the stop.  V1 does so too. */
#define lost(i) ((awake(i) && rk[i] == PUT_NONE && doubt[i] && !mine(i, holder)) || (awake(i) && !fresh(i)))

inline stop(i) {
	leave_call(i);
	no_rounds(i);
	doubt[i] = 0;
	kr[i] = 0
}

#define holds(i) \
	:: d_step { (st[i] == PROMOTE || st[i] == PRIMARY) && awake(i) && fresh(i) && rk[i] == PUT_NONE && !doubt[i] && tli[i] == NEWER; \
		send(i, PUT_PUBLISH, kr[i], carries(i)) } \
	:: d_step { (st[i] == PRIMARY || st[i] == HANDOVER || st[i] == BOOT) && awake(i) && fresh(i) && rk[i] == PUT_NONE && !doubt[i] && tli[i] == SAME; \
		send(i, PUT_RENEW, kr[i], renews_with(i)) } \
	:: d_step { (runs_primary(i) && st[i] != KILL || st[i] == BOOT && fresh(i)) && awake(i) && rk[i] == PUT_NONE && doubt[i] && mine(i, holder); \
		kr[i] = 1; doubt[i] = 0; read_back(i) } \
	:: d_step { st[i] == PROMOTE && lost(i); MOVE(i, PROMOTE, LEASE_LOST, KILL); stop(i) } \
	:: d_step { st[i] == PRIMARY && lost(i); MOVE(i, PRIMARY, LEASE_LOST, KILL); stop(i) } \
	:: d_step { st[i] == HANDOVER && lost(i); MOVE(i, HANDOVER, LEASE_LOST, KILL); stop(i) } \
	:: d_step { st[i] == KILL && awake(i); MOVE(i, KILL, EXIT_RUN, BOOT); begin_life(i) } \
	/* postgres ended by itself: it is started again as long as the lease is fresh */ \
	:: d_step { st[i] == PRIMARY && awake(i) && fresh(i) && rk[i] == PUT_NONE; MOVE(i, PRIMARY, EXIT_RUN, BOOT); no_rounds(i) } \
	:: d_step { st[i] == PROMOTE && awake(i) && fresh(i) && rk[i] == PUT_NONE; MOVE(i, PROMOTE, EXIT_RUN, BOOT) } \
	:: d_step { st[i] == BOOT && awake(i) && fresh(i) && rk[i] == PUT_NONE; MOVE(i, BOOT, READY_PRIMARY, PRIMARY); lead(i) }

#if defined(NO_T1C)
#define asks(i) :: d_step { st[i] == STANDBY && !gs[i]; gs[i] = 1; ga[i] = 0 }
#define answered(i) gs[i]
#define first_seen(i) ga[i]
#else
#define asks(i)
#define answered(i) true
#define first_seen(i) 0
#endif

#define waits(i) \
	:: d_step { st[i] == BOOT && awake(i) && rk[i] == PUT_NONE && !fresh(i); MOVE(i, BOOT, READY_STANDBY, STANDBY); doubt[i] = 0; kr[i] = 0; v[i] = V3 } \
	asks(i) \
	/* a change is seen: counting begins */ \
	:: d_step { st[i] == STANDBY && awake(i) && !obs[i] && answered(i); saw(i) } \
	/* the record is there as it was, and the claim is conditional on its version */ \
	:: d_step { st[i] == STANDBY && awake(i) && rk[i] == PUT_NONE && free_to_claim(i) && may_claim(i) && on_timeline(i) && electable(i); \
		MOVE(i, STANDBY, ELECTED, CLAIM); send(i, PUT_CLAIM, 1, carries(i)) } \
	/* the same pod started again takes its lease back */ \
	:: d_step { st[i] == BOOT && awake(i) && rk[i] == PUT_NONE && !fresh(i) && mine(i, holder) && (tli[i] == NEWER || tli[i] == SAME && leader == i); \
		send(i, PUT_CLAIM, 1, carries(i)) } \
	:: d_step { st[i] == STANDBY && awake(i); MOVE(i, STANDBY, EXIT_RUN, BOOT); not_seen(i) } \
	:: d_step { st[i] == CLAIM && awake(i); MOVE(i, CLAIM, EXIT_RUN, BOOT); leave_call(i); not_seen(i) } \
	/* following: what the primary has comes over, what is too much goes */ \
	:: d_step { st[i] == STANDBY && awake(i) && FOLLOWS(i); follow(i) }

inline saw(i) {
	obs[i] = 1;
	o[i] = first_seen(i);
#if defined(NO_T1C)
	gs[i] = 0;
	ga[i] = 0;
#endif
#if defined(FAILSAFE)
	oh[i] = holder;
#endif
	skip
}

/* Any node that runs as primary, on the published timeline. */
#define leads(j) (runs_primary(j) && tli[j] == SAME && leader == j)
#if N > 2
#define FOLLOWS(i) ((leads(0) || leads(1) || leads(2)) && (tli[i] != SAME || LACKS(i)))
#else
#define FOLLOWS(i) ((leads(0) || leads(1)) && (tli[i] != SAME || LACKS(i)))
#endif
#if defined(SYNC)
#define LACKS(i) (has[i] != has[leader])
#else
#define LACKS(i) false
#endif

inline follow(i) {
	tli[i] = SAME;
#if defined(SYNC)
	has[i] = has[leader]
#else
	skip
#endif
}

/* CRASHES: a bound on how many there are. */
#if defined(CRASHES)
#define may_crash (crashed < CRASHES)
#define one_more ; crashed++
byte crashed;
#else
#define may_crash true
#define one_more
#endif
#define crashes(i) \
	:: d_step { may_crash && (st[i] != BOOT || rk[i] != PUT_NONE || v[i] < V3); begin_life(i) one_more }

#if defined(HANDS_OVER)
#define hands_over(i) \
	:: d_step { st[i] == PRIMARY && awake(i) && fresh(i) && tli[i] == SAME; MOVE(i, PRIMARY, SWITCHOVER, HANDOVER); no_rounds(i) } \
	:: d_step { st[i] == HANDOVER && awake(i) && fresh(i) && rk[i] == PUT_NONE; MOVE(i, HANDOVER, EXIT_RUN, BOOT) } \
	:: d_step { may_release(i) && awake(i) && fresh(i) && rk[i] == PUT_NONE && !doubt[i]; RELEASED(i) }
#if defined(NO_T6)
#define RELEASED(i) send(i, PUT_RELEASE, kr[i], 0)
#else
#define RELEASED(i) send(i, PUT_RELEASE, kr[i], 0); v[i] = V3
#endif
#else
#define hands_over(i)
#endif

#if defined(FREEZE)
/* The pod stands still.  Thawed after V3, its fencer is the first to act. */
#if defined(NO_T4)
#define thaws(i) :: d_step { frozen[i]; frozen[i] = 0; v[i] = (v[i] >= V1 -> 0 : v[i]) }
#else
#define thaws(i) \
	:: d_step { frozen[i] && (v[i] < V3 || !runs_primary(i)); frozen[i] = 0 } \
	:: d_step { frozen[i] && v[i] >= V3 && runs_primary(i); begin_life(i) }
#endif
#define freezes(i) \
	:: d_step { !frozen[i] && (runs_primary(i) || st[i] == CLAIM); frozen[i] = 1 } \
	thaws(i)
#else
#define freezes(i)
#endif

#if defined(SYNC)
#define commits(i) \
	:: d_step { writes(i) && leads(i) && st[i] != PROMOTE && !has[i]; has[i] = 1 } \
	:: d_step { writes(i) && leads(i) && st[i] != PROMOTE && has[i] && !acked && every_voter_has(i); acked = 1 } \
	SETS(i)
#if defined(ONE_VOTER)
#define room(i) (guc[i] == 0)
#else
#define room(i) true
#endif
#define SET(i, j) \
	:: d_step { st[i] == PRIMARY && leads(i) && awake(i) && !(guc[i] & ME(j)) && room(i); guc[i] = guc[i] | ME(j) } \
	:: d_step { st[i] == PRIMARY && leads(i) && awake(i) && fresh(i) && rk[i] == PUT_NONE && !doubt[i] && !(voters & ME(j)) && told_first(i, j) && past_mark(i, j); \
		send(i, PUT_RENEW, kr[i], voters | ME(j)) } \
	:: d_step { st[i] == PRIMARY && leads(i) && awake(i) && fresh(i) && rk[i] == PUT_NONE && !doubt[i] && (voters & ME(j)); \
		send(i, PUT_RENEW, kr[i], voters & ~ME(j)) DROP_AT_ONCE(i) } DROPS(i, j)
#if defined(NO_REMOVE)
#define DROP_AT_ONCE(i) ; guc[i] = guc[i] & rp[i]
#else
#define DROP_AT_ONCE(i)
#endif
/* A write in doubt, and a read that does not show it: it may land yet. */
#if defined(NO_ANSWER)
#define DROPS(i, j) \
	:: d_step { st[i] == PRIMARY && leads(i) && awake(i) && !doubt[i] && rk[i] == PUT_NONE && kr[i] && (guc[i] & ~voters); guc[i] = guc[i] & voters }
#else
#define DROPS(i, j)
#endif
#if N > 2
#define SETS(i) SET(i, ((i) + 1) % N) SET(i, ((i) + 2) % N)
#else
#define SETS(i) SET(i, 1 - (i))
#endif
#else
#define commits(i)
#endif

#if defined(FAILSAFE)
#if defined(NO_ALL)
#define all_grant(i) (granted[i] != 0)
#else
#define all_grant(i) ((granted[i] & must_grant(i)) == must_grant(i))
#endif
#if defined(NO_GRANT_SEND)
#define round_age(i) 0
#else
#define round_age(i) fa[i]
#endif
#if defined(NO_OWN_CLAIM)
#define no_claim_of_own(j) true
#else
#define no_claim_of_own(j) (st[j] != CLAIM && zk[j] != PUT_CLAIM)
#endif
#if defined(NO_KNOWN)
#define knows(j, i) true
#else
#define knows(j, i) (oh[j] == (i) + 1)
#endif
#define GRANT(i, j) \
	:: d_step { asked[i] & ME(j) && awake(j) && (st[j] == STANDBY || st[j] == CLAIM) && knows(j, i) && is_listed(j) && no_claim_of_own(j); \
		asked[i] = asked[i] & ~ME(j); granted[i] = granted[i] | ME(j); kept[j] = 0 }
#if N > 2
#define GRANTS(i) GRANT(i, ((i) + 1) % N) GRANT(i, ((i) + 2) % N)
#else
#define GRANTS(i) GRANT(i, 1 - (i))
#endif
#if defined(MEMBERS)
/* The holder alone says who is listed, and itself is always. */
#define EDITS(i) \
	:: d_step { st[i] == PRIMARY && awake(i) && fresh(i) && rk[i] == PUT_NONE && !doubt[i] && tli[i] == SAME; \
		send(i, PUT_RENEW, kr[i], carries(i) ^ ME(1 - (i))) } \
	JOINS(i)
#if defined(NO_EDITOR)
#define JOINS(i) :: d_step { st[i] == STANDBY && awake(i) && !is_listed(i); listed = listed | ME(i); all_versions_gone() }
#else
#define JOINS(i)
#endif
#else
#define EDITS(i)
#endif
#define failsafe(i) \
	:: d_step { st[i] == PRIMARY && awake(i) && fresh(i) && asked[i] == 0 && granted[i] == 0 && must_grant(i) != 0; asked[i] = must_grant(i); fa[i] = 0 } \
	:: d_step { st[i] == PRIMARY && awake(i) && fresh(i) && all_grant(i); v[i] = (round_age(i) < v[i] -> round_age(i) : v[i]); asked[i] = 0; granted[i] = 0; fa[i] = 0 } \
	:: d_step { asked[i] | granted[i]; asked[i] = 0; granted[i] = 0; fa[i] = 0 } \
	GRANTS(i) EDITS(i)
#else
#define failsafe(i)
#endif

#define node(i) calls(i) answers(i) holds(i) waits(i) crashes(i) hands_over(i) freezes(i) commits(i) failsafe(i)

/* ---- time ---- */

#if defined(NO_T8)
#define may_pass(i) true
#else
#define may_pass(i) (!writes(i) || v[i] < V3)
#endif

inline up_to(x, most) {
	x = (x < most -> x + 1 : most)
}

inline timers(i) {
	up_to(v[i], V3);
	if
	:: rk[i] == PUT_CLAIM || rk[i] != PUT_NONE && rs[i] != NO -> up_to(ra[i], V1)
	:: else -> skip
	fi;
	if
	:: obs[i] -> up_to(o[i], L)
	:: else -> skip
	fi;
#if defined(NO_T1C)
	if
	:: gs[i] -> up_to(ga[i], L)
	:: else -> skip
	fi;
#endif
#if defined(FAILSAFE)
	up_to(kept[i], L);
	if
	:: asked[i] | granted[i] -> up_to(fa[i], V3)
	:: else -> skip
	fi;
#endif
	skip
}

#if N > 2
#define all_may_pass (may_pass(0) && may_pass(1) && may_pass(2))
#else
#define all_may_pass (may_pass(0) && may_pass(1))
#endif

inline tick_all_but(i) {
#if defined(DRIFT)
	if :: owes[0] > 0 -> owes[0]-- :: else -> skip fi;
	if :: owes[1] > 0 -> owes[1]-- :: else -> skip fi;
#endif
	if :: i != 0 -> timers(0) :: else -> skip fi;
	if :: i != 1 -> timers(1) :: else -> skip fi;
#if N > 2
	if :: i != 2 -> timers(2) :: else -> skip fi;
#endif
	skip
}

#if defined(DRIFT)
#define skips(i) :: d_step { all_may_pass && owes[i] == 0; tick_all_but(i); owes[i] = DRIFT }
#else
#define skips(i)
#endif

/* ---- others ---- */

#if defined(COMMAND)
/* Somebody writes a command into the record: the version moves, the claim does not. */
#define others_command :: d_step { holder != NOBODY; all_versions_gone() }
#else
#define others_command
#endif
#if defined(HAND)
#define others_hand \
	:: d_step { holder != NOBODY && holder != BY_HAND; holder = BY_HAND; all_versions_gone(); \
		record_changed(0); record_changed(1) }
#else
#define others_hand
#endif

init {
	d_step {
		st[0] = PRIMARY;
		tli[0] = SAME;
		kr[0] = 1;
		st[1] = STANDBY;
		tli[1] = SAME;
		v[1] = V3;
#if N > 2
		st[2] = STANDBY;
		tli[2] = SAME;
		v[2] = V3;
#endif
#if defined(FAILSAFE)
		kept[0] = L;
		kept[1] = L;
#if N > 2
		kept[2] = L;
#endif
#endif
#if defined(MEMBERS)
		listed = EVERY;
		might[0] = EVERY;
#endif
	};
	do
	node(0)
	node(1)
#if N > 2
	node(2)
#endif
	:: d_step { all_may_pass; tick_all_but(N) }
	skips(0)
	skips(1)
	others_command
	others_hand
	od
}

#if N > 2
#define two_write (writes(0) && (writes(1) || writes(2)) || writes(1) && writes(2))
#else
#define two_write (writes(0) && writes(1))
#endif

/* That what is proved is not proved of nothing: each of these must be reached. */
#if defined(SEE_TAKEOVER)
#define situation (st[1] == PRIMARY && st[0] == STANDBY && tli[0] == SAME)
#elif defined(SEE_ACKED)
#define situation (st[1] == PRIMARY && acked && holder == 2 && voters == ME(0))
#elif defined(SEE_HANDOVER)
#define situation (st[1] == CLAIM && holder == NOBODY)
#elif defined(SEE_FAILSAFE)
#define situation (st[0] == PRIMARY && fresh(0) && obs[1] && o[1] >= L)
#elif defined(SEE_ALONE)
#define situation (st[0] == PRIMARY && fresh(0) && obs[1] && o[1] >= L && !is_listed(1))
#elif defined(SEE_JOINED)
#define situation (st[1] == PRIMARY && listed == ME(1))
#else
#define situation false
#endif

/* I1; I2: may_pass lets nobody write past the fencer's deadline. */
active proctype watch() {
	atomic { (two_write || situation) -> assert(false) }
}
