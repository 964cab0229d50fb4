/*
 * board - the pod's shared memory: what each process wants the others to know.
 */
#include "sys/board.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/clock.h"

#define BOARD_MAGIC UINT32_C(0x50474F31)
#define BOARD_ALIGN 64
#define BOARD_TRIES 64
#define BOARD_FD_FLOOR 64

struct section {
	_Atomic uint32_t seq; /* copy seq % 2 is the one to read; 0: never written */
	uint32_t size;
	uint32_t offset; /* of the first copy; the second follows it */
	uint32_t pad;
	_Atomic int64_t stamp_ns[2];
};

struct board_mem {
	uint32_t magic;
	uint32_t sections;
	uint64_t bytes;
	_Atomic int64_t deadline_ns;
	_Atomic int64_t fired_ns;
	_Atomic int64_t beat_ns[BOARD_MAX_BEATS];
	struct section section[BOARD_MAX_SECTIONS];
};

struct board {
	struct board_mem *mem;
	size_t bytes;
	int fd;
};

static size_t
board_round(size_t n)
{
	return (n + BOARD_ALIGN - 1) / BOARD_ALIGN * BOARD_ALIGN;
}

static size_t
board_layout(const size_t *sizes, size_t n, struct board_mem *mem)
{
	size_t at = board_round(sizeof(struct board_mem));

	for (size_t i = 0; i < n; i++) {
		if (mem) {
			mem->section[i].size = (uint32_t)sizes[i];
			mem->section[i].offset = (uint32_t)at;
		}
		at += 2 * board_round(sizes[i]);
	}
	return at;
}

static int
board_map(struct board *b, int fd, size_t bytes, struct err *e)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return err_sys(e, "map the board of %zu bytes", bytes);
	b->mem = p;
	b->bytes = bytes;
	b->fd = fd;
	return 0;
}

int
board_create(struct board **out, const size_t *sizes, size_t n, struct err *e)
{
	AUTO(board_free) struct board *b = calloc(1, sizeof(*b));
	AUTO(close) int low = -1, fd = -1;
	size_t bytes;

	must(n <= BOARD_MAX_SECTIONS);
	bytes = board_layout(sizes, n, NULL);
	low = memfd_create("podgres-board", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	/* Out of the way of the fixed numbers it gets in children. */
	fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, BOARD_FD_FLOOR);
	if (!b || fd < 0)
		return err_sys(e, "create the board");
	b->fd = -1;
	if (ftruncate(fd, (off_t)bytes) < 0)
		return err_sys(e, "size the board to %zu bytes", bytes);
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return err_sys(e, "seal the board");
	if (board_map(b, fd, bytes, e) < 0)
		return -1;
	fd = -1;

	b->mem->magic = BOARD_MAGIC;
	b->mem->sections = (uint32_t)n;
	b->mem->bytes = bytes;
	board_layout(sizes, n, b->mem);
	*out = take(b);
	return 0;
}

int
board_attach(struct board **out, int fd, const size_t *sizes, size_t n, struct err *e)
{
	AUTO(board_free) struct board *b = calloc(1, sizeof(*b));
	size_t bytes = board_layout(sizes, n, NULL);
	struct stat st;

	if (!b)
		return err_sys(e, "attach the board");
	b->fd = -1;
	if (fstat(fd, &st) < 0)
		return err_sys(e, "attach the board behind descriptor %d", fd);
	if ((size_t)st.st_size != bytes)
		return err_set(e, ERR_CORRUPT, "the board has %lld bytes instead of %zu",
			(long long)st.st_size, bytes);
	if (board_map(b, fd, bytes, e) < 0)
		return -1;
	if (b->mem->magic != BOARD_MAGIC || b->mem->sections != n)
		return err_set(e, ERR_CORRUPT, "the board is of another version");
	*out = take(b);
	return 0;
}

struct board *
board_free(struct board *b)
{
	if (!b)
		return NULL;
	if (b->mem)
		munmap(b->mem, b->bytes);
	if (b->fd >= 0)
		close(b->fd);
	free(b);
	return NULL;
}

int
board_fd(const struct board *b)
{
	return b->fd;
}

/* ---- sections ---- */

static char *
board_copy_at(const struct board *b, const struct section *s, uint32_t which)
{
	return (char *)b->mem + s->offset + (which % 2) * board_round(s->size);
}

