/* Checks what was set. Knows nothing of how Dovecot reads it, nor of what it is
   used for. */

#include "pgbox-config.h"
#include "lib.h"
#include "mail-user.h"
#include "mail-namespace.h"
#include "mailbox-list-private.h"
#include "pgbox-db.h"
#include "pgbox-settings-private.h"

static int check_dsn(const char *dsn, const char **error_r)
{
	const char *error;

	if (*dsn == '\0') {
		*error_r = PGBOX_SETTING_DSN" is not set: it must be a libpq "
			"connection string, such as "
			"\"host=db.example.org dbname=mail\"";
		return -1;
	}
	if (pgbox_db_conninfo_check(dsn, &error) < 0) {
		*error_r = t_strdup_printf(PGBOX_SETTING_DSN" must be a libpq "
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
