/* All waiting for the database. A mail process serves one client and its
   callers need the answer, so this is poll() with a deadline; nothing else of
   the process runs meanwhile. Does not know what is being waited for. */

/* for POLLRDHUP */
#ifndef _GNU_SOURCE
#  define _GNU_SOURCE
#endif

#include "pgbox-config.h"
#include "lib.h"
#include "pgbox-db-session.h"

#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include <sys/wait.h>

/* libpq looks names up within its calls: poll() can't limit that */
#define SLOW_CONNECT_CALL_MSECS 500

/* Rounds of reading what an idle connection has received */
#define DEAD_CHECK_MAX_READS 100

/* How long the answer is waited for when the client has closed its side. It may
   read on: one that sends all of its commands at once and closes its side then
   gets answers from Dovecot as long as they come soon. */
#define HANGUP_MSECS 1000

/* How often is looked whether the cancelling process has ended */
#define CANCEL_POLL_MSECS 2

int64_t pgbox_db_now_usecs(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) < 0)
		i_fatal("clock_gettime(CLOCK_MONOTONIC) failed: %m");
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t pgbox_db_now_msecs(void)
{
	return pgbox_db_now_usecs() / 1000;
}

/* Like poll(), but with a deadline */
static int poll_until(struct pollfd *pfd, nfds_t count, int64_t deadline)
{
	int64_t msecs;
	int ret;

	do {
		msecs = deadline - pgbox_db_now_msecs();
		/* always look once: late is better than lost */
		ret = poll(pfd, count, I_MIN(I_MAX(msecs, 0), INT_MAX));
	} while ((ret < 0 && errno == EINTR) || (ret == 0 && msecs > INT_MAX));
	if (ret < 0)
		i_fatal("poll() failed: %m");
	return ret;
}

/* Waits for events on the connection's socket. Returns them, 0 if the deadline
   has passed, or soon after the client (0 = none) has hung up. */
static short wait_socket_client(struct pgbox_db *db, short events,
				int64_t deadline, int client_fd)
{
	struct pollfd pfd[] = {
		/* libpq may change it while it connects */
		{ .fd = PQsocket(db->conn), .events = events },
		{ .fd = client_fd, .events = POLLRDHUP },
	};
	int ret;

	ret = poll_until(pfd, client_fd > 0 ? 2 : 1, deadline);
	if (ret > 0 && pfd[0].revents == 0) {
		ret = poll_until(pfd, 1, I_MIN(deadline, pgbox_db_now_msecs() +
					       HANGUP_MSECS));
	}
	return ret == 0 ? 0 : pfd[0].revents;
}

static short wait_socket(struct pgbox_db *db, short events, int64_t deadline)
{
	return wait_socket_client(db, events, deadline, 0);
}

void pgbox_db_connect_check_time(struct pgbox_db *db, int64_t msecs)
{
	if (msecs > SLOW_CONNECT_CALL_MSECS) {
		e_warning(db->event, "Connecting to PostgreSQL blocked for "
			  "%lld milliseconds, probably in a name lookup",
			  (long long)msecs);
	}
}

enum pgbox_db_wait
pgbox_db_wait_connected(struct pgbox_db *db, int64_t deadline,
			int64_t start_msecs)
{
	/* before the first call, libpq wants to be treated as if it had
	   returned this */
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;
	int64_t longest_msecs = start_msecs, start;
	bool expired = FALSE;

	while (!expired && (status == PGRES_POLLING_READING ||
			    status == PGRES_POLLING_WRITING)) {
		if (wait_socket(db, status == PGRES_POLLING_READING ?
				POLLIN : POLLOUT, deadline) == 0) {
			expired = TRUE;
			break;
		}
		start = pgbox_db_now_msecs();
		status = pgbox_db_home_connect_poll(db->conn);
		longest_msecs = I_MAX(longest_msecs,
				      pgbox_db_now_msecs() - start);
	}
	pgbox_db_connect_check_time(db, longest_msecs);
	if (expired)
		return PGBOX_DB_WAIT_DEADLINE;
	return status == PGRES_POLLING_OK ? PGBOX_DB_WAIT_DONE :
		PGBOX_DB_WAIT_LOST;
}

enum pgbox_db_wait pgbox_db_wait_sent(struct pgbox_db *db, int64_t deadline)
{
	short events;
	int ret;

	while ((ret = PQflush(db->conn)) > 0) {
		/* Reading too: the server may not read on before we have read
		   what it says. */
		events = wait_socket(db, POLLIN | POLLOUT, deadline);
		if (events == 0)
			return PGBOX_DB_WAIT_DEADLINE;
		if ((events & ~POLLOUT) != 0 && PQconsumeInput(db->conn) == 0)
			return PGBOX_DB_WAIT_LOST;
	}
	return ret == 0 ? PGBOX_DB_WAIT_DONE : PGBOX_DB_WAIT_LOST;
}

enum pgbox_db_wait pgbox_db_wait_answer(struct pgbox_db *db, int64_t deadline,
					int client_fd)
{
	while (PQisBusy(db->conn) != 0) {
		if (PQstatus(db->conn) != CONNECTION_OK)
			return PGBOX_DB_WAIT_LOST;
		if (wait_socket_client(db, POLLIN, deadline, client_fd) == 0)
			return PGBOX_DB_WAIT_DEADLINE;
		/* After a failure PQgetResult() would return an error without
		   SQLSTATE, unless the server's last words were an error. */
		if (PQconsumeInput(db->conn) == 0)
			return PQisBusy(db->conn) != 0 ? PGBOX_DB_WAIT_LOST :
				PGBOX_DB_WAIT_DONE;
	}
	return PGBOX_DB_WAIT_DONE;
}

bool pgbox_db_is_dead(struct pgbox_db *db)
{
	unsigned int i;

	for (i = 0; i < DEAD_CHECK_MAX_READS; i++) {
		if (PQstatus(db->conn) != CONNECTION_OK || db->server_left)
			return TRUE;
		if (wait_socket(db, POLLIN, 0) == 0)
			return FALSE;
		if (PQconsumeInput(db->conn) == 0)
			return TRUE;
		/* parses, which calls the notice receiver */
		(void)PQisBusy(db->conn);
	}
	/* it doesn't stop talking */
	return TRUE;
}

bool pgbox_db_wait_msecs(unsigned int msecs, int64_t deadline)
{
	int64_t end = pgbox_db_now_msecs() + msecs, now;

	if (end >= deadline)
		return FALSE;
	while ((now = pgbox_db_now_msecs()) < end)
		(void)poll(NULL, 0, end - now);
	return TRUE;
}

/*
 * Cancelling
 */

pid_t pgbox_db_cancel_start(struct pgbox_db *db)
{
	PGcancel *cancel;
	char error[256];
	pid_t pid;

	cancel = PQgetCancel(db->conn);
	if (cancel == NULL)
		return -1;

	pid = fork();
	if (pid == 0) {
		/* PQcancel() may be called even by a signal handler */
		_exit(PQcancel(cancel, error, sizeof(error)) != 0 ? 0 : 1);
	}
	if (pid < 0)
		e_warning(db->event, "fork() failed: %m");
	PQfreeCancel(cancel);
	return pid;
}

void pgbox_db_cancel_end(pid_t pid, int64_t deadline)
{
	if (pid < 0)
		return;
	/* pgbouncer 1.18 takes it badly if the client does not wait: it ends
	   another connection instead. */
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		if (!pgbox_db_wait_msecs(CANCEL_POLL_MSECS, deadline)) {
			(void)kill(pid, SIGKILL);
			deadline = INT64_MAX;
		}
	}
}
