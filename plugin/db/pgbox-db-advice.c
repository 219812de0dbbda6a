/* What an admin can do about a connection that fails: commands for the log. Knows
   libpq's and the server's refusals, and the passfile; decides nothing. */

#include "pgbox-config.h"
#include "lib.h"
#include "pgbox-db-client.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum advice_name {
	ADVICE_NAME_NONE,
	ADVICE_NAME_ROLE,
	ADVICE_NAME_DATABASE,
};

/* The first match counts. */
static const struct {
	/* "" = any */
	const char *sqlstate;
	/* in the message */
	const char *text;
	/* what to do, with a name in the middle */
	const char *before;
	enum advice_name name;
	const char *after;
} advices[] = {
	{ "3D000", "", "createdb --encoding=UTF8 --template=template0 ",
	  ADVICE_NAME_DATABASE, ", then pgbox-schema install; unless it has "
	  "another name than in pgbox_dsn" },
	{ "28000", "no pg_hba.conf entry", "add a line for role ",
	  ADVICE_NAME_ROLE, " to the server's pg_hba.conf, and reload it" },
	{ "28000", "is not permitted to log in", "ALTER ROLE ",
	  ADVICE_NAME_ROLE, " LOGIN" },
	{ "28000", "does not exist", "CREATE ROLE ",
	  ADVICE_NAME_ROLE, " LOGIN IN ROLE pgbox_mail" },
	{ "28000", "authentication failed", "the server's pg_hba.conf must let "
	  "the uid or certificate of this process be role ",
	  ADVICE_NAME_ROLE, "" },
	{ "42501", "permission denied for database",
	  "GRANT CONNECT ON DATABASE ", ADVICE_NAME_DATABASE,
	  " TO pgbox_mail" },
	{ "53300", "too many connections for role", "ALTER ROLE ",
	  ADVICE_NAME_ROLE, " CONNECTION LIMIT -1, or a higher number" },
	{ "53300", "too many connections for database", "ALTER DATABASE ",
	  ADVICE_NAME_DATABASE, " CONNECTION LIMIT -1, or a higher number" },
	{ "53300", "", "raise the server's max_connections, shorten "
	  "pgbox_idle_disconnect, or put a pooler between",
	  ADVICE_NAME_NONE, "" },
	{ "", "root certificate file", "name the certificates of the server's "
	  "CA in pgbox_dsn: sslrootcert=FILE", ADVICE_NAME_NONE, "" },
	{ "", "could not open certificate file", "name a file that this "
	  "process can read in pgbox_dsn: sslcert=FILE",
	  ADVICE_NAME_NONE, "" },
};

/* Returns NULL if the connection string leaves it to libpq. */
static const char *option_get(const struct pgbox_db *db, const char *keyword)
{
	const PQconninfoOption *option = db->options;

	for (; option != NULL && option->keyword != NULL; option++) {
		if (strcmp(option->keyword, keyword) == 0 &&
		    option->val != NULL && *option->val != '\0')
			return option->val;
	}
	return NULL;
}

const char *pgbox_db_role_name(const struct pgbox_db *db)
{
	const char *name = db->conn != NULL ? PQuser(db->conn) :
		option_get(db, "user");

	return name != NULL && *name != '\0' ? name : "ROLE";
}

const char *pgbox_db_database_name(const struct pgbox_db *db)
{
	const char *name = db->conn != NULL ? PQdb(db->conn) :
		option_get(db, "dbname");

	return name != NULL && *name != '\0' ? name : pgbox_db_role_name(db);
}

/* libpq says nothing of a passfile that it does not use. */
static const char *passfile_advice(const struct pgbox_db *db)
{
	const char *path = option_get(db, "passfile");
	struct stat st;

	if (path == NULL) {
		return option_get(db, "service") != NULL ? NULL :
			"name a file with the password in pgbox_dsn: "
			"passfile=FILE";
	}
	if (stat(path, &st) < 0)
		return t_strdup_printf("stat(%s) failed: %m", path);
	if (!S_ISREG(st.st_mode))
		return t_strdup_printf("%s is not a file", path);
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		return t_strdup_printf("passfile has mode 0%03o, with which it "
			"is not used: chmod 600 %s", st.st_mode & 0777, path);
	}
	if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0) {
		return t_strdup_printf("passfile belongs to uid %ld, and this "
			"process has uid %ld: chown %ld %s", (long)st.st_uid,
			(long)geteuid(), (long)geteuid(), path);
	}
	return t_strdup_printf("see whether %s has a line "
		"HOST:PORT:DATABASE:ROLE:PASSWORD for database %s and role %s",
		path, pgbox_db_database_name(db), pgbox_db_role_name(db));
}

static const char *
advice_get_name(const struct pgbox_db *db, enum advice_name name)
{
	switch (name) {
	case ADVICE_NAME_NONE:
		break;
	case ADVICE_NAME_ROLE:
		return pgbox_db_role_name(db);
	case ADVICE_NAME_DATABASE:
		return pgbox_db_database_name(db);
	}
	return "";
}

static const char *
find_advice(const struct pgbox_db *db, const struct pgbox_db_failure *failure)
{
	unsigned int i;

	if (strcmp(failure->sqlstate, "28P01") == 0 ||
	    strstr(failure->message, "no password supplied") != NULL)
		return passfile_advice(db);
	for (i = 0; i < N_ELEMENTS(advices); i++) {
		if ((*advices[i].sqlstate == '\0' ||
		     strcmp(advices[i].sqlstate, failure->sqlstate) == 0) &&
		    strstr(failure->message, advices[i].text) != NULL) {
			return t_strconcat(advices[i].before,
				advice_get_name(db, advices[i].name),
				advices[i].after, NULL);
		}
	}
	return NULL;
}

void pgbox_db_failure_advise(const struct pgbox_db *db,
			     struct pgbox_db_failure *failure)
{
	const char *advice = find_advice(db, failure);

	if (advice != NULL) {
		failure->message = t_strconcat(failure->message,
					       "; what helps: ", advice, NULL);
	}
}
