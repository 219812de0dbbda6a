/* Checks what was set, for a user or for a service. Knows nothing of how Dovecot reads
   it, nor of what it is used for. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "mail-user.h"
#include "mail-namespace.h"
#include "mailbox-list-private.h"
#include "pgbox-compat.h"
#include "pgbox-db.h"
#include "pgbox-settings-private.h"

/*
 * Mail processes
 */

static int check_dsn(const char *dsn, const char **error_r)
{
	const char *error;

	if (*dsn == '\0') {
		*error_r = "pgbox_dsn is not set: it must be a libpq "
			"connection string, such as "
			"\"host=db.example.org dbname=mail\"";
		return -1;
	}
	if (pgbox_db_conninfo_check(dsn, &error) < 0) {
		*error_r = t_strdup_printf("pgbox_dsn must be a libpq "
			"connection string: %s", error);
		return -1;
	}
	return 0;
}

int pgbox_settings_get(struct mailbox_list *list, pool_t pool,
		       const struct pgbox_settings **set_r,
		       const char **error_r)
{
	if (pgbox_settings_read(list, pool, set_r, error_r) < 0)
		return -1;
	return check_dsn((*set_r)->dsn, error_r);
}

int pgbox_settings_get_account(struct mailbox_list *list,
			       const char **account_r, const char **error_r)
{
	const struct mail_namespace *ns = list->ns;
	const char *name = ns->set->name == NULL ? "" : ns->set->name;
	const char *account, *setting;

	if (pgbox_settings_read_account(list, &account, &setting, error_r) < 0)
		return -1;
	if (account == NULL && ns->owner == NULL) {
		*error_r = t_strdup_printf(
			"%s is not set: namespace %s has no owner, so this "
			"setting must name the account that holds its mail",
			setting, name);
		return -1;
	}
	if (account == NULL)
		account = ns->owner->username;
	if (!pgbox_db_text_is_valid(account, strlen(account))) {
		*error_r = t_strdup_printf(
			"The account of namespace %s must be UTF-8 (%s)",
			name, setting);
		return -1;
	}
	*account_r = account;
	return 0;
}

/*
 * Services
 */

void pgbox_service_settings_add(struct pgbox_service_settings *set, pool_t pool,
				const char *name, const char *dsn)
{
	struct pgbox_service_database *database =
		array_append_space(&set->databases);

	database->name = p_strdup(pool, name);
	database->dsn = p_strdup(pool, dsn);
}

static const char *
need_mail_dsn(const struct pgbox_service_settings *set, const char *error)
{
	if (set->mail_dsn == NULL)
		i_fatal(PGBOX_SERVICE_NO_VARIABLES, "pgbox_dsn", error);
	if (*set->mail_dsn == '\0') {
		i_fatal("Neither pgbox_notify_dsn nor pgbox_dsn is set"
			PGBOX_COMPAT_IN_SETTINGS);
	}
	return set->mail_dsn;
}

const struct pgbox_service_settings *pgbox_service_settings_get(pool_t pool)
{
	struct pgbox_service_settings *set =
		p_new(pool, struct pgbox_service_settings, 1);
	struct pgbox_service_database *database;
	const char *base_dir, *error = NULL;

	p_array_init(&set->databases, pool, 4);
	pgbox_settings_read_service(pool, set, &base_dir, &error);
	if (*set->dir == '\0') {
		set->dir = p_strconcat(pool, base_dir,
				       "/"PGBOX_NOTIFY_DIR_NAME, NULL);
	}
	array_foreach_modifiable(&set->databases, database) {
		if (database->dsn == NULL)
			database->dsn = need_mail_dsn(set, error);
		if (pgbox_db_conninfo_check(database->dsn, &error) < 0)
			i_fatal("%s: %s", database->name, error);
	}
	if (set->mail_dsn != NULL && *set->mail_dsn == '\0')
		set->mail_dsn = NULL;
	return set;
}
