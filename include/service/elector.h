/*
 * elector - the Lease in Kubernetes, the members, and who is to be the primary.
 *
 * What its files share; nothing else includes this.  Process: elector.  It is the only one that
 * speaks to Kubernetes.  It decides by core/lease_time.h (when) and core/election.h (who), and says
 * on the board what came of it; the supervisor starts, promotes and stops.
 */
#pragma once

#include "core/election.h"
#include "core/lease_time.h"
#include "core/syncset.h"
#include "net/http.h"
#include "net/kube.h"
#include "net/lease_json.h"
#include "service/service.h"

enum elector_call {
	ELECTOR_NONE,
	ELECTOR_GET,     /* what stands there, from etcd itself */
	ELECTOR_CREATE,  /* the first claim */
	ELECTOR_CLAIM,   /* or taking up what another start of this pod held */
	ELECTOR_RENEW,   /* with whatever is new */
	ELECTOR_RELEASE, /* nothing of postgres is left here */
	ELECTOR_COMMAND, /* what a person asked the holder for */
};

/* A pod of the cluster, ourselves included. */
struct elector_peer {
	char name[64], address[64];
	bool there;            /* in the list that is being read */
	struct http_call *ask; /* NULL: nothing is asked */
	struct buf text;
	int64_t asked_ns; /* of the facts below, boot time; 0: never answered */
	int64_t sent_ns;  /* of the question under way */
	bool promised;    /* to a holder that has no API, as it said last */
	struct election_member facts;
	int64_t measured_ns; /* when its postgres said so, at the earliest */
	bool local_replayed; /* what it has received is known for certain */
	struct elector_member seen;
};

/* The sync set as the Lease has it. */
struct elector_set {
	bool on;
	char leader[64], term[64];
	char voter[ELECTOR_MEMBERS][64];
	size_t voters;
	int acks;
};

/* A standby as the primary sees it. */
struct elector_stream {
	int64_t since_ns, lost_ns;
	uint64_t behind_lsn; /* it had not flushed up to there at behind_ns; 0: it keeps up */
	int64_t behind_ns;
	bool on; /* told calmly */
};

/* Synchronous replication: elector_sync.c. */
struct elector_sync {
	char name[SYNCSET_MEMBERS][64]; /* of each bit; "": free */
	struct syncset guc;             /* as on the board */
	struct syncset lease;           /* what our last answered write says */
	struct syncset target, sent;    /* what the next write says, and the last that left */
	bool told;                      /* lease is known: a write of ours was answered */
	bool doubt;                     /* a write that changes the set has no answer */
	char term[64], token[64];       /* of the leader; as it stands in PGDATA */
	int32_t pid;                    /* of the postgres that the next are about */
	int64_t shown_ns;               /* since when it shows guc; 0: it does not */
	uint64_t reload_lsn;            /* WAL from there on was sent under guc; 0: not known yet */
	int64_t force_ns;               /* since when guc is in force; 0: it is not */
	uint64_t mark;                  /* flushed at a moment when it was; 0: not known yet */
	bool defined;                   /* commits of this postgres wait at all */
	uint32_t past_mark;
	int64_t leads_ns; /* since when postgres is seen as our primary; 0: it is not */
	struct elector_stream stream[SYNCSET_MEMBERS];
};

#define ELECTOR_NAMES (2 * ELECTOR_MEMBERS)

/* Failsafe: elector_failsafe.c. */
struct elector_vow {
	char name[64];
	struct http_call *ask;
	bool granted;
};

struct elector_failsafe {
	int64_t ask_ms;
	/* whom the Lease may list, now or when a write lands late: nobody else can claim it */
	char might[ELECTOR_NAMES][64];
	size_t mights;
	bool too_many;
	bool member; /* we were listed in a Lease that this process saw */
	/* the round under way */
	bool asking;
	int64_t sent_ns, by_ns, again_ns;
	struct elector_vow vow[ELECTOR_NAMES];
	size_t vows;
	struct buf body;
};

