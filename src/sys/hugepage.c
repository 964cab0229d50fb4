/*
 * hugepage - does the kernel grant the huge pages it promises?
 *
 * Process: jobs, since it forks.  mmap() looks at the node's pool; the limit of the cgroup counts
 * only when a page is touched, and then the answer is SIGBUS.
 */
#include "sys/hugepage.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "sys/file.h"

enum { TOUCH_FINE = 0, TOUCH_NOT_MAPPED = 1 };

static int64_t
meminfo_value(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoll(at + strlen(key), NULL, 10) : 0;
}

static void
hugepage_touch(size_t page_bytes)
{
	const struct rlimit no_core = {0};
	volatile char *p;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &no_core);
	sigaction(SIGBUS, &(const struct sigaction){.sa_handler = SIG_DFL}, NULL);
	p = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB,
		-1, 0);
	if (p == MAP_FAILED)
		_exit(TOUCH_NOT_MAPPED);
	*p = 1;
	_exit(TOUCH_FINE);
}

void
hugepage_look(struct hugepage_facts *out)
{
	AUTO(buf_deinit) struct buf text = {0};
	struct err e;
	int status;
	pid_t pid;

	*out = (struct hugepage_facts){0};
	if (file_read(&text, "/proc/meminfo", 1 << 20, &e) < 0)
		return;
	out->page_bytes = meminfo_value(buf_str(&text), "Hugepagesize:") << 10;
	out->total_bytes = meminfo_value(buf_str(&text), "HugePages_Total:") * out->page_bytes;
	if (out->total_bytes <= 0)
		return;
	pid = fork();
	if (pid == 0)
		hugepage_touch((size_t)out->page_bytes);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return;
	out->mapped = !WIFEXITED(status) || WEXITSTATUS(status) != TOUCH_NOT_MAPPED;
	out->granted = WIFEXITED(status) && WEXITSTATUS(status) == TOUCH_FINE;
}
