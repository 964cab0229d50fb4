#include "ring_world.h"

/* ---- a random world and a postgres that restores from it ---- */

#define LINES 5

struct tree {
	int parent[LINES + 1];
	uint64_t leave[LINES + 1]; /* where the timeline left its parent */
	uint64_t end;
};

static void
tree_make(struct world *w, struct tree *t)
{
	t->end = 12 + dice(w, 12);
	for (int n = 2; n <= LINES; n++) {
		uint64_t from;

		t->parent[n] = 1 + (int)dice(w, (unsigned)n - 1);
		from = t->parent[n] > 1 ? t->leave[t->parent[n]] : SEG * 2;
		t->leave[n] = from + 8 * (1 + dice(w, 4 * SEG / 8));
	}
	for (int n = 1; n <= LINES; n++) {
		char line[LINES][64], name[64], at[LINEAGE_LSN_SIZE];
		int lines = 0;

		for (int k = n; k > 1; k = t->parent[k])
			snprintf(line[lines++], 64, "%d\t%s\tx\n", t->parent[k],
				lineage_lsn_text(t->leave[k], at));
		w->history[n].text[0] = '\0';
		while (lines > 0)
			strncat(w->history[n].text, line[--lines], 64);
		snprintf(name, sizeof(name), "%08X.history", (unsigned)n);
		if (n > 1)
			put(w, (int)dice(w, 2), name, HAS);
	}
}

/* Every timeline goes on to the end, as if each old primary had written on. */
static void
stores_fill(struct world *w, const struct tree *t)
{
	for (int n = 1; n <= LINES; n++) {
		for (uint64_t s = n > 1 ? t->leave[n] / SEG : 1; s < t->end; s++) {
			unsigned luck = dice(w, 20);

			if (luck == 0)
				continue; /* nowhere */
			put(w, (int)dice(w, 2), name_of((uint32_t)n, s), HAS);
			if (luck == 1)
				put(w, (int)dice(w, 2), name_of((uint32_t)n, s), DOWN);
			if (luck == 2)
				put(w, (int)dice(w, 2), name_of((uint32_t)n, s), HAS);
		}
	}
}

static bool
nobody_has(struct world *w, const char *name)
{
	const struct object *o = object_of(w, name, false);

	return !o || (o->state[0] == 0 && o->state[1] == 0);
}

/* Where the line that ends with `target` leaves timeline n; UINT64_MAX: never. */
static uint64_t
left_at(const struct tree *t, int target, int n)
{
	for (int k = target; k > 1; k = t->parent[k])
		if (t->parent[k] == n)
			return t->leave[k];
	return UINT64_MAX;
}

static void
check_segment(struct world *w, const struct tree *t, int target, int n, uint64_t s)
{
	uint64_t left = left_at(t, target, n);
	struct ring_verdict v;
	char name[64];

	snprintf(name, sizeof(name), "%s", name_of((uint32_t)n, s));
	switch (get(w, name, &v)) {
	case RING_SERVED:
		assert_string_equal(served(w)->name, name);
		assert_true(s * SEG < left);
		assert_int_equal(
			served(w)->cut, left < (s + 1) * SEG ? (uint32_t)(left - s * SEG) : 0);
		break;
	case RING_ABSENT:
		assert_true(nobody_has(w, name) || s * SEG >= left);
		break;
	default:
		assert_false(nobody_has(w, name));
		break;
	}
}

/* As XLogFileReadAnyTLI: the newest that had begun, then the older ones, whatever their end. */
static void
restore(struct world *w, const struct tree *t, int target)
{
	for (uint64_t s = 1; s < t->end; s++) {
		for (int n = target;; n = t->parent[n]) {
			if (n == 1 || t->leave[n] / SEG <= s)
				check_segment(w, t, target, n, s);
			if (n == 1)
				break;
			if (dice(w, 4) == 0)
				wait_s(w, 0.3 * dice(w, 10));
		}
	}
}

static void
no_random_world_gets_a_wrong_segment_or_a_false_absence(void **state)
{
	static struct world w;
	struct tree t;

	(void)state;
	for (unsigned round = 1; round <= 150; round++) {
		struct ring_verdict v;
		char name[64];
		int target;

		world_make(&w, 1 + (int)(round % 6), 2);
		w.seed = round * 7919;
		w.flaky = round % 3 ? 0 : 15;
		tree_make(&w, &t);
		stores_fill(&w, &t);
		target = 2 + (int)dice(&w, LINES - 1);
		snprintf(name, sizeof(name), "%08X.history", (unsigned)target);
		assert_int_equal(get(&w, name, &v), RING_SERVED);
		restore(&w, &t, target);
		assert_true(w.held_max <= 2 * (1 + (int)(round % 6)));
		ring_gone(&w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_random_world_gets_a_wrong_segment_or_a_false_absence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