/* A switchover that is asked for here or in the Lease, until it is begun or refused. */
struct elector_switching {
	int64_t since_ns; /* 0: none */
	int64_t asked_ns; /* the members, last */
	int64_t checkpoint_ns;
	bool written; /* the checkpoint */
	bool judged;
	char target[64];
	char why[200];    /* not; "" */
	char undone[200]; /* the last was begun, and then not carried out; "": written */
};

/* The change of primary that our claim begins: elector_change.c. */
struct elector_change {
	char from[64]; /* pod that held the Lease; "": none */
	char reason[48];
	int64_t since_ns; /* the last that was seen of it; 0: no claim yet */
	int64_t ms;       /* how long it took; -1: not over */
};

struct elector {
	struct service *s;
	struct kube_place place;
	struct kube *kube;
	struct http *http;
	struct kube_watch *lease_watch;
	struct kube_call *list; /* of the pods; NULL: none is asked for */
	int64_t list_at_ns;
	uint32_t replicas; /* that streamed from here when we looked last */
	struct loop_timer timer, ask_timer;
	char me[LEASE_HOLDER_SIZE];
	char cluster[LEASE_NAME_SIZE];
	char lease_path[640], pods_path[960];
	struct lease_times times; /* in force */
	struct lease_times goal;  /* of the manifest */
	uint64_t manifest;        /* generation of the plan at which it was read */
	struct lease_watch watch;
	struct lease_holder holder;
	int64_t began_ns;
	bool held; /* by us, as far as we know */
	/* the object as last seen, and what we write */
	struct buf text;
	struct lease_object object, wanted;
	bool exists, listed, listing;
	char last_holder[64]; /* the pod that was last seen to hold it; "": none */
	enum elector_call call;
	struct kube_call *handle;
	int64_t call_sent_ns;
	int64_t quiet_until_ns; /* the API asked us to wait, or a claim was refused */
	/* orders */
	struct elector_order order; /* number 0: none */
	int64_t order_at_ns, order_by_ns;
	bool order_written;        /* into the Lease, for the holder */
	int64_t order_transitions; /* of the Lease when the order was given */
	struct elector_switching switching;
	/* as last read from the board */
	struct supervisor_status sv;
	struct pg_facts pg;
	int64_t standing_since_ns;  /* holder, and yet a standby, since then */
	int64_t choosing_since_ns;  /* the Lease could be claimed since then */
	enum election_reason stood; /* how the last election went for us */
	int64_t stood_ns;           /* when; 0: never */
	bool loss_known;
	uint64_t loss_bytes; /* WAL that is known to be written and missing here, at that time */
	struct elector_peer peer[ELECTOR_MEMBERS];
	size_t peers;
	bool peers_listed;
	int64_t peers_since_ns;
	struct plan_failover failover; /* of the manifest, as it was read last */
	struct elector_sync sync;
	uint32_t labelled; /* 1 + the role that our pod's labels say; 0: not known */
	bool replaced;     /* Kubernetes knows another pod of our name */
	bool labelling;
	int64_t label_again_ns;
	struct elector_failsafe failsafe;
	struct elector_change change;
	struct {                 /* elector_pause.c */
		uint64_t number; /* of the order; 0: none */
		bool on;
		int64_t by_ns;
	} pause;
	struct elector_status st;
	struct elector_status told; /* as it was published last */
};

/* elector.c */
void elector_problem(struct elector *el, const char *hint, const char *fmt, ...) PRINTF(3, 4);
void elector_turn(struct elector *el); /* looks at everything and does what is due */
void elector_publish(struct elector *el);

/* elector_times.c */
int elector_times_begin(struct elector *el, struct err *e) MUSTCHECK;
void elector_times_look(struct elector *el);     /* the manifest may have changed */
void elector_times_answered(struct elector *el); /* a write of ours was, just now */

/* elector_lease.c */
int elector_lease_begin(struct elector *el, struct err *e) MUSTCHECK;
void elector_lease_step(struct elector *el); /* the next call, if one is due */
int64_t elector_lease_next_ns(const struct elector *el);
bool elector_mine(const struct elector *el); /* fresh */

