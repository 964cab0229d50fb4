/*
 * cmd_kubectl - the plug-in of kubectl: `kubectl podgres status my-postgres`.
 *
 * It runs the command inside the pods by `kubectl exec`, so it needs no right that the caller's
 * kubectl does not have.  NAME is a cluster (label cnpg.io/cluster) or one of its pods; orders go
 * to one pod only.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "cmd/cmd.h"

#define KUBECTL_WORDS 64
#define KUBECTL_LIST_MAX (1u << 20)

struct words {
	char *word[KUBECTL_WORDS]; /* borrowed; NULL ends them */
	int n;
};

static void
words_put(struct words *w, const char *word)
{
	union {
		const char *in;
		char *out; /* exec takes them without const and leaves them alone */
	} u = {.in = word};

	must(w->n < KUBECTL_WORDS - 1);
	w->word[w->n++] = u.out;
	w->word[w->n] = NULL;
}

/* Runs kubectl; its stdout goes into *out unless that is NULL.  Returns its exit code, -1 with *e.
 */
static int
kubectl_run(const struct words *w, struct buf *out, struct err *e)
{
	posix_spawn_file_actions_t fa;
	int fds[2] = {-1, -1}, rc, status;
	char chunk[4096];
	pid_t pid;
	ssize_t n;

	if (out && pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	posix_spawn_file_actions_init(&fa);
	if (out)
		posix_spawn_file_actions_adddup2(&fa, fds[1], STDOUT_FILENO);
	rc = posix_spawnp(&pid, w->word[0], &fa, NULL, w->word, environ);
	posix_spawn_file_actions_destroy(&fa);
	if (out)
		close(fds[1]);
	while (rc == 0 && out && (n = read(fds[0], chunk, sizeof(chunk))) != 0)
		if (n > 0)
			buf_put(out, chunk, (size_t)n);
		else if (errno != EINTR)
			break;
	if (out)
		close(fds[0]);
	if (rc != 0)
		return err_raise(e, ERR_REMOTE, rc, ERR_HERE, "kubectl: %s", strerrordesc_np(rc));
	while (waitpid(pid, &status, 0) < 0)
		must(errno == EINTR);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct kubectl {
	struct words global;  /* "kubectl", and its own options */
	struct words command; /* "podgres", the command and its words, without NAME */
	const char *name;
};

/* -n NS, --namespace, --context, --kubeconfig are kubectl's; the first operand is NAME. */
static int
kubectl_read(struct kubectl *k, int argc, char **argv, struct err *e)
{
	static const char *const own[] = {"-n", "--namespace", "--context", "--kubeconfig"};

	words_put(&k->global, "kubectl");
	words_put(&k->command, PROGRAM);
	if (argc > KUBECTL_WORDS / 2)
		return err_set(e, ERR_INVALID, "more than %d words", KUBECTL_WORDS / 2);
	for (int i = 1; i < argc; i++) {
		size_t n = strcspn(argv[i], "=");
		bool theirs = false;

		for (size_t o = 0; o < ARRAY_LEN(own); o++)
			theirs =
				theirs || (strlen(own[o]) == n && strncmp(own[o], argv[i], n) == 0);
		if (theirs) {
			words_put(&k->global, argv[i]);
			if (!argv[i][n] && i + 1 < argc)
				words_put(&k->global, argv[++i]);
		} else if (argv[i][0] != '-' && k->command.n >= 2 && !k->name) {
			k->name = argv[i];
		} else {
			words_put(&k->command, argv[i]);
		}
	}
	if (!k->name)
		return err_set(e, ERR_INVALID, "usage: kubectl podgres COMMAND NAME [WORD...]");
	return 0;
}

/* The pods of the cluster, one name a line; NAME itself when no pod has the label. */
static int
kubectl_pods(const struct kubectl *k, struct buf *out, struct err *e)
{
	struct words w = k->global;
	char label[300];
	int rc;

	snprintf(label, sizeof(label), "cnpg.io/cluster=%.253s", k->name);
	words_put(&w, "get");
	words_put(&w, "pods");
	words_put(&w, "-l");
	words_put(&w, label);
	words_put(&w, "-o");
	words_put(&w, "name");
	rc = kubectl_run(&w, out, e);
	if (rc < 0)
		return -1;
	if (rc > 0)
		return err_set(e, ERR_REMOTE, "kubectl get pods ended with %d", rc);
	if (out->len == 0)
		buf_printf(out, "pod/%s\n", k->name);
	return buf_check(out, e);
}

static int
kubectl_exec(const struct kubectl *k, const char *pod, struct err *e)
{
	struct words w = k->global;

	words_put(&w, "exec");
	if (isatty(STDOUT_FILENO))
		words_put(&w, "-t");
	if (isatty(STDIN_FILENO) || strcmp(k->command.word[1], "psql") == 0)
		words_put(&w, "-i");
	words_put(&w, pod);
	words_put(&w, "-c");
	words_put(&w, "postgres");
	words_put(&w, "--");
	for (int i = 0; i < k->command.n; i++)
		words_put(&w, k->command.word[i]);
	return kubectl_run(&w, NULL, e);
}

int
cmd_kubectl(int argc, char **argv)
{
	AUTO(buf_deinit) struct buf pods = {0};
	struct kubectl k = {0};
	struct err e = {0};
	int worst = 0;
	bool one;

	buf_init_max(&pods, KUBECTL_LIST_MAX);
	if (kubectl_read(&k, argc, argv, &e) < 0 || kubectl_pods(&k, &pods, &e) < 0)
		return command_fail("(kubectl)", &e, NULL);
	one = strchr(pods.data, '\n') == pods.data + pods.len - 1;
	if (!one && strcmp(k.command.word[1], "status") != 0) {
		err_set(&e, ERR_INVALID, "%s has several pods, name the one this is for:\n%s",
			k.name, buf_str(&pods));
		return command_fail("(kubectl)", &e, NULL);
	}
	for (char *pod = pods.data, *end; (end = strchr(pod, '\n')); pod = end + 1) {
		int rc;

		*end = '\0';
		if (!one) {
			printf("== %s\n", pod);
			fflush(stdout);
		}
		rc = kubectl_exec(&k, pod, &e);
		if (rc < 0)
			return command_fail("(kubectl)", &e, NULL);
		worst = rc > worst ? rc : worst;
	}
	return worst;
}
