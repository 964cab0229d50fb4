/*
 * spawn_child - between fork and exec.
 *
 * Process: the child.  The job has one thread, so that everything may be called here.
 */
#include "spawn_child.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define CHILD_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define CHILD_ARCH AUDIT_ARCH_AARCH64
#endif

#define SYSCALL_ARG(n) (uint32_t)(offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t))

/*
 * Makes huge pages look as if there were none.  postgres with huge_pages=try falls back when mmap
 * refuses; a kernel that promises pages and a cgroup that then does not grant them end in SIGBUS,
 * in every release's initdb, and before PostgreSQL 16 initdb has no option against it.  Should the
 * filter not be available, nothing is lost but this protection.
 */
static void
child_without_huge_pages(void)
{
#ifdef CHILD_ARCH
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CHILD_ARCH, 0, 7),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mmap, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SYSCALL_ARG(3)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_HUGETLB, 4, 3),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_shmget, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SYSCALL_ARG(2)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, SHM_HUGETLB, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
	};
	struct sock_fprog prog = {.len = ARRAY_LEN(code), .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0);
#endif
}

static void
child_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	for (int sig = 1; sig < NSIG; sig++) {
		struct sigaction dfl = {.sa_handler = SIG_DFL};

		sigaction(
			sig, &dfl, NULL); /* refused for SIGKILL and SIGSTOP, which have no other */
	}
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool
child_streams(const struct spawn_streams *io)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return false;
	return dup2(io->in >= 0 ? io->in : null, STDIN_FILENO) >= 0 &&
	       dup2(io->out >= 0 ? io->out : null, STDOUT_FILENO) >= 0 &&
	       dup2(io->err >= 0 ? io->err : null, STDERR_FILENO) >= 0;
}

void
spawn_child(const struct spawn_spec *spec, const struct spawn_streams *io)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != io->parent)
		_exit(126);
	child_signals();
	if (!child_streams(io))
		_exit(126);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	if (chdir(spec->cwd ? spec->cwd : "/") < 0) {
		dprintf(STDERR_FILENO, "cannot enter %s: %s\n", spec->cwd ? spec->cwd : "/",
			strerrordesc_np(errno));
		_exit(126);
	}
	if (spec->no_huge_pages)
		child_without_huge_pages();
	/* POSIX promises that argv and envp are only read. */
	execve(spec->argv[0], (char **)(uintptr_t)spec->argv,
		spec->envp ? (char **)(uintptr_t)spec->envp : environ);
	dprintf(STDERR_FILENO, "cannot execute %s: %s\n", spec->argv[0], strerrordesc_np(errno));
	_exit(126);
}