static void
board_fill(struct board *b, struct section *s, const struct board_piece *piece, size_t n)
{
	uint32_t next = atomic_load_explicit(&s->seq, memory_order_relaxed) + 1;
	char *to;

	if (next == 0)
		next = 2; /* 0 means never; keep the parity */
	atomic_thread_fence(memory_order_seq_cst);
	to = board_copy_at(b, s, next);
	for (size_t i = 0; i < n; to += piece[i++].size)
		memcpy(to, piece[i].data, piece[i].size);
	atomic_store_explicit(&s->stamp_ns[next % 2], clock_boot_ns(), memory_order_relaxed);
	atomic_store_explicit(&s->seq, next, memory_order_release);
}

void
board_write(struct board *b, int section, const void *data, size_t size)
{
	struct section *s = &b->mem->section[section];

	must(section >= 0 && (uint32_t)section < b->mem->sections && size == s->size);
	board_fill(b, s, &(struct board_piece){data, size}, 1);
}

void
board_write_pieces(struct board *b, int section, const struct board_piece *piece, size_t n)
{
	struct section *s = &b->mem->section[section];
	size_t all = 0;

	must(section >= 0 && (uint32_t)section < b->mem->sections);
	for (size_t i = 0; i < n; i++) {
		must(piece[i].size <= s->size - all);
		all += piece[i].size;
	}
	board_fill(b, s, piece, n);
}

bool
board_read_at(const struct board *b, int section, uint32_t seq, const struct board_part *to)
{
	struct section *s = &b->mem->section[section];

	must(section >= 0 && (uint32_t)section < b->mem->sections);
	if (!seq || atomic_load_explicit(&s->seq, memory_order_acquire) != seq ||
		to->offset > s->size || to->size > s->size - to->offset)
		return false;
	memcpy(to->data, board_copy_at(b, s, seq) + to->offset, to->size);
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&s->seq, memory_order_relaxed) == seq;
}

int64_t
board_read(const struct board *b, int section, void *data, size_t size)
{
	struct section *s = &b->mem->section[section];

	must(section >= 0 && (uint32_t)section < b->mem->sections && size == s->size);
	for (int i = 0; i < BOARD_TRIES; i++) {
		uint32_t seq = atomic_load_explicit(&s->seq, memory_order_acquire);
		int64_t stamp;

		if (seq == 0)
			break;
		stamp = atomic_load_explicit(&s->stamp_ns[seq % 2], memory_order_relaxed);
		memcpy(data, board_copy_at(b, s, seq), size);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&s->seq, memory_order_relaxed) == seq)
			return stamp;
	}
	memset(data, 0, size);
	return 0;
}

uint32_t
board_seq(const struct board *b, int section)
{
	return atomic_load_explicit(&b->mem->section[section].seq, memory_order_acquire);
}

/* ---- heartbeats and the deadline ---- */

void
board_beat(struct board *b, int slot)
{
	must(slot >= 0 && slot < BOARD_MAX_BEATS);
	atomic_store_explicit(&b->mem->beat_ns[slot], clock_boot_ns(), memory_order_release);
}

int64_t
board_beat_ns(const struct board *b, int slot)
{
	must(slot >= 0 && slot < BOARD_MAX_BEATS);
	return atomic_load_explicit(&b->mem->beat_ns[slot], memory_order_acquire);
}

int
board_deadline_move(struct board *b, int64_t deadline_ns)
{
	int64_t old = atomic_load_explicit(&b->mem->deadline_ns, memory_order_acquire);

	if (old != 0 && (old <= clock_boot_ns() || board_fired_ns(b) != 0))
		return -1;
	/* The fencer may have fired since we looked: then our store loses. */
	if (!atomic_compare_exchange_strong(&b->mem->deadline_ns, &old, deadline_ns))
		return -1;
	return board_fired_ns(b) != 0 ? -1 : 0;
}

void
board_deadline_disarm(struct board *b)
{
	atomic_store_explicit(&b->mem->deadline_ns, 0, memory_order_release);
}

int64_t
board_deadline_ns(const struct board *b)
{
	return atomic_load_explicit(&b->mem->deadline_ns, memory_order_acquire);
}

void
board_fired_set(struct board *b, int64_t at_ns)
{
	atomic_store_explicit(&b->mem->fired_ns, at_ns, memory_order_release);
}

int64_t
board_fired_ns(const struct board *b)
{
	return atomic_load_explicit(&b->mem->fired_ns, memory_order_acquire);
}