/* elector_choice.c */
bool elector_renews(struct elector *el);        /* postgres deserves that the Lease is kept */
bool elector_releases(struct elector *el);      /* it is given back now */
bool elector_news(struct elector *el);          /* to be written at once */
bool elector_may_create(struct elector *el);    /* there is no cluster yet: is it ours to make? */
bool elector_follows(const struct elector *el); /* a standby, also one that was told to promote */
bool elector_may_claim(struct elector *el);
void elector_wishes(struct elector *el); /* what the next write is to say */

/* elector_order.c */
void elector_order_take(struct elector *el, const struct elector_order *o);
void elector_order_ends(struct elector *el); /* it was carried out, or cannot be any more */
void elector_command(struct elector *el, const char *target); /* into what is written next */
bool elector_handed(const struct elector *el);  /* a hand-over may give the Lease back */
void elector_handover_look(struct elector *el); /* or is undone */
void elector_named(const struct elector *el, char out[64]); /* who is to be elected; "": the best */
bool elector_command_field(const struct elector *el, const char *field, char *out, size_t size);
/* All that can be asked have answered since then, or had their time. */
bool elector_answered_since(const struct elector *el, int64_t since_ns);
/* A switchover is asked for, and what came of it is to be written. */
bool elector_judged(struct elector *el);
void elector_wish_orders(struct elector *el); /* their answers, into what is written next */

/* elector_sync.c */
void elector_sync_begin(struct elector *el);
void elector_sync_turn(struct elector *el);
bool elector_sync_news(const struct elector *el); /* the Lease is to say something else */
void elector_sync_wish(struct elector *el);       /* what the next write says of it */
void elector_sync_answered(struct elector *el);   /* with 200 */
void elector_sync_publish(struct elector *el);
/* Why a switchover to that member cannot be; NULL: it can. */
const char *elector_sync_obstacle(const struct elector *el, const struct elector_peer *p);

/* elector_sync_set.c */
void elector_set_read(struct elector_set *out, const char *text);
/* Of a Lease that has lost its set: who has what was acknowledged, all together know. */
void elector_set_everybody(const struct elector *el, struct elector_set *out);
bool elector_set_has(const struct elector_set *set, const char *name);
/* Whether the data here is the leader's own, and not a copy of somebody's. */
bool elector_set_ours(const struct elector *el, const struct elector_set *set);
void elector_set_own(struct elector *el); /* leaves the mark for that */
void elector_set_text(const struct elector *el, struct syncset set, char *out, size_t size);
uint32_t elector_set_bit(struct elector_sync *s, const char *name); /* 0: no room */
struct syncset elector_set_of(struct elector_sync *s, const struct elector_set *set);
struct syncset elector_set_names(struct elector_sync *s, const char *names);
int elector_priority(const struct elector *el, const char *name);

/* elector_peers.c */
int elector_peers_begin(struct elector *el, struct err *e) MUSTCHECK;
void elector_peers_ask(struct elector *el);
void elector_peers_look(struct elector *el); /* somebody is there whom we do not know */
void elector_peers_close(struct elector *el);
bool elector_peer_is_self(const struct elector *el, const struct elector_peer *p);
struct elector_peer *elector_peer_of(struct elector *el, const char *name); /* NULL: unknown */

const char *elector_port(const struct elector *el); /* where members listen */

/* elector_failsafe.c */
void elector_failsafe_step(struct elector *el);
int64_t elector_failsafe_next_ns(const struct elector *el);
void elector_failsafe_writes(struct elector *el);         /* el->wanted is on its way */
void elector_failsafe_saw(struct elector *el, bool ours); /* ours: an answer to a write of ours */
void elector_failsafe_asked(struct elector *el, const struct channel_msg *msg);
bool elector_failsafe_bars(struct elector *el); /* no Lease is there: may we not make one? */
void elector_failsafe_close(struct elector *el);

/* elector_pause.c */
bool elector_pause_take(struct elector *el, const struct elector_order *o); /* false: not ours */
void elector_pause_wish(struct elector *el);
bool elector_pause_wanted(const struct elector *el); /* the Lease does not say it yet */
void elector_pause_ends(struct elector *el);

/* elector_change.c */
void elector_change_begins(struct elector *el); /* a claim is on its way */
void elector_change_wish(struct elector *el);   /* with the first write of the new timeline */
void elector_change_publish(struct elector *el);

/* elector_label.c */
void elector_label(struct elector *el);
