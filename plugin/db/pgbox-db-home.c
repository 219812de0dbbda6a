/* Calls of libpq that look for files in a home directory: ~/.pgpass,
   ~/.postgresql and ~/.pg_service.conf. Knows nothing of what is in them. */

#include "pgbox-config.h"
#include "lib.h"
#include "pgbox-db-session.h"

/* libpq asks HOME first, and the passwd entry of the effective uid where there is
   none. HOME is that of whoever has started the process: a doveadm of root's looks
   into root's home with the uid of a mail user, and fails for each mailbox. Without
   it libpq finds what it finds in the services. Nothing else runs meanwhile. */
static const char *home_hide(void)
{
	const char *home = t_strdup(getenv("HOME"));

	if (home != NULL && unsetenv("HOME") < 0)
		i_fatal("unsetenv(HOME) failed: %m");
	return home;
}

static void home_restore(const char *home)
{
	if (home != NULL && setenv("HOME", home, 1) < 0)
		i_fatal("setenv(HOME) failed: %m");
}

PGconn *pgbox_db_home_connect_start(const char *const *keywords,
				    const char *const *values)
{
	PGconn *conn;

	T_BEGIN {
		const char *home = home_hide();

		conn = PQconnectStartParams(keywords, values, 0);
		home_restore(home);
	} T_END;
	return conn;
}

PGPing pgbox_db_home_ping(const char *const *keywords,
			  const char *const *values)
{
	PGPing ping;

	T_BEGIN {
		const char *home = home_hide();

		ping = PQpingParams(keywords, values, 0);
		home_restore(home);
	} T_END;
	return ping;
}

PostgresPollingStatusType pgbox_db_home_connect_poll(PGconn *conn)
{
	PostgresPollingStatusType status;

	T_BEGIN {
		const char *home = home_hide();

		/* certificates are read when the server has agreed to TLS */
		status = PQconnectPoll(conn);
		home_restore(home);
	} T_END;
	return status;
}
