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
	struct election_member facts;
	struct elector_member seen;
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
	struct lease_times times;
	struct lease_watch watch;
	struct lease_holder holder;
	int64_t began_ns;
	bool held; /* by us, as far as we know */
	/* the object as last seen, and what we write */
	struct buf text;
	struct lease_object object, wanted;
	bool exists, listed, listing;
	enum elector_call call;
	struct kube_call *handle;
	int64_t call_sent_ns;
	int64_t quiet_until_ns; /* the API asked us to wait, or a claim was refused */
	/* orders */
	struct elector_order order; /* number 0: none */
	int64_t order_by_ns;
	int64_t asked_for_ns; /* a switchover is wanted since then; 0: none */
	/* as last read from the board */
	struct supervisor_status sv;
	struct pg_facts pg;
	int64_t standing_since_ns; /* holder, and yet a standby, since then */
	int64_t choosing_since_ns; /* the Lease could be claimed since then */
	struct elector_peer peer[ELECTOR_MEMBERS];
	size_t peers;
	bool peers_listed;
	int64_t peers_since_ns;
	uint32_t labelled; /* 1 + the role that our pod's labels say; 0: not known */
	bool replaced;     /* Kubernetes knows another pod of our name */
	bool labelling;
	int64_t label_again_ns;
	struct elector_status st;
	struct elector_status told; /* as it was published last */
};

/* elector.c */
void elector_problem(struct elector *el, const char *hint, const char *fmt, ...) PRINTF(3, 4);
void elector_turn(struct elector *el); /* looks at everything and does what is due */
void elector_publish(struct elector *el);

/* elector_lease.c */
int elector_lease_begin(struct elector *el, struct err *e) MUSTCHECK;
void elector_lease_step(struct elector *el); /* the next call, if one is due */
int64_t elector_lease_next_ns(const struct elector *el);
bool elector_mine(const struct elector *el); /* fresh */

/* elector_choice.c */
bool elector_renews(struct elector *el);     /* postgres deserves that the Lease is kept */
bool elector_releases(struct elector *el);   /* it is given back now */
bool elector_news(struct elector *el);       /* to be written at once */
bool elector_may_create(struct elector *el); /* there is no cluster yet: is it ours to make? */
bool elector_may_claim(struct elector *el);
void elector_command(struct elector *el, const char *target); /* into what is written next */
void elector_wishes(struct elector *el);                      /* what the next write is to say */

/* elector_peers.c */
int elector_peers_begin(struct elector *el, struct err *e) MUSTCHECK;
void elector_peers_ask(struct elector *el);
void elector_peers_look(struct elector *el); /* somebody is there whom we do not know */
void elector_peers_close(struct elector *el);
bool elector_peer_is_self(const struct elector *el, const struct elector_peer *p);
struct elector_peer *elector_peer_of(struct elector *el, const char *name); /* NULL: unknown */

/* elector_label.c */
void elector_label(struct elector *el);
