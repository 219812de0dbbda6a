/* Which servers of a connection string are left alone, because they did not answer
   one of the processes of this host. Knows nothing of connecting. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "pgbox-host-file.h"
#include "pgbox-db-client.h"

#include <time.h>
#include <unistd.h>

#define HOSTS_MAX 16
/* After so long somebody looks whether it is there again. */
#define RETRY_SECS 30
/* It answers a process that has only looked. */
#define ANSWERS (-1)

struct hosts_record {
	struct pgbox_host_record head;
	/* seconds since 1970 when it is looked at again, 0 if it is not left, or
	   ANSWERS */
	int64_t retry_at[HOSTS_MAX];
};

static bool hosts_get_file(struct pgbox_db *db, struct pgbox_host_file *file_r)
{
	i_zero(file_r);
	file_r->dir = db->set.host_dir;
	file_r->kind = "hosts";
	file_r->conninfo = db->set.conninfo;
	return file_r->dir != NULL && array_count(&db->hosts) > 1;
}

/* Others may have learnt something. Times that nobody writes are as good as
   none. */
static bool hosts_read(struct pgbox_db *db, struct hosts_record *record_r)
{
	int64_t latest = time(NULL) + RETRY_SECS;
	struct pgbox_host_file file;
	unsigned int i;

	if (!hosts_get_file(db, &file))
		return FALSE;
	if (!pgbox_host_file_read(&file, geteuid(), &record_r->head,
				  sizeof(*record_r)))
		i_zero(record_r);
	for (i = 0; i < HOSTS_MAX; i++) {
		if (record_r->retry_at[i] > latest ||
		    record_r->retry_at[i] < ANSWERS)
			record_r->retry_at[i] = 0;
	}
	return TRUE;
}

static void hosts_write(struct pgbox_db *db, struct hosts_record *record)
{
	struct pgbox_host_file file;

	if (hosts_get_file(db, &file)) {
		pgbox_host_file_write(&file, &record->head, sizeof(*record));
	}
}

static const char *host_name(struct pgbox_db *db, unsigned int idx)
{
	const struct pgbox_db_host *host = array_idx(&db->hosts, idx);

	return t_strdup_printf("PostgreSQL server \"%s\", port %s",
		*host->host != '\0' ? host->host : host->hostaddr,
		*host->port != '\0' ? host->port : "default");
}

unsigned int pgbox_db_hosts_get_left(struct pgbox_db *db, int *look_at_r)
{
	struct hosts_record record;
	time_t now = time(NULL);
	unsigned int i, left = 0;

	*look_at_r = -1;
	if (!hosts_read(db, &record))
		return 0;
	for (i = 0; i < I_MIN(HOSTS_MAX, array_count(&db->hosts)); i++) {
		if (record.retry_at[i] <= 0)
			continue;
		left |= 1U << i;
		if (record.retry_at[i] <= now)
			*look_at_r = i;
	}
	if (*look_at_r >= 0) {
		/* the others need not */
		record.retry_at[*look_at_r] = now + RETRY_SECS;
		hosts_write(db, &record);
	}
	return left;
}

void pgbox_db_host_is_silent(struct pgbox_db *db, unsigned int idx)
{
	struct hosts_record record;

	if (idx >= HOSTS_MAX || !hosts_read(db, &record))
		return;
	if (record.retry_at[idx] <= 0) {
		e_warning(db->event, "%s does not answer, and is left for now",
			  host_name(db, idx));
	}
	record.retry_at[idx] = time(NULL) + RETRY_SECS;
	hosts_write(db, &record);
}

void pgbox_db_host_answers(struct pgbox_db *db, unsigned int idx, bool used)
{
	struct hosts_record record;

	if (idx >= HOSTS_MAX || !hosts_read(db, &record) ||
	    record.retry_at[idx] == 0)
		return;
	if (used)
		e_info(db->event, "%s is used again", host_name(db, idx));
	record.retry_at[idx] = used ? 0 : ANSWERS;
	hosts_write(db, &record);
}
